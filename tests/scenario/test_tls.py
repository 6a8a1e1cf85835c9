"""A county whose every line is TLS: nodes, people and command lines beyond loopback."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import yaml
from click.testing import CliRunner

from recorder.cli import recorder
from recorder.errors import RecorderError
from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support import media
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.tls import Authority

POLICY = {"rules": [{"name": "all", "keep": {"any": "30d"}}]}
PASSWORD = "correct horse battery"


class Site:
    """A node that listens at an address of its own, with a certificate for it."""

    def __init__(self, folder: Path, ca: Authority, name: str, address: str, parent: str) -> None:
        self.name, self.ca, self.folder = name, ca, folder
        level = {"centre": "centre", "sub": "sub-centre"}.get(name, "post")
        self.node = Node(
            folder / name, site=name, level=level, node=f"{name}-a", parent=parent,
            capture={"segment": 2},
        )  # fmt: skip
        self.url = f"https://{address}:{self.node.port}"
        body = yaml.safe_load(self.node.config.read_text())
        body["api"] = {
            "listen": f"{address}:{self.node.port}", "certificate": str(ca.issue(address)),
        }  # fmt: skip
        self.node.config.write_text(yaml.safe_dump(body))
        self.node.env = {"SSL_CERT_FILE": str(ca.ca)}
        self.node.http.close()
        self.node.http = httpx.Client(
            base_url=self.url, verify=ssl.create_default_context(cafile=ca.ca), timeout=60
        )

    def here(self, text: str, typed: str = "") -> str:
        """Run a command line on the node; return what it prints."""
        return said("-c", str(self.node.config), *text.split(), typed=typed)

    def there(self, text: str, token: Path | None = None, typed: str = "") -> str:
        """Run a command line on another machine, as somebody; return what it prints."""
        shown = ["--token-file", str(token)] if token is not None else []
        server = ["--server", self.url, "--ca-file", str(self.ca.ca), *shown]
        return said(*server, *text.split(), typed=typed)

    def person(self, name: str, role: str, admin: Path | None = None) -> Path:
        """Add somebody; return the file with the token."""
        give = self.here if admin is None else lambda text: self.there(text, admin)
        give(f"user add {name} --role {role}")
        path = self.folder / f"{self.name}-{name}"
        path.write_text(json.loads(give(f"token add {name} --json"))["word"])
        return path


def said(*words: str, typed: str = "") -> str:
    """Run a command line in this process, which must succeed."""
    done = CliRunner().invoke(recorder, words, input=typed)
    if isinstance(done.exception, RecorderError):
        raise done.exception
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.stdout


@pytest.fixture
def county(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Site]]:
    ca = Authority(tmp_path / "ca")
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.ca))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    sites: dict[str, Site] = {}
    above = ""
    for number, name in enumerate(("centre", "sub", "post"), 2):
        sites[name] = Site(tmp_path, ca, name, f"127.0.0.{number}", above)
        above = sites[name].url
    yield sites
    for site in sites.values():
        site.node.close()


def test_a_county_speaks_tls_from_the_camera_s_post_to_the_auditor_s_desk(
    county: dict[str, Site], camera: RtspServer, tmp_path: Path
) -> None:
    centre, sub, post = county.values()
    with ThreadPoolExecutor(3) as starting:
        list(starting.map(lambda site: site.node.start(), county.values()))
    boss = centre.person("boss", "admin")
    keeper = sub.person("keeper", "admin")
    join(centre, boss, sub)
    join(sub, keeper, post)
    keeper_of_post = post.person("ops", "operator")
    post.there(f"camera add gate {camera.url('cam')} --group gates", keeper_of_post)

    # people of the centre, made from afar; one sets a password by a word and signs in
    word = json.loads(centre.there("user add eva --role viewer --json", boss))["word"]
    centre.there("user redeem", typed=f"{word}\n{PASSWORD}\n")
    assert "as eva" in centre.there("login eva", typed=f"{PASSWORD}\n")
    officer = centre.person("lea", "officer", boss)
    auditor = centre.person("aud", "auditor", boss)
    rules = tmp_path / "policy.yaml"
    rules.write_text(yaml.safe_dump(POLICY))
    centre.there(f"policy set {rules}", boss)

    # footage recorded at the post is read at the centre, exactly
    until(lambda: covered(centre, officer) > 6, 60, "the centre knows 6 s of the post's camera")
    begin = parse_instant(spans(centre, officer)[0]["start"])
    asked = f"--start {format_instant(begin + SECOND)} --end {format_instant(begin + 5 * SECOND)}"
    clip = tmp_path / "gate.mp4"
    centre.there(f"clip post/gate {asked} -o {clip}", officer)
    numbers = media.read_numbers(clip)
    assert numbers == list(range(numbers[0], numbers[0] + 100)), "4 s, each frame once"
    until(lambda: json.loads(post.there("policy show --json", keeper_of_post))["body"] == POLICY,
          30, "the policy came down two levels")  # fmt: skip

    # the auditor, who trusts a key, proves the log that says who fetched it
    key = centre.there("audit key", auditor).split()[-1]
    assert centre.node.stop() == 0
    centre.node.start()
    assert "footage.clip" in signed(centre, auditor), "a clean stop signs what waits"
    assert "clean: " in centre.there(f"audit verify --key {key}", auditor)

    # who is cast out is refused, and so is whoever shows nothing, or speaks no TLS
    sub.there("site expel post", keeper)
    until(lambda: refused(sub, keeper) > 0, 30, "what the post says is refused")
    with pytest.raises(RecorderError, match="nobody is known"):
        sub.there("camera list")
    with pytest.raises(httpx.HTTPError):
        httpx.get(centre.url.replace("https", "http") + "/healthz", timeout=5)


def join(parent: Site, admin: Path, child: Site) -> None:
    """Let a site join by a word that its parent gives once."""
    word = json.loads(parent.there(f"site invite {child.name} --json", admin))["word"]
    child.here("site join", typed=f"{word}\n")
    with pytest.raises(RecorderError, match="not known, was used"):
        child.here("site join", typed=f"{word}\n")


def covered(site: Site, who: Path) -> float:
    """How much a site knows of the post's camera, in seconds."""
    rows = json.loads(site.there("coverage --json", who))
    return float(sum(one["covered_seconds"] for one in rows if one["site"] == "post"))


def spans(site: Site, who: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(site.there("timeline post/gate --json", who))["spans"]
    return found


def signed(site: Site, who: Path) -> set[str]:
    """The actions of all entries that have their place in the signed log."""
    found = [json.loads(line) for line in site.there("audit export", who).splitlines()]
    return {one["entry"]["action"] for one in found if one["leaf"] is not None}


def refused(site: Site, who: Path) -> float:
    """How often a site was refused what only a site may."""
    headers = {"Authorization": f"Bearer {who.read_text()}"}
    text = site.node.http.get("/metrics", headers=headers).text
    found = [line for line in text.splitlines() if 'permission="site.speak"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in found)
