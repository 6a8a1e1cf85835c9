"""An object that a store lists and does not give is neither there nor gone: nobody knows."""

from __future__ import annotations

from collections.abc import Iterator

from recorder.catalog.sql import SqlCatalog
from recorder.errors import CopyMissing
from recorder.janitor.rebuild import rebuild
from recorder.model.media import ObjectInfo
from tests.unit.test_rebuild import NOW, FlakyStore, catalog, filled, known

__all__ = ["catalog"]


class Forgetful(FlakyStore):
    """A store that says of some objects that there are none, and lists them."""

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        if key in self.withheld:
            raise CopyMissing(f"read {key}: no such object")
        return super().read(key, offset, length)

    def head(self, key: str) -> ObjectInfo | None:
        return None if key in self.withheld else super().head(key)


def test_what_is_listed_and_not_given_is_left_out_of_a_rebuild_and_stays_known(
    catalog: SqlCatalog,
) -> None:
    store, held = filled("main")
    rebuild(catalog, store, "north", NOW)
    store.__class__ = Forgetful
    store.withheld = frozenset({held[1].key})
    done = rebuild(catalog, store, "north", NOW + 1)
    assert ([key for key, _ in done.unreadable], done.gone) == ([held[1].key], 0)
    assert known(catalog) == held
    store.delete([held[1].key])
    assert rebuild(catalog, store, "north", NOW + 2).gone == 1, "it is not listed any more"
