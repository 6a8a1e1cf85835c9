"""A sweep does in each store what it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.config import Settings, StorePart
from recorder.janitor import purge
from recorder.janitor.adopted import adopted_at
from recorder.jobs import retention
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event
from recorder.model.keys import parse_key
from recorder.model.timebase import DAY, MINUTE, format_instant
from recorder.ports import AskedEntries
from tests.support.make import T0, stored


def test_a_store_that_is_away_keeps_no_other_from_being_swept(tmp_path: Path) -> None:
    names = ("first", "second", "third")
    stores = tuple(StorePart(name=n, kind="directory", path=tmp_path / n) for n in names)
    app = App(Settings(site="north", node="n1", data=tmp_path / "data", stores=stores))
    for place, name in enumerate(names):
        app.admit(name)
        one, body = stored(4 * place, counter=place)
        app.stores[name].put(one.key, body, "video/mp4", {})
        app.catalog.commits.add_segment(one, name, "", T0)
    rules = {"rules": [{"name": "all", "keep": {"any": "1m"}}], "blast_radius": "100%"}
    app.catalog.documents.put("policy", rules, "ann", T0)
    (tmp_path / "second").rename(tmp_path / "away")
    assert not app.upkeep.janitor.doubt(vouched=True)
    assert set(retention.sweep(app)) == {"first", "third"}
    marked = {n: len(app.catalog.planning.copies_at(n, None, 9, condemned=True)) for n in names}
    assert marked == {"first": 1, "second": 0, "third": 1}
    app.close()


class Half:
    """A store in which something happens when the first objects have been deleted."""

    def __init__(self, store: Any, happens: Callable[[], object]) -> None:
        self._store, self._happens, self.name = store, happens, store.name

    def delete(self, keys: Sequence[str]) -> object:
        refused = self._store.delete(keys)
        if any(parse_key(key) for key in keys):
            self._happens()
        return refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def condemned_site(tmp_path: Path, names: Sequence[str]) -> App:
    """Make a site of four old segments a store, all of them condemned and due."""
    parts = tuple(StorePart(name=n, kind="directory", path=tmp_path / n) for n in names)
    app = App(Settings(site="north", node="n1", data=tmp_path / "data", stores=parts, grace="0s"))
    for place, name in enumerate(names):
        app.admit(name)
        for number in range(4):
            one, body = stored(60 * place + 4 * number, counter=number)
            app.stores[name].put(one.key, body, "video/mp4", {})
            app.catalog.commits.add_segment(one, name, "", T0)
    set_policy(app, "1m")
    assert not app.upkeep.janitor.doubt(vouched=True)
    return app


def set_policy(app: App, keep: str, *before: dict[str, Any]) -> None:
    rules = [*before, {"name": "all", "keep": {"any": keep}}]
    room = {"any": {"floor": "0%"}}  # the disk of a busy machine may be nearly full
    document = {"rules": rules, "blast_radius": "100%", "stores": room}
    app.catalog.documents.put("policy", document, "ann", T0)


def left(app: App, name: str) -> int:
    return sum(parse_key(info.key) is not None for info in app.stores[name].list())


@pytest.mark.parametrize("by", ["sweep", "apply"])
def test_a_policy_that_is_corrected_while_things_are_deleted_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    app = condemned_site(tmp_path, ["main", "second"])
    half = Half(app.stores["main"], lambda: set_policy(app, "36500d"))
    monkeypatch.setitem(app.stores, "main", half)
    if by == "sweep":
        retention.sweep(app)
    else:
        retention.apply_policy(app, stopped_too=True)
    assert (left(app, "main"), left(app, "second")) == (2, 4)
    retention.sweep(app)
    assert not app.catalog.planning.copies_at("main", None, 9, condemned=True)
    app.close()


def test_a_camera_that_is_put_into_a_group_while_things_are_deleted_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    app = condemned_site(tmp_path, ["main"])

    def group(name: str, group: str) -> None:
        app.catalog.cameras.put(parse_camera(name, {"url": "rtsp://x/y", "group": group}), T0, None)

    group("cam07", "general")
    keys = {"name": "keys", "match": {"group": "key"}, "keep": {"any": "36500d"}}
    set_policy(app, "1m", keys)
    half = Half(app.stores["main"], lambda: group("cam07", "key"))
    monkeypatch.setitem(app.stores, "main", half)
    retention.sweep(app)
    assert left(app, "main") == 2
    retention.sweep(app)
    assert (left(app, "main"), app.catalog.planning.copies_at("main", None, 9, True)) == (2, [])
    app.close()


def test_what_is_deleted_is_deleted_in_the_store_we_know_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    app = condemned_site(tmp_path, ["main"])

    def unmount() -> None:
        (tmp_path / "main").rename(tmp_path / "away")
        (tmp_path / "main").mkdir()

    half = Half(app.stores["main"], unmount)
    monkeypatch.setitem(app.stores, "main", half)
    retention.sweep(app)
    assert len(app.catalog.planning.copies_at("main", None, 9, condemned=True)) == 2
    app.close()


def test_a_sweep_keeps_past_its_age_what_is_to_go_to_a_store_that_is_away(tmp_path: Path) -> None:
    names = ("main", "archive")
    stores = tuple(StorePart(name=n, kind="directory", path=tmp_path / n) for n in names)
    app = App(Settings(site="north", node="n1", data=tmp_path / "data", stores=stores))
    for name in names:
        app.admit(name)
    one, body = stored(0)
    app.stores["main"].put(one.key, body, "video/mp4", {})
    app.catalog.commits.add_segment(one, "main", "", T0)
    keep = {"main": "1h", "archive": "36500d"}
    rule = {"name": "all", "keep": keep, "move": {"after": "1h", "to": "archive"}}
    document = {
        "rules": [rule],
        "stores": {"main": {"floor": "0%"}, "archive": {}},
        "blast_radius": "100%",
    }
    app.catalog.documents.put("policy", document, "ann", T0)
    (tmp_path / "archive").rename(tmp_path / "away")
    assert not app.upkeep.janitor.doubt(vouched=True)
    done = retention.sweep(app)
    assert (len(done["main"].moves), len(done["main"].actions)) == (1, 0)
    app.close()


def test_a_sweep_forgets_events_whose_time_is_over_and_rests_while_the_clock_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = StorePart(name="main", kind="directory", path=tmp_path / "main")
    app = App(Settings(site="north", node="n1", data=tmp_path / "data", stores=(part,)))
    app.admit("main")
    body = {"camera": "gate", "kind": "motion", "id": "m", "at": format_instant(T0, 9)}
    app.catalog.events.add(parse_event(body, None, "x", "north", T0), b"jpeg")
    app.upkeep.event_keeper.keep(app.stores["main"], T0 + MINUTE)
    rules = [{"name": "all", "keep": {"any": "30d"}}]
    app.catalog.documents.put("policy", {"rules": rules, "events": {"any": "7d"}}, "ann", T0)
    janitor = app.upkeep.janitor
    with monkeypatch.context() as patched:
        patched.setattr(type(janitor), "doubt", lambda *_, **__: "the clock leapt")
        retention.sweep(app)
    assert app.catalog.events.get("m") is not None
    assert not janitor.doubt(vouched=True)
    retention.sweep(app)
    assert app.catalog.events.get("m") is None
    (said,) = app.catalog.audit_log.search(AskedEntries(action="event.expire"), 9)
    assert read_entry(said.raw).details["events"] == ["m"]
    app.close()


def test_a_store_that_is_adopted_is_doubted_only_where_it_is_not_the_one_that_was_known(
    tmp_path: Path,
) -> None:
    part = StorePart(name="archive", kind="directory", path=tmp_path / "archive")
    app = App(Settings(site="north", node="n1", data=tmp_path / "data", stores=(part,)))
    app.admit("archive")
    app.admit("archive", adopt=True)
    assert adopted_at(app.catalog.progress, "archive") == -1
    (tmp_path / "archive").rename(tmp_path / "broken")
    (tmp_path / "archive").mkdir()
    app.admit("archive", adopt=True)
    assert adopted_at(app.catalog.progress, "archive") > 0
    app.close()


def test_a_clock_that_leaps_while_stores_are_swept_forgets_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = StorePart(name="main", kind="directory", path=tmp_path / "main")
    app = App(Settings(site="north", node="n1", data=tmp_path / "data", stores=(part,)))
    now = app.clock.now()
    body = {"camera": "gate", "kind": "motion", "id": "m", "at": format_instant(now, 9)}
    app.catalog.events.add(parse_event(body, None, "x", "north", now), None)
    app.admit("main")
    app.upkeep.event_keeper.keep(app.stores["main"], now)
    rules = [{"name": "all", "keep": {"any": "30d"}}]
    document = {"rules": rules, "events": {"any": "7d"}}
    app.catalog.documents.put("policy", document, "ann", now - 2 * DAY)
    assert not app.upkeep.janitor.doubt(vouched=True)

    def leap(*_: object) -> None:
        monkeypatch.setattr(type(app.clock), "now", lambda _: now + 365 * DAY)

    monkeypatch.setattr(retention, "_each_store", leap)
    monkeypatch.setattr(app.upkeep.janitor, "doubt", lambda **_: "")
    retention.sweep(app)
    assert app.catalog.events.get("m") is not None
    app.close()
