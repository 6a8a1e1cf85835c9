"""What a source offers, and which of it is recorded.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from recorder.capture.command import MOST_SOUNDS, SAFE_AUDIO, Tracks
from recorder.capture.lines import InputTrack


@dataclass(frozen=True, slots=True)
class Choice:
    """The tracks to record, and codecs of sounds that nobody here can decode or copy.

    ``exact``: chosen by what ffmpeg found in the source, not by what that announced.
    """

    tracks: Tracks
    refused: tuple[str, ...] = ()
    exact: bool = False


def choose(
    offered: Sequence[InputTrack], decodable: Collection[str], *, sound: bool, exact: bool = False
) -> Choice:
    """Choose from what a source offers: its first video, its first sounds.

    ``decodable``: codecs that can be made AAC, empty when that is not known; ``sound``:
    whether it is wanted.

    >>> choose([InputTrack("video", "h264"), InputTrack("audio", "none")], {"aac"}, sound=True)
    Choice(tracks=Tracks(sounds=()), refused=('none',), exact=False)
    """
    sounds = [track for track in offered if track.kind == "audio"] if sound else []
    taken: list[str] = []
    refused: list[str] = []
    for track in sounds[:MOST_SOUNDS]:
        able = track.codec != "none" and (track.codec in decodable or not decodable)
        taken.append("copy" if track.codec in SAFE_AUDIO else "aac" if able else "")
        if not taken[-1]:
            refused.append(track.name)
    while taken and not taken[-1]:
        taken.pop()
    return Choice(Tracks(tuple(taken)), tuple(refused), exact)


def with_encodings(
    found: Sequence[InputTrack], announced: Sequence[InputTrack]
) -> list[InputTrack]:
    """Give the sounds that ffmpeg found the names they were announced by, in their order."""
    names = iter([track.encoding for track in announced if track.kind == "audio"])
    return [
        replace(track, encoding=next(names, "")) if track.kind == "audio" else track
        for track in found
    ]
