"""H.264 parameter sets that travel in the samples.  Pure.

Source: ISO/IEC 14496-15 section 5.3.3 (avcC), ITU-T H.264 section 7.4.1 (NAL unit types).
"""

from __future__ import annotations

from recorder.bmff.boxes import find
from recorder.errors import MalformedMedia
from recorder.model.media import TrackInfo

_SPS = 7
_SLICES = (1, 5)
_MOST_UNITS = 64


def nal_length_size(track: TrackInfo) -> int | None:
    """Return how many bytes give a NAL unit's length; ``None`` when it is not H.264."""
    if not track.codec.startswith(("avc1", "avc3")):
        return None
    try:
        entry = find(track.entry, 8, len(track.entry), track.codec[:4])
        config = entry and find(track.entry, entry[0] + 78, entry[1], "avcC")
    except MalformedMedia:
        return None
    if not config or config[1] - config[0] < 5:
        return None
    return (track.entry[config[0] + 4] & 3) + 1


def sequence_parameters(sample: bytes, length_size: int) -> tuple[bytes, ...]:
    """Return the sequence parameter sets at the head of a sample, before its first slice.

    ``sample`` may be cut off; what is torn is not returned.
    """
    found: list[bytes] = []
    at = 0
    for _ in range(_MOST_UNITS):
        begin = at + length_size
        end = begin + int.from_bytes(sample[at:begin], "big")
        if begin >= len(sample) or end <= begin:
            break
        kind = sample[begin] & 31
        if kind in _SLICES or end > len(sample):
            break
        if kind == _SPS:
            found.append(sample[begin:end])
        at = end
    return tuple(found)
