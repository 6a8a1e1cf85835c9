"""What a hold keeps: how much footage there is in it, and what was gone before."""

from __future__ import annotations

from typing import Any, Protocol

from recorder.model.holds import Hold, show_hold
from recorder.model.places import PARENT
from recorder.model.timebase import SECOND, Instant
from recorder.ports import Footage, Holds, ObjectLocks, Sites


class HoldCatalog(Protocol):
    """The parts of the catalog that tell how a hold fares."""

    footage: Footage
    holds: Holds
    object_locks: ObjectLocks
    sites: Sites


def show_with_footage(catalog: HoldCatalog, hold: Hold, now: Instant) -> dict[str, Any]:
    """Write a hold with the footage it keeps, by stream.

    ``protection`` is ``store`` when every stored copy has a legal hold in its store,
    ``emulated`` when none has (our janitor keeps it; a stranger with the store's keys is not
    stopped), ``partly`` between the two.
    """
    locks = catalog.object_locks.locks_of(hold)
    copies, locked = (sum(one[i] for one in locks.values()) for i in (0, 1))
    protection = "emulated" if not locked else "store" if locked == copies else "partly"
    below = {
        name: {"state": "held" if any(one["segments"] for one in said["streams"]) else "nothing",
               **said}
        for name, said in catalog.holds.deliveries(hold.hold_id).items()
    }  # fmt: skip
    for beat in catalog.sites.all():
        if beat.name != PARENT and beat.name not in below and hold.live(now):
            below[beat.name] = {"state": "pending"}
    return {
        **show_hold(hold, now), "protection": protection,
        "stores": {name: {"copies": n, "locked": m} for name, (n, m) in locks.items()},
        **footage_in(catalog.footage, hold),
        "sites": below,
    }  # fmt: skip


def footage_in(footage: Footage, hold: Hold, site: str | None = None) -> dict[str, Any]:
    """Say how much footage a hold keeps, by stream; of one site's own cameras, or all."""
    streams = []
    for stream in footage.streams():
        if stream.camera not in hold.cameras or site not in (None, stream.site):
            continue
        segments = footage.segments(stream, hold.range)
        gone = sum(
            part.duration_ns
            for gap in footage.gaps(stream, hold.range)
            if gap.cause == "purged" and (part := gap.range.clamp(hold.range)) is not None
        )
        streams.append({
            "stream": str(stream), "segments": len(segments),
            "bytes": sum(segment.size_bytes for segment in segments),
            "purged_before_seconds": round(gone / SECOND, 3),
        })  # fmt: skip
    return {"streams": streams}
