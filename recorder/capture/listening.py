"""Listens to one ffmpeg: what its source offers, what goes wrong, which stamps run back."""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import Process
from collections.abc import Callable, Collection

from recorder.capture import lines
from recorder.capture.lines import InputTrack
from recorder.capture.offer import Choice, choose, with_encodings
from recorder.capture.state import StreamState
from recorder.model.cameras import StreamSource

_SDP = re.compile(r"^[a-z]=")
_LEVEL = re.compile(r"^(\[[^\]]*@ 0x[0-9a-f]+\] )*\[[a-z]+\] ")
"""So every message of ffmpeg begins, for it is told to say how grave it is."""
_DESCRIBED = ("Stream mapping:", "Output #0", "Stream map '")
"""With these the description of the input is over."""
MOST_LINE = 4096
"""Of a longer line the rest is what a source says of itself, such as a title: nothing is learnt by
it, and it must not keep the other streams waiting."""


class Listener:
    """Reads an ffmpeg's standard error, line by line.

    ``other`` is set when the source offers other tracks than the command takes; ``choice`` is
    what would be right.  ``described``: the source has said what it offers.  ``foreign``: what was
    said last, while nothing was that ffmpeg says; ``None`` from its first word on.
    """

    def __init__(
        self,
        source: StreamSource,
        able: Collection[str],
        assumed: Choice,
        complain: Callable[[str], None],
    ) -> None:
        self.source, self.able, self.assumed = source, able, assumed
        self.complain = complain
        self.choice = assumed
        self.other, self.described = asyncio.Event(), asyncio.Event()
        self.foreign: str | None = ""
        self._offered: list[InputTrack] | None = []
        self._sdp: list[str] = []
        self._announced: list[InputTrack] = []
        self._worst = {0: 0, 1: 0}

    async def listen(self, child: Process, state: StreamState) -> None:
        """Read until the program ends."""
        assert child.stderr is not None  # noqa: S101 - made with a pipe
        while True:
            try:
                line = await child.stderr.readline()
            except ValueError:  # longer than the pipe's limit: nothing of ours
                continue
            if not line:
                return
            self.hear(line[:MOST_LINE].decode(errors="replace").rstrip(), state)

    def hear(self, text: str, state: StreamState) -> None:
        """Take in one line."""
        if self.foreign is not None:
            self.foreign = None if _LEVEL.match(text) else text
        if self._offered is not None:
            if _SDP.match(text):
                self._sdp.append(text)
                return
            if self._sdp:  # it is over: what it offers is known before anything of it comes
                self._announced = lines.parse_sdp(self._sdp)
                if not self.assumed.exact:
                    self._decide(self._announced, state, exact=False)
                self._sdp = []
            if any(mark in text for mark in _DESCRIBED):
                self._decide(with_encodings(self._offered, self._announced), state, exact=True)
                self._offered = None
            elif (track := lines.parse_track(text)) is not None:
                self._offered.append(track)
        if "[error]" in text or "[fatal]" in text:
            self.complain(text)
        back = lines.stamps_back(text)
        if back is not None:
            self._note_back(back, state)

    def _decide(self, offered: list[InputTrack], state: StreamState, *, exact: bool) -> None:
        if not any(track.kind == "video" for track in offered):
            return
        state.offered = tuple(offered)
        self.described.set()
        wanted = self.source.audio == "auto"
        self.choice = choose(offered, self.able, sound=wanted, exact=exact)
        state.habits.pop("sound-refused", None)
        if self.choice.refused:
            said = ", ".join(self.choice.refused)
            state.habits["sound-refused"] = f"{lines.HABITS['sound-refused']} ({said})"
        if self.choice.tracks != self.assumed.tracks:
            self.other.set()

    def _note_back(self, back: lines.StampsBack, state: StreamState) -> None:
        track = min(back.output, 1)
        self._worst[track] = max(self._worst[track], back.ticks)
        if back.ticks and track == 0:
            by = f"{self._worst[0] / 90:.0f} ms at most"
            state.habits["stamps-back"] = f"{lines.HABITS['stamps-back']} ({by})"
        elif back.ticks:
            state.habits["sound-stamps-back"] = lines.HABITS["sound-stamps-back"]
