"""Questions about footage: timelines, clips, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote

from recorder.client.asked import Moment, address_of, moment
from recorder.client.asking import Asking
from recorder.client.download import Download, fetch

if TYPE_CHECKING:
    from recorder.model import shown


Form = Literal["mp4", "fmp4", "zip"]


class FootageAsking(Asking):
    """Asks for footage."""

    def timeline(
        self,
        camera: str,
        start: Moment,
        end: Moment = "now",
        *,
        stream: str | None = None,
        activity: bool = False,
    ) -> shown.ShownTimeline:
        """Return spans and gaps of a range, each gap with its cause."""
        query = {"start": moment(start), "end": moment(end), "stream": stream}
        if activity:
            query["activity"] = "true"
        return cast("shown.ShownTimeline", self._of(camera, "timeline", query))

    def clip(
        self,
        camera: str,
        start: Moment,
        end: Moment = "now",
        *,
        stream: str | None = None,
        form: Form = "mp4",
        gaps: Literal["skip", "fail"] = "skip",
        masked: bool = False,
        mark: bool = False,
        wait_s: float = 0,
    ) -> Download:
        """Fetch exactly the frames of a range; nothing is re-encoded.

        With ``masked``, ``mark`` it is a copy with the camera's masks, with who asks, burnt in.
        ``wait_s``: wait so long for footage that is about to come.  ``gaps="fail"``: refuse
        (``HasGaps``) when anything is missing.  Times like ``-90s`` count from each request: give
        fixed ones to wait.
        """
        query = {
            "start": moment(start),
            "end": moment(end),
            "stream": stream,
            "format": form,
            "gaps": gaps,
            **_burnt(masked=masked, mark=mark),
        }
        return self._footage(*address_of(camera, "clip.mp4", query), wait_s)

    def event_clip(
        self,
        event_id: str,
        *,
        before: str | None = None,
        after: str | None = None,
        camera: str | None = None,
        form: Form = "mp4",
        wait_s: float = 0,
    ) -> Download:
        """Fetch what an event touches, or ``before`` and ``after`` it (``"10s"``)."""
        query = {"before": before, "after": after, "camera": camera, "format": form}
        return self._footage(f"/events/{quote(event_id, '')}/clip.mp4", query, wait_s)

    def clip_times(
        self,
        camera: str,
        start: Moment,
        end: Moment = "now",
        *,
        stream: str | None = None,
        form: Form = "mp4",
    ) -> shown.ShownClip:
        """Return what a clip shows when: true times of each stretch, gaps, sources, digests."""
        query = {"start": moment(start), "end": moment(end), "stream": stream, "format": form}
        return cast("shown.ShownClip", self._of(camera, "clip.json", query))

    def frame(
        self,
        camera: str,
        at: Moment,
        *,
        stream: str | None = None,
        width: int | None = None,
        masked: bool = False,
        mark: bool = False,
        wait_s: float = 0,
    ) -> Download:
        """Fetch the picture on screen at a moment, as JPEG; ``at`` of it is its true time."""
        query = {
            "at": moment(at),
            "stream": stream,
            "width": width,
            **_burnt(masked=masked, mark=mark),
        }
        return self._footage(*address_of(camera, "frame.jpg", query), wait_s)

    def strip(
        self, camera: str, start: Moment, end: Moment = "now", *, count: int = 8, width: int = 160
    ) -> shown.ShownStrip:
        """Return small pictures of a range, in one answer."""
        query = {"start": moment(start), "end": moment(end), "count": count, "width": width}
        return cast("shown.ShownStrip", self._of(camera, "strip", query))

    def coverage(self, start: Moment, end: Moment = "now") -> shown.ShownCoverage:
        """Return how much of what should have been recorded was, per camera and day."""
        query = {"start": moment(start), "end": moment(end), "limit": 100}
        pages = self._connection.answers("/coverage", query)
        found = cast("shown.ShownCoverage", next(pages))
        for page in pages:
            found["cameras"] += page["cameras"]
        return found

    def _footage(self, path: str, query: dict[str, Any], wait_s: float) -> Download:
        return fetch(self._connection, path, query, wait_s)


def _burnt(*, masked: bool, mark: bool) -> dict[str, str]:
    """Write what is to be burnt in; an older server is not asked for what is not wanted."""
    return {name: "true" for name, said in (("masked", masked), ("mark", mark)) if said}
