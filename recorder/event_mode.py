"""Event mode: footage of a stream leaves the spool only where something happened."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from recorder.app import App
from recorder.errors import CatalogUnavailable
from recorder.model.causes import Cause
from recorder.model.holds import held_ranges
from recorder.model.keys import StreamId, parse_key, said_of, stream_of_prefix
from recorder.model.media import Copy, Segment
from recorder.model.places import spool_of
from recorder.model.timebase import TimeRange
from recorder.ship.choose import verdict
from recorder.ship.sender import Sender

log = logging.getLogger("recorder.spool")


class EventMode:
    """Says of each sealed file whether it is to be shipped, to wait, or to be dropped."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.modes: Mapping[tuple[str, str], str] = {}
        """How each stream of this site is recorded, by camera and stream."""

    @property
    def is_used(self) -> bool:
        """Tell whether a stream is recorded so at all."""
        return "event" in self.modes.values()

    def may_ship(self, key: str) -> bool:
        """Tell whether a sealed file may be sent to the store now."""
        try:
            return self.verdict(key) == "ship"
        except CatalogUnavailable:
            return False  # asked again when the catalog is back

    def verdict(self, key: str) -> str:
        """Say ``ship``, ``wait`` or ``drop`` of a sealed file.

        Raises: ``CatalogUnavailable``.
        """
        parts = parse_key(key)
        if parts is None:
            return "ship"
        stream = stream_of_prefix(parts.prefix, self._app.settings.site)
        if stream.site != self._app.settings.site:
            return "ship"  # it came from a site below, because it is wanted here
        if self.modes.get((stream.camera, stream.stream)) != "event":
            return "ship"
        if parts.is_end:  # an end goes with the footage before it
            range_ = TimeRange(parts.start - 1, parts.start)
        else:
            segment = self.segment_of(key)
            if segment is None:
                return "wait"  # not committed yet
            range_ = segment.range
        catalog, proven = self._app.catalog, self._app.upkeep.janitor.proof.present()
        now = self._app.clock.now() if proven is None else proven
        holds = said_of(held_ranges(catalog.holds.live(now), now), stream.camera_id)
        if any(one.overlaps(range_) for one in holds):
            return "ship"
        touched = [one for _, one, _ in catalog.events.windows(range_, stream.camera_id)]
        said = verdict(range_, touched, now, self._app.settings.event_wait_ns)
        return "wait" if said == "drop" and proven is None else said

    def segment_of(self, key: str) -> Segment | None:
        """Return the segment of a sealed file, as the catalog knows it."""
        parts = parse_key(key)
        if parts is None or parts.is_end:
            return None
        stream = stream_of_prefix(parts.prefix, self._app.settings.site)
        return self._app.catalog.footage.segment_by_key(stream, parts.start, key)

    def choose(self, sender: Sender) -> int:
        """Ship what events touch of streams in event mode, drop the rest in time.

        Returns how many segments were dropped; each becomes a gap ``no-event``.
        """
        app, dropped = self._app, 0
        site = app.settings.site
        prefixes = tuple(
            f"{StreamId(site, *one)}/" for one, how in self.modes.items() if how == "event"
        )
        for key in [key for key, _ in app.spool.keys("sealed") if key.startswith(prefixes)]:
            said = self.verdict(key)
            if said == "ship":
                sender.offer(key)
            elif said == "drop":
                segment = self.segment_of(key)
                try:
                    app.spool.remove(key)
                except OSError as exc:  # it is there still, and tried again
                    log.error("not dropped", extra={"key": key, "reason": str(exc)})
                    break
                if segment is not None:
                    place = spool_of(app.settings.node)
                    app.catalog.commits.forget([Copy(segment, place)], Cause.NO_EVENT)
                dropped += 1
        return dropped
