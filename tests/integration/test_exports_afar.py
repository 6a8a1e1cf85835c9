"""An officer elsewhere asks a real recorder for a bundle, and has it whole; nobody else has it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from recorder.cli import recorder
from recorder.errors import RecorderError
from tests.support.nodes import Node
from tests.support.ports import until

Said = tuple[int, str, str]
ROLES = {"ana": "--role officer --camera gate", "bob": "--role officer --camera yard",
         "vic": "--role viewer"}  # fmt: skip


def run(*words: str) -> Said:
    """Run a command line in this process: exit code, standard output, standard error."""
    done = CliRunner().invoke(recorder, words)
    error = done.exception
    if isinstance(error, RecorderError):
        return error.exit_code, done.stdout, f"{done.stderr}{error}; {error.hint}"
    assert error is None or isinstance(error, SystemExit), (words, error)
    return done.exit_code, done.stdout, done.stderr


class Site:
    """A node that asks everybody who he is, two cameras, and three services with tokens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = Node(folder / "node", api={"access": "on"}).start()
        for name in ("gate", "yard"):
            self.here(f"camera add {name} lavfi:testsrc2=rate=10:size=320x180")
        for name, grants in ROLES.items():
            self.here(f"user add {name} --service {grants}")
            word = json.loads(self.here(f"token add {name} --json"))["word"]
            (folder / name).write_text(word)

    def here(self, text: str) -> str:
        code, out, told = run("-c", str(self.node.config), *text.split())
        assert code == 0, (text, out, told)
        return out

    def there(self, who: str, text: str) -> Said:
        server = f"http://127.0.0.1:{self.node.port}"
        token = str(self.folder / who)
        return run("--server", server, "--token-file", token, *text.split())

    def seconds(self) -> float:
        code, out, _ = self.there("ana", "timeline gate --start -10m --json")
        return float(json.loads(out)["covered_seconds"]) if code == 0 else 0.0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_an_officer_elsewhere_gets_a_bundle_that_is_whole_and_others_do_not(site: Site) -> None:
    folder = site.folder
    try:
        until(lambda: site.seconds() > 4, 60, "four seconds of footage")
        asked = "export create --camera gate --start -4s --end +2s --case 1 --purpose trial"
        code, out, told = site.there("ana", f"{asked} -o {folder}/b.zip")
        assert code == 0, (out, told)
        assert "it waits" in told, "its end was yet to come"
        key = site.there("ana", "export key")[1].split()[0]
        code, out, told = run("verify", str(folder / "b.zip"), "--key", key)
        assert (code, "NOT what" in told) == (0, False), (out, told)
        id_ = re.search(r"bundle ([0-9a-f-]{36})", out) or re.search(
            r"([0-9a-f-]{36})", site.there("ana", "export list")[1]
        )
        assert id_ is not None
        _goes_on_where_it_broke(site, id_[1], key)
        _others_have_nothing(site, id_[1])
        _outlives_a_kill(site)
    finally:
        site.node.close()


def _goes_on_where_it_broke(site: Site, id_: str, key: str) -> None:
    whole = (site.folder / "b.zip").read_bytes()
    (site.folder / "c.zip.part").write_bytes(whole[:5000])
    code, _, told = site.there("ana", f"export get {id_} -o {site.folder}/c.zip")
    assert code == 0, told
    assert (site.folder / "c.zip").read_bytes() == whole
    (site.folder / "d.zip.part").write_bytes(b"x" * 5000)
    code, _, told = site.there("ana", f"export get {id_} -o {site.folder}/d.zip")
    assert (code, "not what was made" in told) == (65, True), told
    assert not list(site.folder.glob("d.zip*"))
    code, _, told = site.there("ana", f"export get {id_} -o {site.folder}/folder")
    assert code == 0, told
    assert run("verify", str(site.folder / "folder"), "--key", key)[0] == 0
    assert site.there("ana", f"export get {id_} -o {site.folder}/c.zip")[0] == 75
    site.here(f"export get {id_} -o {site.folder}/e.zip")
    assert (site.folder / "e.zip").read_bytes() == whole


def _others_have_nothing(site: Site, id_: str) -> None:
    for who, code in (("bob", 66), ("vic", 77)):
        for text in (f"export show {id_}", f"export get {id_} -o {site.folder}/{who}.zip",
                     f"export remove {id_}"):  # fmt: skip
            said = site.there(who, text)
            assert said[0] == code, (who, text, said)
    assert not (site.folder / "bob.zip").exists()
    assert site.there("bob", "export list")[1] == "no exports\n"


def _outlives_a_kill(site: Site) -> None:
    code, out, told = site.there("ana", "export create --camera gate --start -3s --end -1s "
                                 "--case 2 --purpose trial --json")  # fmt: skip
    assert code == 0, told
    id_ = json.loads(out)["id"]
    site.node.kill()
    site.node.start()
    code, _, told = site.there("ana", f"export get {id_} -o {site.folder}/f.zip")
    assert code == 0, told
    assert run("verify", str(site.folder / "f.zip"))[0] == 0
    assert site.there("ana", f"export remove {id_}")[0] == 0
    assert site.there("ana", f"export show {id_}")[0] == 66
    bundles = site.node.folder / "data" / "exports"
    until(lambda: not list(bundles.glob(f"{id_}*")), 20, "its files go")
    held = json.loads(site.here("hold list --json"))
    assert [one for one in held if one["state"] == "live"] == []
    said = site.here("audit show --json --since -10m --limit 1000")
    noted = {one["entry"]["action"] for one in json.loads(said)}
    assert {"export.ask", "export.made", "export.download", "export.remove"} <= noted
