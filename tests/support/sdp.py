"""The description that a camera answers DESCRIBE with."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from tests.support.camera_habits import VIDEO_CLOCK, Habits, Track
from tests.support.sounds import SOUNDS
from tests.support.streams import STREAMS, units

FIRST_VIDEO_PAYLOAD = 110


def payload_of(track: Track, place: int) -> int:
    """Return a track's RTP payload type."""
    return SOUNDS[track.what].payload if track.what in SOUNDS else FIRST_VIDEO_PAYLOAD + place


def clock_of(track: Track) -> int:
    """Return how many ticks a track's stamps count in a second."""
    return SOUNDS[track.what].clock if track.what in SOUNDS else VIDEO_CLOCK


def describe(habits: Habits) -> str:
    """Write the description (RFC 8866); controls are ``track0``, ``track1``, …"""
    lines = [
        "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0",
        "a=control:*", "a=range:npt=now-",
    ]  # fmt: skip
    for place, track in enumerate(habits.tracks):
        payload = payload_of(track, place)
        if track.what in SOUNDS:
            sound = SOUNDS[track.what]
            medium, name, form = sound.medium, sound.name, sound.format
        else:
            codec = STREAMS[track.what].codec
            sets = units(track.what)[0].sets if habits.sprop else ()
            medium, name, form = "video", f"{codec}/{VIDEO_CLOCK}", _video_format(codec, sets)
        lines += [f"m={medium} 0 RTP/AVP {payload}", f"a=rtpmap:{payload} {name}"]
        if form:
            lines.append(f"a=fmtp:{payload} {form}")
        lines.append(f"a=control:track{place}")
    return "\r\n".join(lines) + "\r\n"


def _video_format(codec: str, sets: Sequence[bytes]) -> str:
    """Write parameter sets as RFC 6184, 8.1, and RFC 7798, 7.1, want them."""
    coded = [b64encode(one).decode() for one in sets]
    if codec == "H265":
        names = ("sprop-vps", "sprop-sps", "sprop-pps")
        return "; ".join(f"{name}={one}" for name, one in zip(names, coded, strict=False))
    level = f"; profile-level-id={sets[0][1:4].hex()}" if sets else ""
    sprop = f"; sprop-parameter-sets={','.join(coded)}" if coded else ""
    return f"packetization-mode=1{level}{sprop}"
