"""Segments, copies, and what an init segment says about its tracks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from recorder.model.keys import StreamId
from recorder.model.places import Place, parse_place
from recorder.model.timebase import Instant, TimeRange, ticks_to_ns

THIN = ".thin"
"""Ends the writer of a segment that holds clean points only (:mod:`recorder.thinning`)."""

MOST_INIT = 1 << 24
"""Bytes of an init segment: one has some thousand, and is read into memory whole."""


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """One track of an init segment.

    ``entry`` is the raw ``stsd`` payload after its header (version, count, sample
    entries): what a decoder needs, byte for byte.  ``defaults`` are the ``trex`` sample
    duration, size and flags.
    """

    track_id: int
    kind: str  # "video", "audio" or "other"
    timescale: int
    codec: str  # RFC 6381
    entry: bytes
    defaults: tuple[int, int, int] = (0, 0, 0)
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True)
class InitInfo:
    """An init segment (``ftyp`` + ``moov``), read.

    ``size`` is its length in bytes; ``movie_timescale`` that of ``mvhd``;
    ``decoder_digest`` names what decoding needs (sample entries and track timescales):
    two files with the same one can be decoded one after the other.
    """

    size: int
    movie_timescale: int
    tracks: tuple[TrackInfo, ...]
    decoder_digest: str

    @property
    def video(self) -> TrackInfo | None:
        """The first video track, if there is one."""
        return next((track for track in self.tracks if track.kind == "video"), None)

    @property
    def lead(self) -> TrackInfo:
        """The track that rules time and cuts: the first video track, else the first."""
        return self.video or self.tracks[0]

    @property
    def codecs(self) -> str:
        """The RFC 6381 ``codecs`` parameter for all tracks."""
        return ", ".join(track.codec for track in self.tracks)


@dataclass(frozen=True, slots=True)
class FragmentPoint:
    """One fragment as the catalog knows it: where its bytes are and when it plays.

    Units: ``offset`` and ``size`` in bytes of the object; ``start_ticks`` and
    ``duration_ticks`` in the lead track's timescale, counted from the segment's start.
    ``clean`` is 0 unless it begins with a clean point: 1 when all after it decodes, ``2 + n``
    when pictures are whole only from ``n`` ticks after ``start_ticks``.
    """

    offset: int
    size: int
    start_ticks: int
    duration_ticks: int
    clean: int

    @property
    def ready_ticks(self) -> int:
        """When pictures are whole if decoding starts here, counted as ``start_ticks``."""
        return self.start_ticks + max(0, self.clean - 2)


@dataclass(frozen=True, slots=True)
class Segment:
    """One sealed object: init segment, fragments, footer, ``mfra``.

    Units: ``start`` and ``end`` by the recorder's clock; ``media_start`` and
    ``media_end`` in ticks of ``timescale`` (the lead track's presentation time).
    ``span_start`` names the span together with ``writer`` (``<node>.<term>``).
    ``camera_offset_ns`` is the camera's clock minus ours, ``None`` when it never said.
    ``gap_cause`` says why there was no footage before the span, on its first segment.
    ``points`` is the packed fragment table (:mod:`recorder.index`).  ``holes`` are stretches
    inside it for which the camera sent no frame.  ``activity`` is a byte per fragment: how much
    more than usual changes in the picture (:func:`recorder.index.activity`).
    """

    stream: StreamId
    writer: str
    span_start: Instant
    counter: int
    start: Instant
    end: Instant
    media_start: int
    media_end: int
    timescale: int
    size_bytes: int
    digest: str
    init_bytes: int
    decoder_digest: str
    codecs: str
    key: str
    frames: int = 0
    width: int = 0
    height: int = 0
    camera_offset_ns: int | None = None
    gap_cause: str = ""
    points: bytes = b""
    holes: tuple[TimeRange, ...] = ()
    activity: bytes = b""

    @property
    def id(self) -> SegmentId:
        """What names it."""
        return SegmentId(self.stream, self.start, self.writer)

    @property
    def range(self) -> TimeRange:
        """Wall-clock range of the segment; none is left of one whose end is before its start."""
        return TimeRange(self.start, max(self.start, self.end))

    @property
    def media_duration_ns(self) -> int:
        """Length by the camera's media time; differs from the range by the slew."""
        return ticks_to_ns(self.media_end - self.media_start, self.timescale)

    @property
    def span_id(self) -> tuple[str, Instant]:
        """What segments of one span share, within a stream."""
        return (self.writer, self.span_start)

    @property
    def is_thin(self) -> bool:
        """Tell whether it holds only the clean points of another segment."""
        return self.writer.endswith(THIN)

    @property
    def node(self) -> str:
        """Name of the node that recorded it."""
        return self.writer.removesuffix(THIN).rpartition(".")[0]

    def instant_at(self, media_ticks: int) -> Instant:
        """Turn a media time of this segment into our wall clock."""
        length = self.media_end - self.media_start
        if length <= 0:
            return self.start
        into = media_ticks - self.media_start
        return self.start + (2 * into * (self.end - self.start) + length) // (2 * length)

    def ticks_at(self, instant: Instant) -> int:
        """Turn our wall clock into media time of this segment (rounded up)."""
        wall = self.end - self.start
        if wall <= 0:
            return self.media_start
        into = (instant - self.start) * (self.media_end - self.media_start)
        return self.media_start - (-into // wall)


class SegmentId(NamedTuple):
    """What names a segment: no two of one stream begin at one instant by one writer."""

    stream: StreamId
    start: Instant
    writer: str


@dataclass(frozen=True, slots=True)
class Copy:
    """One segment at one place.

    ``place`` is written as in the catalog (:mod:`recorder.model.places`); ``at`` is the same,
    read.  ``condemned_at`` is when the janitor marked it for deletion, ``None`` while it lives;
    ``damaged_at`` when its bytes were found to differ from their digest and no other copy could
    help.
    """

    segment: Segment
    place: str
    etag: str = ""
    verified_at: Instant = 0
    condemned_at: Instant | None = None
    damaged_at: Instant | None = None

    @property
    def at(self) -> Place:
        """Where it lies."""
        return parse_place(self.place)

    @property
    def in_spool(self) -> bool:
        """Tell whether this copy is on the local disk of a node of this site."""
        return self.at.own_spool


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as a store describes it: size in bytes, etag, user metadata."""

    key: str
    size: int
    etag: str = ""
    content_type: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
