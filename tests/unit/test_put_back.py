"""A store that was put back to an older state: what it lost is noticed, and put there again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from recorder.errors import StoreUnavailable
from recorder.janitor.keeping import LOOK, Keeper
from recorder.janitor.keeping_events import EventKeeper
from recorder.janitor.put_back import Look, look_of, note_look
from recorder.janitor.sought import Seeker
from recorder.model.holds import Hold
from recorder.model.media import ObjectInfo
from recorder.model.timebase import DAY, MINUTE, SECOND, TimeRange
from recorder.store.kept import EVENTS, read_kept
from recorder.store.memory import MemoryStore
from tests.support.make import T0
from tests.unit.test_keeping import Box, box
from tests.unit.test_keeping_events import alarm

__all__ = ["box"]

HOLD = Hold("h1", ("cam07",), TimeRange(T0, T0 + SECOND), "case 7", "theft", "ann", T0)


class Keeping:
    """Both keepers of a node, and the store that they write into."""

    def __init__(self, box: Box) -> None:
        self.catalog, self.store = box.catalog, box.stores["main"]
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin as a new process."""
        self._keeper, self._events = (
            Keeper(self.catalog, "north"),
            EventKeeper(self.catalog, "north"),
        )

    def keep(self, at: int) -> None:
        self._keeper.keep([self.store], at)
        self._events.keep(self.store, at)

    def events(self) -> int:
        return len(list(self.store.list(EVENTS)))

    def holds(self) -> object:
        kept = read_kept(self.store, "north")
        return [] if kept is None else kept.content["holds"]


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("emptied", [True, False])
def test_a_store_that_was_put_back_gets_documents_and_events_again_that_came_after(
    box: Box, runs: bool, emptied: bool
) -> None:
    keeping = Keeping(box)
    keeping.catalog.events.add(alarm(1), None)
    keeping.keep(T0)
    before = {} if emptied else dict(keeping.store._objects)
    keeping.catalog.events.add(alarm(2), None)
    keeping.catalog.holds.add(HOLD)
    keeping.keep(T0 + MINUTE)
    assert (keeping.events(), keeping.holds() != []) == (2, True)
    keeping.store._objects = before
    if not runs:
        keeping.begin_anew()
    keeping.keep(T0 + MINUTE + LOOK)
    assert keeping.holds() != []
    found = {line for one in keeping.store.list(EVENTS) for line in _ids(keeping.store, one)}
    assert found == {"e1", "e2"}
    assert look_of(keeping.catalog.progress, "main") == Look(0 if emptied else T0)
    keeping.keep(T0 + MINUTE + 3 * LOOK)
    assert keeping.events() == (1 if emptied else 2), "what is there is not written again"


def _ids(store: MemoryStore, info: ObjectInfo) -> Sequence[str]:
    body = b"".join(store.read(info.key, 0, info.size)).decode()
    return [name for name in ("e1", "e2") if f'"{name}"' in body]


def test_a_store_that_shows_what_was_written_there_last_is_not_looked_through(box: Box) -> None:
    keeping = Keeping(box)
    for minutes in range(0, 200, 7):
        keeping.keep(T0 + minutes * MINUTE)
    keeping.begin_anew()
    keeping.keep(T0 + 201 * MINUTE)
    assert look_of(keeping.catalog.progress, "main") is None


def test_a_rebuild_takes_a_store_as_it_is(box: Box) -> None:
    keeping = Keeping(box)
    keeping.keep(T0)
    before = dict(keeping.store._objects)
    keeping.catalog.holds.add(HOLD)
    keeping.keep(T0 + MINUTE)
    keeping.store._objects = before
    Keeper(box.catalog, "north").settle(keeping.store, T0 + MINUTE)
    keeping.keep(T0 + MINUTE + LOOK)
    assert look_of(keeping.catalog.progress, "main") is None


def test_footage_that_a_store_lost_as_it_was_put_back_is_put_there_again(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, catalog = box.stores["main"], box.catalog
    old, lost, gone = box.segments
    copies = {one.segment: one for one in catalog.planning.copies_at("main", None, 9)}
    catalog.integrity.mark_verified([copies[lost], copies[gone]], T0 + 2 * DAY)
    main.delete([old.key, lost.key, gone.key])
    box.stores["other"].delete([gone.key])
    note_look(catalog.progress, "main", Look(T0 + 2 * DAY), T0)
    seeker = Seeker(box.scrubber)
    seeker.run(main, float("inf"))
    assert main.head(lost.key) is not None, "of the copy that another store has"
    assert catalog.integrity.damaged("main") == 1, "what nobody has is suspected at once"
    assert main.head(old.key) is None, "proven long before: not asked for"
    assert look_of(catalog.progress, "main") is None
    asked: list[str] = []
    monkeypatch.setattr(main, "head", asked.append)
    seeker.run(main, float("inf"))
    assert asked == []


def test_a_look_that_breaks_off_is_gone_on_with(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    main, asked, answers = box.stores["main"], list[str](), 2
    note_look(box.catalog.progress, "main", Look(0), T0)
    monkeypatch.setattr("recorder.janitor.sought.PAGE", 2)
    head = main.head

    def away(key: str) -> ObjectInfo | None:
        if len(asked) == answers:
            raise StoreUnavailable("store main")
        asked.append(key)
        return head(key)

    monkeypatch.setattr(main, "head", away)
    seeker = Seeker(box.scrubber)
    with pytest.raises(StoreUnavailable):
        seeker.run(main, float("inf"))
    answers = 9
    seeker.run(main, float("inf"))
    assert asked == [one.key for one in box.segments]
