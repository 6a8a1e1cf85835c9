"""The command line against a server says what it says on the node, with the same exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from recorder.cli import recorder
from recorder.errors import RecorderError
from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

Said = tuple[int, str, str]
MOVING = re.compile(
    r"for \d[\dhms.]*|MISSING .* of|from 20\S*|version \d+|full (on )?20.*|[\d.]+ [kMGT]i?B|"
    r"in [\d.]+ days|[\d.]+ days back|"
    r"spanstore_\w+|token \w+, until|"
    r'"(at|id|created|expires|used|silent_seconds|received|recorded_today|bytes_per_day|steady_bytes|usable_bytes|'
    r'full_at|reach_days)": [^,\n]*'
)
"""What passes from one moment to the next."""


def run(*words: str, typed: str = "") -> Said:
    """Run a command line in this process: exit code, standard output, standard error."""
    done = CliRunner().invoke(recorder, words, input=typed)
    error = done.exception
    if isinstance(error, RecorderError):
        return error.exit_code, done.stdout, f"{done.stderr}{error}; {error.hint}"
    assert error is None or isinstance(error, SystemExit), (words, error)
    return done.exit_code, done.stdout, done.stderr


class Both:
    """One node, spoken to from its own machine and over HTTP."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def here(self, text: str, typed: str = "") -> Said:
        return run("-c", str(self.node.config), *text.split(), typed=typed)

    def there(self, text: str, typed: str = "") -> Said:
        server = f"http://127.0.0.1:{self.node.port}"
        return run("--server", server, *text.split(), typed=typed)

    def compare(self, text: str) -> None:
        here, there = self.here(text), self.there(text)
        for mine, other in zip(here, there, strict=True):
            assert MOVING.sub("…", str(other)) == MOVING.sub("…", str(mine)), text


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, h264_file: Path) -> Iterator[Both]:
    node = Node(tmp_path_factory.mktemp("node"))
    camera = RtspServer(cam=f"{h264_file}:h264").start()
    try:
        node.start()
        node.add("gate", camera.url("cam"))
        until(lambda: node.footage_s("gate") > 4, 60, "4 s of footage")
        one = Both(node)
        code, _, told = one.there("camera set gate enabled=false group=key label=Gate")
        assert code == 0, told
        until(lambda: not node.ffmpegs(), 30, "it stopped")
        until(lambda: not node.timeline("gate")["spans"][-1]["open"], 30, "it is sealed")
        until(lambda: _is_off(node), 30, "it is told")
        yield one
    finally:
        node.close()
        camera.stop()


def _is_off(node: Node) -> bool:
    present = node.http.get("/api/v1/cameras/gate").json()["present"]
    return present["state"] == "off" and present["since"] is not None


def span_of(node: Node) -> tuple[str, str]:
    """A second of the camera's footage."""
    start = parse_instant(node.timeline("gate")["spans"][0]["start"])
    return format_instant(start), format_instant(start + SECOND)


def test_from_afar_commands_say_what_they_say_on_the_node(both: Both, tmp_path: Path) -> None:
    for text in (
        "hold add gate --start -1m --case c1 --reason r --owner o --id h1 --json",
        "event add --camera gate --kind alarm --id e1",
        "event add --camera gate --kind alarm --id e1",
        "point add door --camera gate --pre 5s",
        "camera add yard rtsp://127.0.0.1:9/x --group key",
        "camera remove yard",
    ):
        code, out, told = both.there(text)
        assert code == 0, (text, out, told)
    start, end = span_of(both.node)
    asked, rules = f"--start {start} --end {end}", tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: all, keep: {any: 30d}}]")
    for text in (
        "camera list", "camera list --dark", "camera list --group key --json",
        "camera show gate --json", "camera show none", "hold list", "hold list --json",
        "camera add gate rtsp://127.0.0.1/x", "camera set gate --dry-run group=other",
        "camera set gate nonsense=1", "camera remove none",
        "export list", "export list --json", "export show none", "export remove none", "export key",
        "export key --json", f"export get none -o {tmp_path}/none.zip",
        "approval list", "approval list --json", "approval approve none", "approval refuse none",
        "event list --start -1h --json", "point list", "node list", "site", "site --json",
        "store usage", "policy show", f"policy set {rules}", "policy show", "policy plan",
        "policy plan --json", f"policy plan -f {rules}", "policy forecast --json",
        f"policy forecast -f {rules}", f"policy check {rules}", "policy log",
        f"policy explain gate --at {start}", "policy apply",
        f"timeline gate {asked}", f"timeline gate {asked} --json",
        f"coverage {asked}", f"timeline gate --start {start} --end 2000-01-01T00:00:00Z",
        f"timeline none {asked}", f"frame gate --at {start} -o {tmp_path}/f.jpg --json",
        f"clip gate {asked} -o {tmp_path}/c.mp4 --json", f"clip gate {asked} -o {tmp_path}/d.mp4",
        f"clip gate {asked} -o {tmp_path}/n.mp4 --format fmp4 --json",
        f"clip gate --start 2001-01-01T00:00:00Z --end 2001-01-01T01:00:00Z -o {tmp_path}/x.mp4",
        f"clip gate --start -1h --end {end} --gaps fail -o {tmp_path}/x.mp4",
    ):  # fmt: skip
        both.compare(text)
    assert both.there("hold release h1 --by me")[0] == 0
    both.compare("hold release h1 --by me")
    code, _, told = both.there(f"approval ask gate {asked} --purpose x")
    assert (code, "people ask, and people approve" in told) == (64, True)
    assert not (tmp_path / "x.mp4").exists()


def test_from_afar_many_cameras_and_sources_are_what_they_are_on_the_node(
    both: Both, tmp_path: Path
) -> None:
    secret = "rtsp://ana:geheim@127.0.0.1:9"
    code, _, told = both.here(f"camera add vault {secret}/x --location Cellar")
    assert code == 0, told
    new, wrong = tmp_path / "new.csv", tmp_path / "wrong.csv"
    new.write_text("name,label,url\ngate,New gate,\ndoor,Türe,rtsp://10.0.0.9/x\n", "utf-8")
    wrong.write_text("name,url,record\nok,rtsp://10.0.0.9/x,\nbad,rtsp://10.0.0.9/y,never\n")
    dated = tmp_path / "dated.yaml"
    table = "{zone: UTC, weekly: {daily: 07:00-19:00}, except: {2026-12-25: []}}"
    dated.write_text(f"cameras: {{vault: {{record: timetable, timetable: {table}}}}}")
    for text in (
        "camera export", "camera export --json", "camera export --format csv",
        f"camera import {new} --dry-run", f"camera import {new} --dry-run --json",
        f"camera import {wrong}", f"camera import {both.node.config}", "camera show ok",
        f"camera import {dated} --dry-run", f"camera probe {secret}/y --timeout 2",
        "camera probe none", "camera probe gopher://x", "camera probe test/none",
    ):  # fmt: skip
        both.compare(text)
    assert "geheim" not in both.there("camera export --json")[1]
    here, there = both.here(f"camera import {new}"), both.there(f"camera import {new}")
    assert here[0] == there[0] == 0, (here, there)
    assert "1 added, 1 changed, 0 same" in here[1]
    assert "0 added, 0 changed, 2 same" in there[1], "it is the same once it is done"
    assert both.there("camera set gate label=Gate")[0] == 0
    code, out, told = both.there("camera probe lavfi:testsrc2=rate=10 --json")
    assert (code, json.loads(out)["frames"] > 10 if out else told) == (0, True)
    for name in ("vault", "door"):
        assert both.there(f"camera remove {name}")[0] == 0


def test_from_afar_nodes_are_drained_and_sites_let_in_as_on_the_node(both: Both) -> None:
    for text in (
        "node drain none", "node drain n1", "node list", "node undrain n1",
        "node undrain n1 --json",
        "node remove none", "node remove n1", "node remove n1 --lose --json",
        "site invite post1", "site invite post1 --json", "site invite test", "site invite a/b",
        "site admit post1 some-catalog", "site expel post1", "site",
        "site remove post1", "site remove post1 --lose --json",
    ):  # fmt: skip
        both.compare(text)
    assert both.node.http.get("/api/v1/nodes").json()[0]["draining"] is False


def test_from_afar_users_and_tokens_are_what_they_are_on_the_node(tmp_path: Path) -> None:
    both = Both(Node(tmp_path / "node", api={"access": "off"}))
    try:
        both.node.start()
        _compare_users(both)
    finally:
        both.node.close()


def _compare_users(both: Both) -> None:
    for name, ask in (("here", both.here), ("there", both.there)):  # what can be done but once
        for text in (
            f"user add {name} --role officer --camera gate --back 7d --purpose",
            f"user add {name}-wall --service --role platform --group gates --json",
            f"user grant {name}-wall --add --role viewer --site test",
            f"token add {name}-wall --label wall --only footage.view --lasts 30d",
        ):
            code, out, told = ask(text)
            assert code == 0, (text, out, told)
    shown = {one["name"]: one for one in json.loads(both.here("user list --json")[1])}
    for kind in ("", "-wall"):
        mine, other = shown[f"here{kind}"], shown[f"there{kind}"]
        assert mine | {"name": "", "created": ""} == other | {"name": "", "created": ""}
    assert shown["there"]["grants"][0]["cameras"] == ["test/gate"], "a bare name is this site's"
    noted = {
        one["entry"]["subject"]["name"]: one["entry"]["details"]
        for one in json.loads(both.here("audit show --action user.set --json")[1])
    }
    assert noted["there"] == noted["here"], "what was granted stands in the log"
    assert noted["there"]["grants"][0]["role"] == "officer"
    for text in (
        "user add none", "user add here --role viewer", "user add Not/OK --role viewer",
        "user grant none --role viewer",
        "user grant here --json", "user list", "user list --json", "user invite here",
        "user invite here --json", "user invite here-wall", "token list", "token list --json",
        "token list --sessions", "token add none", "token add here --lasts 900d",
        "token add here --only nonsense", "token rotate none", "token end none",
        "access explain here footage.view", "access explain here footage.view gate",
        "access explain here footage.view test/gate --json", "access explain none footage.view",
        "access explain here nonsense", "access roles", "access roles --json",
    ):  # fmt: skip
        both.compare(text)
    token = json.loads(both.here("token list --json")[1])[0]["id"]
    assert both.there(f"token rotate {token} --overlap 0s")[0] == 0
    both.compare(f"token rotate {token}")
    word = json.loads(both.there("user invite here --json")[1])["word"]
    typed = f"{word}\ncorrect horse battery\n"
    assert both.there("user redeem", typed)[:2] == (0, "here has a password, and can sign in\n")
    assert both.there("user redeem", typed) == both.here("user redeem", typed)
    assert both.there("user close there")[0] == 0
    both.compare("user close there")


def test_from_afar_the_log_is_proved_and_what_was_done_to_it_is_found(tmp_path: Path) -> None:
    both = Both(Node(tmp_path / "node", api={"access": "off"}))
    try:
        both.node.start()
        both.there("camera add gate rtsp://127.0.0.1:9/x")
        until(lambda: both.there("audit checkpoint")[0] == 0, 90, "the log is signed")
        _compare_log(both, tmp_path)
    finally:
        both.node.close()


def _compare_log(both: Both, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(both.there("audit checkpoint")[1])
    key = both.there("audit key")[1].split()[-1]
    for text in (
        "audit checkpoint", "audit checkpoint --json", "audit key", "audit key --json",
        "audit key --witness", f"audit verify --since {kept} --key {key}",
        f"audit verify --since {kept} --key {key} --json",
        f"audit verify --since {kept} --key {key} --witness {key}",
        f"audit verify --key {key}x", f"audit verify --since {both.node.config}",
    ):  # fmt: skip
        both.compare(text)
    code, out, told = both.there("audit verify")
    assert (code, out.startswith("clean: "), "--key" in told) == (0, True, True), (out, told)
    bundle = next((both.node.folder / "data" / "store").rglob("entries/*/*"))
    bundle.write_bytes(bundle.read_bytes().replace(b"log.begin", b"log.bogus"))
    code, out, told = both.there(f"audit verify --key {key}")
    assert (code, "changed: entry 0: not the bytes" in out) == (65, True), (out, told)
    assert both.there("audit begin --why none")[0] == 64


def test_a_clip_from_afar_is_the_clip(both: Both, tmp_path: Path) -> None:
    start, end = span_of(both.node)
    for form in ("mp4", "zip"):
        here, there = tmp_path / f"here.{form}", tmp_path / f"there.{form}"
        asked = f"clip gate --start {start} --end {end} --json --format {form} -o"
        told = [
            json.loads(out) | {"file": ""}
            for _, out, _ in (both.here(f"{asked} {here}"), both.there(f"{asked} {there}"))
        ]
        assert told[0] == told[1]
        if form == "mp4":
            assert here.read_bytes() == there.read_bytes()


def test_what_only_the_node_can_do_is_refused_from_afar(both: Both) -> None:
    for text in ("check", "rebuild", "store list"):
        code, _, told = both.there(text)
        assert (code, "on the node itself" in told) == (64, True), told


def test_a_server_that_is_not_there_is_named() -> None:
    code, _, told = run("--server", "http://127.0.0.1:9", "camera", "list")
    assert (code, "http://127.0.0.1:9 does not answer" in told) == (75, True), told


def test_who_signs_in_from_afar_may_what_is_granted_and_it_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    node = Node(tmp_path / "node", api={"access": "on"})

    def here(text: str, typed: str = "") -> Said:
        return run("-c", str(node.config), *text.split(), typed=typed)

    def there(text: str, typed: str = "") -> Said:
        return run("--server", f"http://127.0.0.1:{node.port}", *text.split(), typed=typed)

    def word_of(said: Said) -> str:
        assert said[0] == 0, said
        return str(json.loads(said[1])["word"])

    try:
        node.start()
        word = word_of(here("user add ana --role operator --json"))
        assert here("user redeem", f"{word}\ncorrect horse battery\n")[0] == 0
        code, _, told = there("camera list")
        assert (code, "nobody is known" in told) == (77, True), told
        assert there("login ana", "wrong horse battery\n")[0] == 77
        code, out, told = there("login ana", "correct horse battery\n")
        assert (code, "as ana" in out) == (0, True), (out, told)
        (kept,) = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
        assert kept.stat().st_mode & 0o777 == 0o600
        assert there("camera add gate rtsp://127.0.0.1:9/x")[0] == 0
        code, _, told = there("policy set " + str(node.config))
        assert (code, "ana" in told or "operator" in told) == (77, True), told
        assert there("logout")[0] == 0
        assert (there("camera list")[0], [path for path in kept.parent.iterdir()]) == (77, [])
        service = word_of(here("user add robot --service --role viewer --json"))
        assert service == "None"
        token = tmp_path / "token"
        token.write_text(word_of(here("token add robot --json")))
        assert there(f"--token-file {token} --purpose patrol camera list")[0] == 0
        shown = json.loads(here("audit show --json --since -1h")[1])
        assert here("user grant ana --role auditor")[0] == 0
        assert there("login ana", "correct horse battery\n")[0] == 0
        last = f"--until {shown[0]['entry']['at']}"
        for text in (
            f"audit show {last}", f"audit show {last} --limit 2 --action camera --json",
            f"audit export {last} --format csv", f"audit show {last} --camera none",
        ):  # fmt: skip
            # entries get their places in the log meanwhile, some seconds after they were made
            until(lambda text=text: there(text)[:2] == here(text)[:2], 20, text)  # type: ignore[misc]
    finally:
        node.close()
    found = [
        (one["entry"]["action"], one["entry"]["who"].get("name", ""), one["entry"]["result"])
        for one in shown
    ]
    assert ("user.login", "", "refused") in found, "by somebody who was not ana"
    assert ("user.login", "ana", "allowed") in found
    assert ("camera.add", "ana", "allowed") in found
    assert ("access.refused", "ana", "refused") in found
    assert not {"correct horse battery", "wrong horse battery", word} & set(str(shown).split("'"))
