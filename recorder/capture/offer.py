"""What a source offers, and which of it is recorded.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from recorder.capture.command import MOST_SOUNDS, SAFE_AUDIO, Tracks
from recorder.capture.lines import InputTrack


@dataclass(frozen=True, slots=True)
class Choice:
    """The tracks to record, and codecs of sounds that nobody here can decode or copy."""

    tracks: Tracks
    refused: tuple[str, ...] = ()


def choose(offered: Sequence[InputTrack], decodable: Collection[str], *, sound: bool) -> Choice:
    """Choose from what a source offers: its first video, its first sounds.

    ``decodable``: codecs that can be made AAC, empty when that is not known; ``sound``:
    whether it is wanted.

    >>> choose([InputTrack("video", "h264"), InputTrack("audio", "none")], {"aac"}, sound=True)
    Choice(tracks=Tracks(video='h264', sounds=()), refused=('none',))
    """
    video = next((track.codec for track in offered if track.kind == "video"), "h264")
    codecs = [track.codec for track in offered if track.kind == "audio"] if sound else []
    taken: list[str] = []
    refused: list[str] = []
    for codec in codecs[:MOST_SOUNDS]:
        able = codec in SAFE_AUDIO or (codec != "none" and (codec in decodable or not decodable))
        taken.append(codec if able else "")
        if not able:
            refused.append(codec)
    while taken and not taken[-1]:
        taken.pop()
    return Choice(Tracks(video, tuple(taken)), tuple(refused))
