"""Where entries of the audit log are read that have left the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from recorder.config import Settings
from recorder.logbook.left import LeftBundles
from recorder.ports import ObjectStore


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
