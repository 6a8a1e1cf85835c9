"""What the commands do with a catalog that is lost, damaged, or not of the stores it is given."""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings, StorePart
from recorder.doctor import examine
from recorder.errors import CatalogDamaged, StateError, StoreRefused, StoreUnavailable
from recorder.janitor import keeping
from recorder.jobs import retention
from recorder.model.events import parse_event
from recorder.model.holds import Hold
from recorder.model.media import Segment
from recorder.model.timebase import DAY, TimeRange
from recorder.store.identity import IDENTITY_KEY
from recorder.store.kept import read_kept
from recorder.store.memory import MemoryStore
from tests.support.make import STREAM, T0, stored

ALL = TimeRange(T0 - DAY, T0 + DAY)
HOLD = Hold("h1", ("cam07",), TimeRange(T0, T0 + DAY), "case 7", "theft", "ann", T0)
KEEP_NOTHING = {"rules": [{"name": "all", "keep": {"any": "1h"}}]}


class Box:
    """A node's folder, with a store ``main`` and a store ``second``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "recorder.yaml"
        self.data = folder / "data"
        stores = [
            {"name": name, "kind": "directory", "path": str(folder / name)}
            for name in ("main", "second")
        ]
        values = {"site": "north", "node": "n1", "data": str(self.data), "stores": stores}
        self.config.write_text(json.dumps(values))
        self.held = [self.record("main", 0), self.record("main", 4)]
        self.record("second", 0)

    def record(self, store: str, start: int) -> Segment:
        """Put a segment into a store, as shipping does."""
        app = self.app()
        app.admit(store)
        one, body = stored(start, counter=start // 4)
        etag = app.stores[store].put(one.key, body, "video/mp4", {})
        app.catalog.commits.add_segment(one, store, etag, T0)
        app.close()
        return one

    def app(self) -> App:
        stores = tuple(
            StorePart(name=name, kind="directory", path=self.folder / name)
            for name in ("main", "second")
        )
        return App(Settings(site="north", node="n1", data=self.data, stores=stores))

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(recorder, ["--config", str(self.config), *words])

    def known(self) -> dict[str, list[str]]:
        """Return the places of each segment that the catalog knows, by key."""
        app = self.app()
        found = app.catalog.footage.segments(STREAM, ALL)
        copies = app.catalog.footage.copies(found)
        app.close()
        return {one.key: sorted(copy.place for copy in copies[one.key]) for one in found}

    def lose_catalog(self) -> None:
        for path in self.data.glob("catalog.db*"):
            path.unlink()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


# -- rebuild -----------------------------------------------------------------------------


def test_a_store_that_is_another_costs_no_row(box: Box) -> None:
    before = box.known()
    (box.folder / "main").rename(box.folder / "away")
    assert isinstance(box.run("rebuild").exception, StoreUnavailable)
    assert box.known() == before
    (box.folder / "main").mkdir()
    assert isinstance(box.run("rebuild").exception, StoreRefused)
    assert box.known() == before


def test_a_store_with_our_identity_and_no_footage_must_be_believed_aloud(box: Box) -> None:
    before = box.known()
    (box.folder / "main" / IDENTITY_KEY).rename(box.folder / "kept")
    (box.folder / "main").rename(box.folder / "away")
    (box.folder / "main").mkdir()
    (box.folder / "kept").rename(box.folder / "main" / IDENTITY_KEY)
    refused = box.run("rebuild", "--store", "main")
    assert isinstance(refused.exception, StateError)
    assert "--yes" in refused.exception.hint
    assert box.known() == before
    assert box.run("rebuild", "--store", "main", "--yes").exit_code == 0
    assert box.known() == {box.held[0].key: ["second"]}


def test_one_store_named_leaves_the_other_stores_copies(box: Box) -> None:
    before = box.known()
    assert box.run("rebuild", "--store", "main").exit_code == 0
    assert box.known() == before
    box.lose_catalog()
    assert box.run("rebuild").exit_code == 0
    assert box.known() == before


def test_what_is_nowhere_is_a_gap_again_and_counted(box: Box) -> None:
    box.record("main", 12)
    box.lose_catalog()
    alone = box.run("rebuild", "--store", "main", "--json")
    assert json.loads(alone.stdout)["holes"] is None, "the other store may have it"
    assert "gaps: 1 hole between" in box.run("rebuild").output
    app = box.app()
    assert [one.cause for one in app.catalog.footage.gaps(STREAM, ALL)] == ["lost"]
    app.close()
    assert json.loads(box.run("rebuild", "--json").stdout)["holes"] == 0


def test_a_rebuild_that_died_is_told_of_until_one_ends(box: Box) -> None:
    app = box.app()
    app.catalog.progress.put("rebuild main", {"begun": T0, "finished": None}, T0)
    told = [one for one in examine(app) if one.subject == "rebuild"]
    assert [one.level for one in told] == ["bad"]
    assert "main" in told[0].detail
    app.close()
    assert box.run("rebuild").exit_code == 0
    app = box.app()
    assert [one for one in examine(app) if one.subject == "rebuild"] == []
    app.close()


def test_an_object_left_out_is_named_and_told_by_the_exit_code(box: Box) -> None:
    odd = box.folder / "main" / "cam" / "2026-01-05" / "14" / "03-07Z.0.mp4"
    odd.parent.mkdir(parents=True)
    odd.write_bytes(b"no media")
    done = box.run("rebuild")
    assert done.exit_code == 65
    assert "cam/2026-01-05/14/03-07Z.0.mp4" in done.output


# -- what only the catalog knows -----------------------------------------------------------


def keep(box: Box) -> None:
    app = box.app()
    app.catalog.holds.add(HOLD)
    app.catalog.documents.put("policy", KEEP_NOTHING, "ann", T0)
    app.catalog.owed_events.begin("store of before")
    app.catalog.progress.put("owed store of before", {"asked": T0 - 31 * DAY}, T0)
    retention.keep_documents(app)
    assert "store of before" not in app.catalog.owed_events.targets()
    app.close()


def test_a_hold_lies_in_the_stores_soon_after_it_was_placed_and_what_did_not_change_is_not_written(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(box)
    app = box.app()
    written = read_kept(app.stores["main"], "north")
    retention.keep_changed(app)
    assert read_kept(app.stores["main"], "north") == written
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "KeptDocuments", None)
        assert not app.upkeep.keeper.changed(), "nobody wrote, nothing is compared"
    app.catalog.holds.add(replace(HOLD, hold_id="h9"))
    retention.keep_changed(app)
    app.close()
    box.lose_catalog()
    assert "took back 2 holds," in box.run("rebuild").output


@pytest.mark.parametrize("carry", ["sweep", "apply"])
def test_nothing_is_deleted_in_a_store_that_does_not_say_whether_the_catalog_is_older(
    carry: str, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(box)
    box.lose_catalog()
    app = box.app()
    app.catalog.documents.put("policy", KEEP_NOTHING, "ben", T0)

    def silent(store: MemoryStore, site: str) -> None:
        raise StoreUnavailable(f"{store.name}: SlowDown")

    monkeypatch.setattr(keeping, "read_kept", silent)
    monkeypatch.setattr(app.upkeep.janitor, "carry_out", lambda *_, **__: pytest.fail("it went on"))
    if carry == "sweep":
        assert retention.sweep(app) == {}
    else:
        done = retention.apply_policy(app, stopped_too=True)
        assert all("SlowDown" in one["left_out"] for one in done.values())
    app.close()


def test_a_catalog_that_was_lost_deletes_nothing_before_its_holds_are_back(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    keep(box)
    box.lose_catalog()
    app = box.app()
    app.catalog.documents.put("policy", KEEP_NOTHING, "ben", T0)
    assert retention.sweep(app) == {}
    assert "older than store" in caplog.records[-1].__dict__["why"]
    done = retention.apply_policy(app, stopped_too=True)
    assert all("older than store" in one["stopped"] for one in done.values())
    retention.keep_documents(app)
    assert any("older than store" in one.detail for one in examine(app))
    app.close()
    assert "L4  catalog: the catalog is older than store" in box.run("check").output
    assert "--yes does not change that" in box.run("policy", "apply", "--yes").output
    done_ = box.run("rebuild")
    assert done_.exit_code == 0
    assert "took back 1 hold," in done_.output
    app = box.app()
    assert app.catalog.holds.all() == [HOLD]
    assert app.upkeep.keeper.behind(app.planned_stores.values()) == ""
    assert not any("older than store" in one.detail for one in examine(app))
    app.close()


def test_documents_are_left_alone_where_that_is_asked(box: Box) -> None:
    keep(box)
    box.lose_catalog()
    assert box.run("rebuild", "--no-documents").exit_code == 0
    app = box.app()
    assert app.catalog.holds.all() == []
    assert app.upkeep.keeper.behind(app.planned_stores.values()) == ""
    app.close()


# -- a damaged file ------------------------------------------------------------------------


def damage(box: Box) -> None:
    """Overwrite the middle of the catalog's file, which keeps its head and opens."""
    app = box.app()
    for number in range(200):
        app.catalog.documents.put("note", {"text": f"{number}" * 500}, "ann", T0)
    app.close()
    with sqlite3.connect(box.data / "catalog.db") as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    path = box.data / "catalog.db"
    body = bytearray(path.read_bytes())
    middle = len(body) // 2 // 4096 * 4096
    body[middle : middle + 24_000] = random.Random(7).randbytes(24_000)
    path.write_bytes(body)


def test_a_damaged_catalog_is_said_by_check_and_doctor_with_a_way_out(box: Box) -> None:
    damage(box)
    for word in ("check", "doctor"):
        done = box.run(word)
        said = done.output + str(done.exception) + getattr(done.exception, "hint", "")
        assert "is damaged" in said, word
        assert "recorder restore" in said, word
        assert done.exit_code != 0
    assert isinstance(box.run("check").exception, CatalogDamaged)


def test_a_damaged_catalog_deletes_nothing(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    damage(box)
    app = box.app()
    retention.prove_catalog(app)
    assert "is damaged" in caplog.records[-1].__dict__["why"]
    assert retention.sweep(app) == {}
    assert "is damaged" in caplog.records[-1].__dict__["why"]
    app.close()


def test_a_whole_catalog_is_proven(box: Box) -> None:
    app = box.app()
    retention.prove_catalog(app)
    assert app.damage == ""
    app.close()


def test_an_alarm_outlives_the_catalog(box: Box) -> None:
    app = box.app()
    alarm = parse_event({"camera": "cam07", "kind": "alarm"}, None, "e1", "north", T0)
    app.catalog.events.add(alarm, None)
    retention.keep_documents(app)
    windows = app.catalog.events.windows(ALL)
    app.close()
    box.lose_catalog()
    done = box.run("rebuild")
    assert (done.exit_code, "events: took back 1" in done.output) == (0, True)
    app = box.app()
    assert app.catalog.events.windows(ALL) == windows != []
    app.close()
