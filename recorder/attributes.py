"""Object attributes of a segment.

Source: ONVIF Recording Control Specification, annex "Object storage recording format",
section on object attributes; sent as user metadata.  ``sha256`` is ours.
"""

from __future__ import annotations

from recorder.bmff.fragments import seek_table
from recorder.index import FrameTable
from recorder.model.media import InitInfo, Segment
from recorder.model.timebase import SECOND

MOST_BYTES = 1900
"""S3 takes about 2 kB of user metadata in all."""


def attributes(segment: Segment, init: InitInfo, table: FrameTable) -> dict[str, str]:
    """Describe a segment to any reader of the bucket.  Pure."""
    seconds = max(segment.media_duration_ns, 1) / SECOND
    lead = init.lead
    said = {
        "Version": "1.0",
        "Source": f"{segment.stream.site}/{segment.stream.camera}",
        "Duration": f"PT{seconds:.6f}".rstrip("0").rstrip(".") + "S",
        "Timescale": str(lead.timescale),
        "sha256": segment.digest,
    }
    if lead.kind == "video":
        bits = sum(table.tracks[init.tracks.index(lead)].size) * 8
        said |= {
            "VideoWidth": str(lead.width),
            "VideoHeight": str(lead.height),
            "VideoBitrate": str(round(bits / seconds / 1000)),
            "VideoFramerate": f"{segment.frames / seconds:.3f}",
        }
    sound = next((track for track in init.tracks if track.kind == "audio"), None)
    if sound is not None:
        said["AudioSampleRate"] = str(sound.sample_rate)
    room = MOST_BYTES - sum(len(key) + len(value) + 12 for key, value in said.items())
    for most in (20, 12, 6, 2):
        table_text = seek_table(table, init, most)
        if len(table_text) < room:
            said["SeekTable"] = table_text
            break
    return said


def content_type(segment: Segment) -> str:
    """The media type with RFC 6381 codecs."""
    return f'video/mp4; codecs="{segment.codecs}"'
