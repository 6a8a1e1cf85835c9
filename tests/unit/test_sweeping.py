"""A sweep does in each store what it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.config import Settings, StorePart
from recorder.janitor.adopted import adopted_at
from recorder.jobs import retention
from recorder.model.events import parse_event
from recorder.model.timebase import MINUTE, format_instant
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
    document = {"rules": [rule], "stores": {"main": {}, "archive": {}}, "blast_radius": "100%"}
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
