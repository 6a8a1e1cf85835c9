"""What lies in a store, whose it is, how far back it reaches, and when the store is full."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import TypedDict  # that of 3.11 is not enough for the API's schema

from recorder.errors import NotFound, StoreRefused, StoreUnavailable
from recorder.janitor.advise import forecast_of
from recorder.janitor.apply import PlanCatalog
from recorder.janitor.asked import ask_room
from recorder.janitor.deciding import policy_in_force
from recorder.model.keys import group_of
from recorder.model.timebase import DAY, HOUR, MINUTE, Instant, format_instant, format_known
from recorder.ports import Clock, Measured, ObjectStore, Planning, StreamStored


@dataclass(frozen=True, slots=True)
class StreamUsage:
    """One stream's share of a store, with the group that decides how long it is kept.

    ``label``: what people call its camera.
    """

    group: str
    stored: StreamStored
    label: str = ""


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """One store at an instant; bytes.

    ``free_bytes``, ``total_bytes``: ``None`` where the store does not say, as S3 does not.
    ``full_at``: when it is full if cameras go on as they do and policy deletes what it says;
    ``None`` when that is never, or not known.  ``error``: why the store does not answer, if it
    does not; what lies there is then what the catalog knows.
    """

    store: str
    level: str
    readonly: bool
    free_bytes: int | None
    total_bytes: int | None
    bytes_per_day: int
    full_at: Instant | None
    streams: Sequence[StreamUsage]
    error: str = ""

    @property
    def stored_bytes(self) -> int:
        """Footage that lies there."""
        return sum(one.stored.bytes for one in self.streams)

    @property
    def oldest(self) -> Instant | None:
        """When the oldest footage there begins."""
        return min((one.stored.oldest for one in self.streams), default=None)

    def by_group(self) -> dict[str, int]:
        """Add up bytes by group."""
        found: dict[str, int] = {}
        for one in self.streams:
            found[one.group] = found.get(one.group, 0) + one.stored.bytes
        return found


def usage_of(
    catalog: PlanCatalog,
    store: Measured,
    level: str,
    now: Instant,
    grace_ns: int = 0,
    *,
    readonly: bool = False,
    stores: Collection[str] = (),
) -> StoreUsage:
    """Look at one store: reads every row of it in the catalog, and asks the store for its room.

    Raises: ``CatalogUnavailable``.
    """
    groups, labels = catalog.cameras.groups(), catalog.cameras.labels()
    streams = [
        StreamUsage(
            group_of(groups, one.stream.camera_id), one, labels.get(str(one.stream.camera_id), "")
        )
        for one in catalog.planning.by_stream(store.name)
    ]
    rate, full_at = _rate(catalog.planning, store.name, now), None
    try:
        free, total = store.free_bytes() or (None, None)
        policy = None if readonly else policy_in_force(catalog.documents)
        if policy is not None:
            found = forecast_of(catalog, store, policy, level, now, grace_ns, stores)
            rate, full_at = round(found.bytes_per_day), found.full_at
        elif free is not None and rate and not readonly:
            full_at = now + free * DAY // rate
    except (StoreUnavailable, StoreRefused) as exc:
        return StoreUsage(store.name, level, readonly, None, None, rate, None, streams, str(exc))
    return StoreUsage(store.name, level, readonly, free, total, rate, full_at, streams)


def _rate(planning: Planning, place: str, now: Instant) -> int:
    """Return the bytes that came in a day, by those of the last."""
    stored = planning.stored(place, now - DAY, now - HOUR, now)
    if stored.oldest_recent is None:
        return 0
    return stored.recent_bytes * DAY // max(now - stored.oldest_recent, MINUTE)


class ShownStream(TypedDict):
    """One stream's share of a store, as answers show it."""

    site: str
    camera: str
    label: str | None
    stream: str
    group: str
    segments: int
    bytes: int
    condemned_bytes: int
    oldest: str
    newest: str


class ShownStore(TypedDict):
    """A store's usage, as answers show it."""

    store: str
    level: str
    readonly: bool
    error: str | None
    stored_bytes: int
    free_bytes: int | None
    total_bytes: int | None
    bytes_per_day: int
    full_at: str | None
    days_left: float | None
    oldest: str | None
    groups: dict[str, int]
    streams: list[ShownStream]


class _Here(Protocol):
    """What is needed of the app."""

    @property
    def catalog(self) -> PlanCatalog:
        """The catalog."""

    @property
    def stores(self) -> Mapping[str, ObjectStore]:
        """The stores of this site, by name."""

    @property
    def planned_stores(self) -> Mapping[str, ObjectStore]:
        """Those that the janitor plans for."""

    @property
    def levels(self) -> dict[str, str]:
        """Level of each store, by name."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def grace_ns(self) -> int:
        """How long what is condemned waits."""


def usage_here(app: _Here, names: Collection[str] | None = None) -> list[ShownStore]:
    """Look at all stores of this site, or at some.

    Raises: ``NotFound`` when there is none of a name, ``CatalogUnavailable``.
    """
    for name in names or ():
        if name not in app.stores:
            raise NotFound(f"no store {name!r}", hint="there are " + ", ".join(app.stores))
    now = app.clock.now()
    asked = {one: store for one, store in app.stores.items() if names is None or one in names}
    return [
        show_usage(
            usage_of(
                app.catalog,
                store,
                app.levels[one],
                now,
                app.grace_ns,
                readonly=one not in app.planned_stores,
                stores=app.planned_stores,
            ),
            now,
        )
        for one, store in ask_room(asked).items()
    ]


def show_usage(found: StoreUsage, now: Instant) -> ShownStore:
    """Write a store's usage for answers."""
    left = None if found.full_at is None else round((found.full_at - now) / DAY, 2)
    return {
        "store": found.store,
        "level": found.level,
        "readonly": found.readonly,
        "error": found.error or None,
        "stored_bytes": found.stored_bytes,
        "free_bytes": found.free_bytes,
        "total_bytes": found.total_bytes,
        "bytes_per_day": found.bytes_per_day,
        "full_at": format_known(found.full_at, 0),
        "days_left": left,
        "oldest": format_known(found.oldest, 0),
        "groups": found.by_group(),
        "streams": [_show_stream(one) for one in found.streams],
    }


def _show_stream(one: StreamUsage) -> ShownStream:
    stored = one.stored
    return {
        "site": stored.stream.site,
        "camera": stored.stream.camera,
        "label": one.label or None,
        "stream": stored.stream.stream,
        "group": one.group,
        "segments": stored.segments,
        "bytes": stored.bytes,
        "condemned_bytes": stored.condemned_bytes,
        "oldest": format_instant(stored.oldest, 0),
        "newest": format_instant(stored.newest, 0),
    }
