"""What a store does not give of one object keeps no other waiting; a store that refuses is away."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import recorder
from recorder.errors import StoreRefused, StoreUnavailable
from recorder.janitor.check import Tally, check_store
from recorder.janitor.keeping_events import EventKeeper
from recorder.janitor.protect import REFUSED_AGAIN, Protector
from recorder.janitor.put_back import Look, note_look
from recorder.janitor.rebuild import drop_gone
from recorder.janitor.sought import Seeker
from recorder.jobs import retention
from recorder.model.events import parse_event
from recorder.model.holds import Hold
from recorder.model.timebase import DAY, MINUTE, TimeRange
from recorder.spool.keeper import Keeper, Limits
from recorder.store.identity import IDENTITY_KEY
from recorder.store.kept import KeptDocuments, read_kept, write_kept
from recorder.store.owners import PREFIX, read_owners
from recorder.store.verify import is_there
from tests.support.make import STREAM, T0
from tests.unit import test_leaning, test_moving
from tests.unit.test_begun import breaks_off
from tests.unit.test_janitor import Box as Janitor
from tests.unit.test_keeping import Box, LockingStore
from tests.unit.test_scratch import Node

SAID = [StoreRefused("get: AccessDenied"), StoreUnavailable("get: InvalidObjectState")]
"""The key of its encryption is gone, its bucket has a rule of its own; it lies in an archive."""
ALL = {IDENTITY_KEY: b'{"store": "s"}'}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    one = Box(tmp_path)
    for store in one.stores.values():
        store.put(IDENTITY_KEY, ALL[IDENTITY_KEY], "", {})
    yield one
    one.view.close()
    one.catalog.close()


class Refusing:
    """Has a store refuse what is asked of some objects, or of all."""

    def __init__(self, patch: pytest.MonkeyPatch, store: Any, said: Exception) -> None:
        self.keys: set[str] = set()
        self.all = False
        self._said = said
        for name in ("head", "read", "put", "protect"):
            patch.setattr(store, name, self._wrapped(getattr(store, name)))

    def _wrapped(self, right: Callable[..., Any]) -> Callable[..., Any]:
        def ask(key: str, *more: Any) -> Any:
            if key in self.keys or self.all:
                raise self._said
            return right(key, *more)

        return ask


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_one_object_that_is_not_given_is_told_from_a_store_that_is_away(
    box: Box, monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    main, (one, two, _) = box.stores["main"], box.segments
    refusing = Refusing(monkeypatch, main, said)
    refusing.keys = {one.key}
    assert [is_there(main, key) for key in (one.key, two.key, "none")] == [None, True, False]
    refusing.all = True
    with pytest.raises(type(said)):
        is_there(main, two.key)


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
@pytest.mark.parametrize("alone", [False, True], ids=["another has it", "nobody has it"])
def test_a_pass_over_a_store_goes_on_behind_an_object_that_it_does_not_give(
    box: Box, monkeypatch: pytest.MonkeyPatch, said: Exception, alone: bool
) -> None:
    main, (one, *_) = box.stores["main"], box.segments
    refusing = Refusing(monkeypatch, main, said)
    refusing.keys = {one.key}
    if alone:
        box.stores["other"].delete([one.key])
    done = box.scrubber.run(main, MINUTE, float("inf"))
    assert (done.checked, done.damaged, done.finished > 0) == (3, 1, True)
    (entry, *_) = (one for one in box.catalog.audit.newest(9) if one.action == "damaged")
    assert entry.reason.startswith(f"cannot be read: {said}")
    found = list(check_store(box.catalog.planning, main, "digest", 0, T0, Tally()))
    assert [(one.subject, one.detail) for one in found] == [(one.key, f"cannot be read: {said}")]
    box.clock.sleep(7 * 3600)
    box.scrubber.run(main, MINUTE, float("inf"))
    refusing.keys = set()
    box.clock.sleep(2 * 86_400)
    box.scrubber.run(main, MINUTE, float("inf"))
    assert box.catalog.integrity.damaged("main") == 0, "believed again once it is given"


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_what_one_store_refuses_is_mended_and_read_from_another(
    box: Box, monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    main, (one, *_) = box.stores["main"], box.segments
    Refusing(monkeypatch, main, said).all = True
    assert b"".join(box.view.read(one, 0, 5000)) == bytes(5000)
    assert not box.view.copies.gives(one, "main")
    fetched = box.scrubber.fetch(one, "nowhere")
    assert fetched is not None
    assert fetched.stat().st_size == 5000


def test_where_all_refuse_it_is_said_what_helps(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for store in box.stores.values():
        Refusing(monkeypatch, store, StoreRefused("AccessDenied", hint="give rights")).all = True
    with pytest.raises(StoreUnavailable, match="AccessDenied") as caught:
        list(box.view.read(box.segments[0], 0, 5000))
    assert caught.value.hint == "give rights"


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_a_look_through_a_store_that_was_put_back_ends_behind_such_an_object(
    box: Box, monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    main, (one, two, _) = box.stores["main"], box.segments
    Refusing(monkeypatch, main, said).keys = {one.key}
    main.delete([two.key])
    note_look(box.catalog.progress, "main", Look(0), T0)
    Seeker(box.scrubber).run(main, float("inf"))
    assert main.head(two.key) is not None
    assert box.catalog.progress.of("put back main") == {}


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_a_rebuild_drops_what_is_gone_and_keeps_what_it_is_not_told_of(
    box: Box, monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    main, (one, two, _) = box.stores["main"], box.segments
    Refusing(monkeypatch, main, said).keys = {one.key}
    main.delete([two.key])
    assert drop_gone(box.catalog, main, T0, sure=True) == 1
    assert [c.segment for c in box.catalog.planning.copies_at("main", None, 9)] == [
        one, box.segments[2],
    ]  # fmt: skip
    monkeypatch.setattr(main, "list", lambda *_: iter(()))
    found = check_store(box.catalog.planning, main, "presence", 0, T0, Tally())
    assert [(f.subject == one.key, f.missing_at) for f in found] == [(True, "")]


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_legal_holds_are_placed_on_what_lies_behind_such_an_object(
    box: Box, monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    main, (one, two, three) = box.stores["main"], box.segments
    refusing = Refusing(monkeypatch, main, said)
    refusing.keys = {one.key}
    range_ = TimeRange(one.start, three.end)
    box.catalog.holds.add(Hold("h", (str(STREAM.camera_id),), range_, "1", "r", "o", T0))
    protector = Protector(box.catalog.holds, box.catalog.object_locks)
    assert protector.run(main, T0) == (2, 0)
    assert main.held == {two.key, three.key}
    refusing.keys = set()
    assert protector.run(main, T0 + MINUTE) == (0, 0), "it rests"
    assert protector.run(main, T0 + REFUSED_AGAIN) == (1, 0)
    box.catalog.holds.release("h", "ben", T0 + DAY)
    refusing.all = True
    with pytest.raises(type(said)):
        protector.run(main, T0 + DAY)


def test_a_store_that_is_away_keeps_the_next_from_placing_no_legal_hold() -> None:
    asked = []

    def run(store: str, *_: Any) -> None:
        asked.append(store)
        if store == "first":
            raise StoreUnavailable("away")

    parts = [SimpleNamespace(name=name, kind="s3", readonly=False) for name in ("first", "second")]
    app: Any = SimpleNamespace(
        settings=SimpleNamespace(all_stores=parts), clock=SimpleNamespace(now=lambda: T0),
        stores={part.name: part.name for part in parts},
        upkeep=SimpleNamespace(protector=SimpleNamespace(run=run)),
    )  # fmt: skip
    with pytest.raises(StoreUnavailable):
        retention.protect_held(app)
    assert asked == ["first", "second"]


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_what_leans_on_an_object_that_is_not_given_stays_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    box = test_moving.Box(tmp_path)
    keys = test_leaning.due(box)
    box.archive.put(IDENTITY_KEY, ALL[IDENTITY_KEY], "", {})
    Refusing(monkeypatch, box.archive, said).keys = {keys[0]}
    assert box.sweep().purged == 4
    assert test_leaning.lying_in(box.main) & set(keys) == {keys[0]}


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_an_object_that_is_not_given_keeps_no_other_from_being_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    box = test_moving.Box(tmp_path)
    box.archive.put(IDENTITY_KEY, ALL[IDENTITY_KEY], "", {})
    refusing = Refusing(monkeypatch, box.archive, said)
    refusing.keys = {box.segments[0].key}
    box.sweep()
    assert box.sweep().moved + box.sweep().moved == 4
    refusing.keys = set()
    assert box.archive.head(box.segments[0].key) is None
    box.clock.sleep(3601)
    box.sweep()
    assert box.archive.head(box.segments[0].key) is not None, "tried again an hour later"


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_what_was_begun_to_be_deleted_and_is_not_given_stops_no_deletion(
    monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    box = Janitor()
    box.store.put(IDENTITY_KEY, ALL[IDENTITY_KEY], "", {})
    breaks_off(box, monkeypatch)
    Refusing(monkeypatch, box.store, said).keys = {box.segments[3].key}
    assert box.sweep("30d").spared == 10


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_a_spool_makes_room_while_its_store_refuses(node: Node, said: Exception) -> None:
    asked = []

    def refuses(key: str) -> bool:
        asked.append(key)
        raise said

    shipping: Any = SimpleNamespace(waiting=0, sending=frozenset(), commit_stored=refuses)
    limits = Limits(2500, 0, "oldest-least-important")
    keeper = Keeper(node.spool, node.catalog, node.clock, limits, "n1", "north", shipping)
    keys = [f"north/cam/main/2026-01-05/n1.1/14/0{i}-00.000000Z.{i}.mp4" for i in range(5)]
    for key in keys:
        node.lie(f"sealed/{key}", 1000, 10**11)
    keeper.keep()
    assert [key for key in keys if (node.spool.root / "sealed" / key).exists()] == keys[3:]
    assert asked == keys[:1], "who refuses one is asked for no other"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    one = Node(tmp_path / "spool")
    yield one
    one.catalog.close()


@pytest.mark.parametrize("said", SAID, ids=["refused", "unavailable"])
def test_documents_events_and_signs_that_are_not_given_keep_no_others_from_being(
    box: Box, monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    main: LockingStore = box.stores["main"]
    for seq in (1, 2):
        write_kept(main, "north", KeptDocuments(seq, T0, {"seq": seq}))
    for site in ("a", "b"):
        main.put(f"{PREFIX}north/{site}.json", b'{"node": "n", "spool": "", "at": 1}', "", {})
    keeper = EventKeeper(box.catalog, "north")
    for name in ("one", "two"):
        event = parse_event({"camera": "cam07", "kind": "a"}, None, name, "north", T0)
        box.catalog.events.add(event, None)
        keeper.keep(main, T0)
    events = [info.key for info in main.list("spanstore.events/")]
    assert len(events) == 2
    slots = [info.key for info in main.list("spanstore.documents/")]
    refusing = Refusing(monkeypatch, main, said)
    refusing.keys = {slots[1], f"{PREFIX}north/a.json", events[0]}
    with pytest.raises(type(said)):  # the other one may be older: nothing goes by that
        read_kept(main, "north")
    assert [(one.catalog, one.at) for one in read_owners(main, "north")] == [("a", None), ("b", 1)]
    back = keeper.take_back([main])
    assert [events[0] in one and str(said) in one for one in back.damaged] == [True]
    refusing.all = True
    for asks in (lambda: read_kept(main, "north"), lambda: keeper.take_back([main])):
        with pytest.raises(type(said)):
            asks()


MAY = {
    ("cli/maintenance.py", "store_list"): "the next line says what a refusal is",
    ("reading/answering.py", "_question"): "who refuses has answered",
    ("ship/sender.py", "commit_stored"): "what a store refuses is told to who asked",
}


def test_whoever_reckons_with_a_store_that_is_away_reckons_with_one_that_refuses() -> None:
    found = set()
    for path in Path(recorder.__file__).parent.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for one in ast.walk(function):
                if isinstance(one, ast.ExceptHandler) and one.type is not None:
                    names = {name.id for name in ast.walk(one.type) if isinstance(name, ast.Name)}
                    if "StoreUnavailable" in names and "StoreRefused" not in names:
                        where = path.relative_to(Path(recorder.__file__).parent).as_posix()
                        found.add((where, function.name))
    assert found == MAY.keys()
