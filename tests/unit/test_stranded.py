"""What lies in the spool as stored, and is in no store any more, is stored again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings
from recorder.flow import keeper_of
from recorder.model.media import Copy
from recorder.model.places import spool_of
from recorder.spool.lost import HEAR_S
from recorder.spool.stranded import store_again
from tests.support.clock import FakeClock
from tests.support.make import T0, segment

SPOOL = spool_of("n1")
STORED, STRANDED, UNKNOWN = (segment(60 * one) for one in range(3))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """Three files lie in its spool as stored: one is, one is in no store, one is in no catalog."""
    one = App(Settings(site="north", node="n1", data=tmp_path))
    for each in (STORED, STRANDED, UNKNOWN):
        path = one.spool.root / "cache" / each.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    for each in (STORED, STRANDED):
        for place in (SPOOL, "main", "post1/main"):
            one.catalog.commits.add_segment(each, place, "", T0)
    one.catalog.commits.forget([Copy(STRANDED, "main")], "lost")
    yield one
    one.close()


def lying_in(app: App, folder: str) -> set[str]:
    return {key for key, _ in app.spool.keys(folder)}


def test_what_is_in_no_store_is_given_to_the_sender_again(app: App) -> None:
    for found in (1, 0):
        assert store_again(app.catalog.footage, app.spool, SPOOL, "north") == found
    assert lying_in(app, "sealed") == {STRANDED.key}
    assert lying_in(app, "cache") == {STORED.key, UNKNOWN.key}
    assert app.spool.usage()["sealed"] == 1000


def test_the_last_copy_is_not_what_makes_room(app: App) -> None:
    copies = app.catalog.footage.copies([STRANDED])[STRANDED.key]
    app.catalog.commits.forget([one for one in copies if one.place == "post1/main"], "lost")
    keeper = keeper_of(app, None, lambda: 0.0)
    assert {one.item.key for one in keeper._make_room(10**9)} == {STORED.key, UNKNOWN.key}


@pytest.mark.parametrize("words", [("check", "--lose-missing"), ("rebuild", "--yes")])
def test_a_node_looks_when_another_command_says_that_copies_were_lost(
    app: App, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Not in the hour in which it looks anyway; its own count of the spool is put right with it."""
    app.clock = clock = FakeClock(T0)  # type: ignore[assignment]
    shipping = SimpleNamespace(waiting=0, sending=frozenset())
    keeper = keeper_of(app, shipping, lambda: 0.0)  # type: ignore[arg-type]
    keeper.keep()
    app.admit("main")
    config = tmp_path / "other.yaml"
    other = {"site": "north", "node": "n2", "data": str(tmp_path / "other")}
    stores = [{"name": "main", "kind": "directory", "path": str(tmp_path / "store")}]
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    config.write_text(json.dumps({**other, "catalog": url, "stores": stores}))
    done = CliRunner().invoke(recorder, ["--config", str(config), *words])
    assert done.exit_code in (0, 65), done.output
    clock.sleep(HEAR_S - 1)
    keeper.keep()
    assert lying_in(app, "sealed") == set()
    clock.sleep(1)
    keeper.keep()
    assert lying_in(app, "sealed") == {STORED.key, STRANDED.key}
    looked = keeper._recounted_s
    clock.sleep(HEAR_S)
    keeper.keep()
    assert keeper._recounted_s == looked, "once for each time that it is told"
