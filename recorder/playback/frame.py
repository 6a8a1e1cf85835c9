"""One frame as JPEG: ffmpeg decodes from the clean point it needs, from byte ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add

from recorder import index
from recorder.bmff.init import read_init
from recorder.cut import fragments_of, piece_at, slices
from recorder.errors import MalformedMedia, NotShowable
from recorder.index import FrameTable, TrackFrames
from recorder.model.keys import StreamId
from recorder.model.media import FragmentPoint, Segment
from recorder.model.timebase import Instant, TimeRange
from recorder.process import run
from recorder.reading.found import Found
from recorder.reading.view import View

DECODED_S = 30.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and the true time of its frame."""

    jpeg: bytes
    at: Instant
    camera_offset_ns: int | None


def grab(view: View, stream: StreamId, at: Instant, ffmpeg: str, width: int = 0) -> Frame:
    """Return the frame that was on screen at an instant.

    That is the last whose time is at or before ``at``.  ``width``: no wider than so, in pixels.
    Raises: ``NoFootage`` when the instant lies in a gap; ``NotShowable`` when that frame needs
    some that are not there; ``MalformedMedia`` when it is damaged.
    """
    with view.find_some(stream, TimeRange(at, at + 1)) as found:
        segment = shown_at(found, at)
        (table,) = view.tables(found, [segment])
        init, head = view.init(found, segment)
        track = table.tracks[init.tracks.index(init.lead)]
        pts = _shown_at(track, segment.ticks_at(at))
        piece = piece_at(segment, pts, [*found.segments, *found.before])
        chosen = fragments_of(piece)
        media = head + b"".join(
            block
            for one, fragments in chosen
            for offset, length in slices(fragments)
            for block in view.read(one, offset, length, found)
        )
        stamp = _stamp_of(media, _place_of(track, table, pts, segment, chosen))
        jpeg = _decode(ffmpeg, media, stamp, init.lead.timescale, width)
        return Frame(jpeg, segment.instant_at(pts), segment.camera_offset_ns)


def shown_at(found: Found, at: Instant) -> Segment:
    """Choose the segment that shows an instant, as a clip does; in a hole the first."""
    pieces = found.cut(TimeRange(at, at + 1))
    return pieces[0].segment if pieces else found.segments[0]


def _place_of(
    track: TrackFrames,
    table: FrameTable,
    pts: int,
    segment: Segment,
    chosen: Sequence[tuple[Segment, Sequence[FragmentPoint]]],
) -> tuple[int, int]:
    """Say in which of the chosen fragments a frame lies, and as which of its frames."""
    shown = list(map(add, track.dts, track.cts))
    i = shown.index(pts)
    fragment = next(f for f in range(len(table.offsets)) if track.first[f + 1] > i)
    places = [(one.key, point.offset) for one, points in chosen for point in points]
    return places.index((segment.key, table.offsets[fragment])), i - track.first[fragment]


def _stamp_of(media: bytes, place: tuple[int, int]) -> int:
    """Return the time that the bytes themselves give a frame.

    A session's first frames, which come without a right stamp, have another in the table.
    """
    init = read_init(media)
    track = index.scan(media, init).table.tracks[init.tracks.index(init.lead)]
    i = track.first[place[0]] + place[1]
    return track.dts[i] + track.cts[i]


def _shown_at(track: TrackFrames, ticks: int) -> int:
    """Return the last presentation time at or before ``ticks``, the first of all if none is."""
    shown = list(map(add, track.dts, track.cts))
    best: int = max((pts for pts in shown if pts <= ticks), default=min(shown))
    return best


def _decode(ffmpeg: str, media: bytes, pts: int, timescale: int, width: int) -> bytes:
    """Decode fragments and return the picture of a presentation time, or none: never another.

    Not chosen by its place among the pictures: a decoder leaves out those it cannot make.
    """
    small = f",scale=w=min({width}\\,iw):h=-2" if width else ""
    argv = [
        ffmpeg,
        "-hide_banner",
        "-loglevel",
        "error",
        "-threads",
        "1",
        "-copyts",
        "-f",
        "mp4",
        "-i",
        "pipe:0",
        "-map",
        "0:v:0",
        "-vf",
        f"settb=1/{timescale},select=eq(pts\\,{pts}){small}",
        "-frames:v",
        "1",
        "-fps_mode",
        "passthrough",
        "-q:v",
        "2",
        "-f",
        "mjpeg",
        "pipe:1",
    ]
    try:
        done = run(argv, DECODED_S, media)
    except TimeoutError:
        raise MalformedMedia(f"decoding one frame took longer than {DECODED_S:g} s") from None
    if not done.stdout:
        raise _no_picture(done.returncode)
    return done.stdout


def _no_picture(code: int) -> MalformedMedia | NotShowable:
    """Say why ffmpeg, which ended with ``code``, made no picture.

    The bytes are what they were: others would be found damaged.  A decoder leaves out what refers
    to pictures that it never had, and not each says so.
    """
    if code < 0:
        return MalformedMedia(f"ffmpeg made no picture: it was ended by signal {-code}")
    return NotShowable(
        "that picture cannot be shown: it needs some before it that are not there",
        hint="a session began, or footage was let go, just before it; ask for a later one",
    )
