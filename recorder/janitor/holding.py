"""What a hold keeps: how much footage there is in it, and what was gone before."""

from __future__ import annotations

from typing import Protocol

from policies.law import Law
from recorder.errors import NotAllowed, NotFound, StateError
from recorder.janitor.lawful import beyond_law
from recorder.model.causes import Cause
from recorder.model.holds import Hold, differences, show_hold
from recorder.model.places import PARENT
from recorder.model.timebase import SECOND, Instant
from recorder.ports import Cameras, Footage, Holds, ObjectLocks, Progress, Sites

FROM_ABOVE = "holds from above"
"""What the names of holds that the parent told are kept under, among how far long jobs are."""


HOLDS_LISTED = "`recorder hold list`, or GET /api/v1/holds, shows those there are"


class HoldCatalog(Protocol):
    """The parts of the catalog that tell how a hold fares."""

    footage: Footage
    holds: Holds
    object_locks: ObjectLocks
    sites: Sites
    cameras: Cameras


def show_with_footage(
    catalog: HoldCatalog, hold: Hold, now: Instant, law: Law | None = None
) -> dict[str, object]:
    """Write a hold with the footage it keeps, by stream; ``law``: which it may keep it beyond.

    ``protection`` is ``store`` when every stored copy has a legal hold in its store,
    ``emulated`` when none has (our janitor keeps it; a stranger with the store's keys is not
    stopped), ``partly`` between the two.
    """
    locks = catalog.object_locks.locks_of(hold)
    copies, locked = (sum(one[i] for one in locks.values()) for i in (0, 1))
    protection = "emulated" if not locked else "store" if locked == copies else "partly"
    below = {
        name: {
            "state": "held" if any(one["segments"] for one in said["streams"]) else "nothing",
            **said,
        }
        for name, said in catalog.holds.deliveries([hold.hold_id]).get(hold.hold_id, {}).items()
    }
    for beat in catalog.sites.all():
        if beat.name != PARENT and beat.name not in below and hold.live(now):
            below[beat.name] = {"state": "pending"}
    notes = list(beyond_law(law, catalog.cameras.groups(), [hold])) if law and law.limits else []
    return {
        **show_hold(hold, now, catalog.cameras.labels()),
        "protection": protection,
        "stores": {name: {"copies": n, "locked": m} for name, (n, m) in locks.items()},
        **footage_in(catalog.footage, hold),
        "sites": below,
        "notes": notes,
    }


def place(holds: Holds, asked: Hold) -> tuple[Hold, bool]:
    """Place a hold, if there is none of its id; return what holds, and whether it is new.

    Raises: ``StateError`` when there is one of its id that holds something else: whoever asked
    would take its footage for held.
    """
    known = holds.get(asked.hold_id)
    held = known or holds.add(asked)  # somebody may have been quicker
    said = differences(asked, held)
    if said:
        raise StateError(
            f"hold {asked.hold_id} is another one: {'; '.join(said)}",
            hint="give this one an id of its own, or none; a hold is never changed, only released",
        )
    return held, known is None


class ReleaseCatalog(Protocol):
    """The parts of the catalog that releasing uses."""

    holds: Holds
    progress: Progress


def release(catalog: ReleaseCatalog, hold_id: str, by: str, now: Instant) -> None:
    """Let a hold go that was placed here.

    Raises: ``NotFound`` when there is no live one of this name; ``NotAllowed`` when it came from
    above: there it would go on being shown as held.
    """
    above = catalog.progress.of(FROM_ABOVE)
    if hold_id in above.get("holds", ()):
        where = above.get("site", "the parent")
        raise NotAllowed(
            f"hold {hold_id}: was placed above this site, at {where} or over it",
            hint="release it there; this site hears of it within seconds",
        )
    if not catalog.holds.release(hold_id, by, now):
        raise NotFound(
            f"no live hold {hold_id!r}",
            hint=HOLDS_LISTED,
        )


def footage_in(footage: Footage, hold: Hold, site: str | None = None) -> dict[str, object]:
    """Say how much footage a hold keeps, by stream; of one site's own cameras, or all."""
    streams = []
    for stream in footage.streams():
        if not hold.names(stream.camera_id) or site not in (None, stream.site):
            continue
        segments, size_bytes = footage.amount(stream, hold.range)
        gone = sum(
            part.duration_ns
            for gap in footage.gaps(stream, hold.range)
            if gap.cause == Cause.PURGED and (part := gap.range.clamp(hold.range)) is not None
        )
        streams.append(
            {
                "stream": str(stream),
                "segments": segments,
                "bytes": size_bytes,
                "purged_before_seconds": round(gone / SECOND, 3),
            }
        )
    return {"streams": streams}
