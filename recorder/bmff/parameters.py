"""H.264 parameter sets that travel in the samples.  Pure.

Source: ISO/IEC 14496-15 section 5.3.3 (avcC), ITU-T H.264 section 7.4.1 (NAL unit types).
"""

from __future__ import annotations

from recorder.bmff.nal import length_size, units
from recorder.model.media import TrackInfo

_SPS = 7
_SLICES = (1, 5)


def nal_length_size(track: TrackInfo) -> int | None:
    """Return how many bytes give a NAL unit's length; ``None`` when it is not H.264."""
    if not track.codec.startswith(("avc1", "avc3")):
        return None
    return length_size(track)


def sequence_parameters(sample: bytes, size: int) -> tuple[bytes, ...]:
    """Return the sequence parameter sets at the head of a sample, before its first slice.

    ``sample`` may be cut off, but what is cut off within a set is not returned.
    """
    found: list[bytes] = []
    for begin, end in units(sample, 0, len(sample), size):
        kind = sample[begin] & 31
        whole = end - begin == int.from_bytes(sample[begin - size : begin], "big")
        if kind in _SLICES or not whole:
            break
        if kind == _SPS:
            found.append(sample[begin:end])
    return tuple(found)
