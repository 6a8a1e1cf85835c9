"""What a segment's own footer says otherwise of it than the catalog does (law L16)."""

from __future__ import annotations

from recorder.clean_points import unpack_points
from recorder.errors import CopyMissing, IndexCorrupt
from recorder.model.media import Segment
from recorder.ports import ObjectStore
from recorder.segment.meta import segment_from_footer
from recorder.segment.tail import read_tail

_SAID = (
    *("stream", "span_start", "start", "end", "media_start", "media_end", "timescale"),
    *("init_bytes", "decoder_digest", "codecs", "frames", "width", "height", "camera_offset_ns"),
)
"""What a footer says of a segment, in every release the same."""


def footer_denies(store: ObjectStore, segment: Segment) -> list[str]:
    """Name what the footer of an object, whose bytes are whole, says otherwise of its segment.

    What another recorder wrote has none of ours, nor has what is left of an object.
    Raises: ``StoreUnavailable``, ``StoreRefused``.
    """
    size = segment.size_bytes
    try:
        footer = read_tail(lambda at, n: b"".join(store.read(segment.key, at, n)), size)
        if footer is None:
            return []
        meta, frames = footer.meta, footer.frames()
        said = segment_from_footer(meta, frames, segment.key, size, segment.digest)
    except (CopyMissing, IndexCorrupt):
        return []
    names = [name for name in _SAID if getattr(said, name) != getattr(segment, name)]
    return names if _places(said) == _places(segment) else [*names, "points"]


def _places(segment: Segment) -> list[tuple[int, int, bool]] | None:
    """Return where its fragments are, and which are clean; times were not always counted so."""
    try:
        return [(one.offset, one.size, one.clean > 0) for one in unpack_points(segment.points)]
    except IndexCorrupt:
        return None
