"""Two stores contradict each other about a segment: the one that is what it says counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import StoreUnavailable
from recorder.janitor.intake import Rebuilt
from recorder.janitor.rebuild import Beside, rebuild
from recorder.model.timebase import HOUR, SECOND, TimeRange
from recorder.store.memory import MemoryStore
from tests.support.make import STREAM, T0, stored

NOW = T0 + HOUR
ONE, BODY = stored(0)
FLIPPED = b"\1" + BODY[1:]
"""Its pictures are not what its footer says of them."""
LATER = BODY[:-40] + b"\1" + BODY[-39:]
"""What comes after its footer is other: by itself nobody can tell."""


@pytest.fixture
def catalog() -> Iterator[SqlCatalog]:
    one = SqlCatalog("sqlite://", site=STREAM.site)
    yield one
    one.close()


def holding(**bodies: bytes) -> dict[str, MemoryStore]:
    """Make stores that hold the same key, with these bytes."""
    found = {name: MemoryStore(name) for name in bodies}
    for name, body in bodies.items():
        found[name].put(ONE.key, body, "video/mp4", {})
    return found


def rebuilt(catalog: SqlCatalog, stores: dict[str, MemoryStore]) -> dict[str, Rebuilt]:
    beside = Beside(stores=stores)
    return {
        name: rebuild(catalog, store, "north", NOW + i * SECOND, beside=beside)
        for i, (name, store) in enumerate(stores.items())
    }


def known(catalog: SqlCatalog) -> tuple[str, list[str]]:
    (found,) = catalog.footage.segments(STREAM, TimeRange(T0, NOW))
    return found.digest, [one.place for one in catalog.footage.copies([found])[found.key]]


def test_the_copy_that_is_what_its_footer_says_is_believed_whichever_store_is_read_first(
    catalog: SqlCatalog,
) -> None:
    stores = holding(main=FLIPPED, archive=BODY)
    done = rebuilt(catalog, stores)
    assert known(catalog) == (ONE.digest, ["archive"])
    assert (done["archive"].ours, done["archive"].unreadable) == (1, [])
    ((key, said),) = done["archive"].contradicted
    assert (key, "in main it is not what its own footer says" in said) == (ONE.key, True)
    assert done["main"].doubtful[0][1] == "taken in, though it is not what its own footer says"
    assert [b"".join(one.read(ONE.key, 0, len(BODY))) for one in stores.values()] == [
        FLIPPED, BODY,
    ], "both are kept"  # fmt: skip
    again = rebuilt(catalog, dict(reversed(stores.items())))
    assert known(catalog) == (ONE.digest, ["archive"])
    assert "are not those the catalog knows" in again["main"].unreadable[0][1]


@pytest.mark.parametrize(
    "first", [BODY, LATER, FLIPPED], ids=["whole", "altered-behind-its-footer", "damaged"]
)
def test_what_may_be_right_is_not_given_up_for_another(catalog: SqlCatalog, first: bytes) -> None:
    done = rebuilt(catalog, holding(main=first, archive=LATER if first != LATER else FLIPPED))
    if first == FLIPPED:  # the other is as good as it says; no more can be known
        assert known(catalog)[1] == ["archive"]
    else:
        assert known(catalog)[1] == ["main"]
        assert done["archive"].contradicted == []


def test_what_was_sealed_is_not_given_up_though_its_copy_is_damaged(catalog: SqlCatalog) -> None:
    catalog.commits.add_segments([ONE], "main", T0)
    done = rebuilt(catalog, holding(archive=LATER, main=FLIPPED))
    assert known(catalog) == (ONE.digest, ["main"])
    assert (done["archive"].contradicted, len(done["archive"].unreadable)) == ([], 1)


def test_while_the_other_store_does_not_answer_nothing_is_given_up(
    catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = holding(main=FLIPPED, archive=BODY)
    main = {"main": stores["main"]}
    rebuilt(catalog, main)
    before = known(catalog)

    def away(*_: object) -> Iterator[bytes]:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(stores["main"], "read", away)
        done = rebuild(catalog, stores["archive"], "north", NOW, beside=Beside(stores=stores))
    assert (known(catalog), len(done.unreadable)) == (before, 1)
    rebuilt(catalog, stores)
    assert known(catalog) == (ONE.digest, ["archive"])


def test_of_two_that_are_not_what_they_say_and_of_one_that_changed_the_known_one_stays(
    catalog: SqlCatalog,
) -> None:
    done = rebuilt(catalog, holding(main=FLIPPED, archive=b"\2" + BODY[1:]))
    assert (known(catalog)[1], done["archive"].contradicted) == (["main"], [])
    other = SqlCatalog("sqlite://", site=STREAM.site)
    rebuilt(other, holding(main=BODY))
    done = rebuilt(other, holding(main=LATER))
    assert (known(other), done["main"].contradicted) == ((ONE.digest, ["main"]), [])
    other.close()
