"""Where the audit log is signed into, and where entries are read that have left the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from recorder.catalog.sql import SqlCatalog
from recorder.clock import new_id
from recorder.config import Settings
from recorder.logbook.left import LeftBundles
from recorder.ports import Clock, ObjectStore

if TYPE_CHECKING:
    from recorder.logbook.press import Press


def left_bundles(
    settings: Settings,
    own: Callable[[], ObjectStore],
    stores: Callable[[], Mapping[str, ObjectStore]],
) -> LeftBundles:
    """Read them where the log lies, then in its second store, then in any other."""

    def likeliest_first() -> Iterator[ObjectStore]:
        yield own()
        second, first, all_stores = settings.audit.store, settings.ship_store, stores()
        for name in sorted(all_stores, key=second.__ne__):
            if name != first:
                yield all_stores[name]

    return LeftBundles(likeliest_first)


def make_press(
    settings: Settings,
    catalog: SqlCatalog,
    clock: Clock,
    own: Callable[[], ObjectStore],
    stores: Callable[[], Mapping[str, ObjectStore]],
    drop: Callable[[Sequence[str]], object],
    admit: Callable[[str], object],
) -> Press:
    """Make what signs the log into the store where it lies; a second one keeps its checkpoint.

    ``admit`` raises where a store is not the one it was: nothing is written in its place.
    """
    from recorder.logbook.press import Own, Press

    def admitted() -> ObjectStore:
        if settings.ship_store:
            admit(settings.ship_store)
        return own()

    def second() -> ObjectStore | None:
        return stores()[settings.audit.store] if settings.audit.store else None

    owner = Own(settings.site, settings.node, settings.audit_key, new_id)
    return Press(catalog, admitted, clock, owner, drop, second)
