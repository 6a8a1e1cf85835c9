"""One session of a live camera: its tracks, sent as time passes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from tests.support.camera_habits import Habits, Track, Windows
from tests.support.matroska import Unit
from tests.support.rtp import CUTS, Sender
from tests.support.sdp import clock_of, payload_of
from tests.support.sounds import SOUNDS, packets
from tests.support.streams import STREAMS, units

SECOND = 1_000_000_000
MESSAGE = b"\x06\x05\x11" + b"quirk camera 001." + b"\x80"
"""An H.264 message that means nothing: a name of 16 bytes, and one byte of text."""

Way = Callable[[bytes, bool], None]
"""Hands a packet over to the client; the flag tells a report from media."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One picture that was sent.

    Units: ``sent_ns`` (its last packet went to the socket) and ``captured_ns`` (it was taken)
    are ns since the Unix epoch.  ``whole`` is false when a packet of it was dropped.
    """

    number: int
    sent_ns: int
    session: int
    stamp: int
    captured_ns: int
    key: bool
    whole: bool = True
    track: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """One session: when the client asked to play, when it was over, and whose will that was.

    Units: ns since the Unix epoch; ``left_ns`` 0: it still lasts.
    """

    session: int
    asked_ns: int
    left_ns: int = 0
    by_camera: bool = False


class Uptime:
    """Seconds since a camera was switched on, and what the wall clock says then."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.wall_ns = time.time_ns()

    def now(self) -> float:
        return time.monotonic() - self.began

    def wall(self, uptime_s: float) -> int:
        return self.wall_ns + round(uptime_s * SECOND)

    async def reach(self, uptime_s: float) -> None:
        """Wait for an instant; when it is past, only let others work."""
        await asyncio.sleep(max(0.0, uptime_s - self.now()))


def inside(windows: Windows, since_s: float) -> bool:
    """Tell whether an instant lies in one of the windows."""
    return any(start <= since_s < end for start, end in windows)


@cache
def schedule(what: str, speed: float, burst_s: float) -> tuple[tuple[float, float, Unit], ...]:
    """Say for each picture, in the order of sending, when it is sent, and when it was taken.

    One is sent for each that is taken: what comes before its turn in the order of showing
    waits no longer than the order asks.
    """
    taken = [unit.at_ms / 1000 / speed for unit in units(what)]
    steps = sorted(taken)
    wait = max(at - step for at, step in zip(taken, steps, strict=True))
    due = [step + wait for step in steps]
    if burst_s:
        due = [math.ceil(at / burst_s + 1e-9) * burst_s for at in due]
    return tuple(zip(due, taken, units(what), strict=True))


def next_key(habits: Habits, uptime_s: float) -> float:
    """Say when the next session may begin: with a key picture, where habits ask for one.

    A camera that makes a key picture when it is asked for pictures begins with it: it cannot
    be told here from one that answers a little later.
    """
    videos = [track.what for track in habits.tracks if track.what in STREAMS]
    if habits.begins == "now" or not videos:
        return uptime_s
    plan = schedule(videos[0], habits.speed, habits.burst_s)
    return next((due for due, _, unit in plan if unit.key and due >= uptime_s), uptime_s)


class Feed:
    """One track of one session."""

    def __init__(
        self, habits: Habits, place: int, uptime: Uptime, way: Way, session: int,
        played: float, log: list[Sent],
    ) -> None:  # fmt: skip
        self.habits, self.place, self.uptime, self.session = habits, place, uptime, session
        self.track: Track = habits.tracks[place]
        self.way, self.log = way, log
        self.played = played
        self.clock = clock_of(self.track)
        self.sender = Sender(payload_of(self.track, place), 0x5A000000 + 256 * session + place)
        self.reports = 0
        self.counted = 0
        self.held: bytes | None = None

    async def run(self) -> None:
        """Send until cancelled, or until the media ends."""
        await (self._sounds() if self.track.what in SOUNDS else self._pictures())

    def stamp(self, uptime_s: float) -> int:
        """Return the RTP stamp of an instant."""
        return self.track.stamps.at(uptime_s, self.played, self.clock)

    async def _pictures(self) -> None:
        waits, first = True, True
        plan = schedule(self.track.what, self.habits.speed, self.habits.burst_s)
        for due, taken, unit in plan:
            if due < self.played:
                continue
            await self.uptime.reach(due)
            if not inside(self.track.sends, due - self.played):
                waits = True
                continue
            if waits and self.habits.begins == "key" and not unit.key:
                continue
            self._report()
            self._send_picture(unit, taken, first=first)
            waits = first = False

    async def _sounds(self) -> None:
        sound, bodies = SOUNDS[self.track.what], packets(self.track.what)
        step = sound.packet_ticks / sound.clock
        count = math.ceil(self.played / step)
        while True:
            due = (count + 1) * step
            await self.uptime.reach(due)
            if inside(self.track.sends, due - self.played):
                self._report()
                body = bodies[count % len(bodies)]
                marker = self.track.what in ("AAC", "metadata")
                self.way(self.sender.packet(body, self.stamp(count * step), marker=marker), False)
            count += 1

    def _send_picture(self, unit: Unit, taken: float, *, first: bool) -> None:
        stamp = self.stamp(taken)
        cut = CUTS[STREAMS[self.track.what].codec]
        whole = True
        for group in arrange(unit, self.habits, first=first):
            bodies = cut(group, self.habits.limit)
            for place, body in enumerate(bodies):
                last = place == len(bodies) - 1 and self.habits.marker
                whole &= self._pass_on(self.sender.packet(body, stamp, marker=last))
        self.log.append(
            Sent(
                unit.number, time.time_ns(), self.session, stamp, self.uptime.wall(taken),
                unit.key, whole, self.place,
            )
        )  # fmt: skip

    def _pass_on(self, packet: bytes) -> bool:
        """Send a packet, unless the network loses or overtakes it; tell whether it was kept."""
        self.counted += 1
        if self.habits.drop_every and self.counted % self.habits.drop_every == 0:
            return False
        if self.habits.swap_every and self.counted % self.habits.swap_every == 0:
            self.held = packet
            return True
        self.way(packet, False)
        if self.held is not None:
            self.way(self.held, False)
            self.held = None
        return True

    def _report(self) -> None:
        said, now = self.habits.reports, self.uptime.now()
        since = now - self.played
        if since < self.reports * said.period_s or math.isinf(said.period_s):
            return
        off = said.jitter_s * (-1) ** (self.reports + self.place)
        ntp = self.uptime.wall(now) + round(
            SECOND * sum(by for at, by in said.steps if since >= at)
        )
        if said.ntp != "now":
            ntp = -1 if said.ntp == "zero" else round(now * SECOND)
        self.way(self.sender.report(ntp, self.stamp(now + off)), True)
        self.reports += 1


def arrange(unit: Unit, habits: Habits, *, first: bool) -> Iterator[list[bytes]]:
    """Put parameter sets where the camera's habits want them.

    A second group is a picture of its own to whoever goes by markers.
    """
    nals, sets = list(unit.nals), list(unit.sets)
    if not unit.key or habits.sets == "never":
        yield nals
    elif habits.sets == "own":
        yield sets
        yield nals
    elif habits.sets == "twice" and first:
        yield [*sets, MESSAGE, *sets, *(nal for nal in nals if _is_slice(nal))]
    elif habits.sets == "slice":
        yield [part for nal in nals for part in ([*sets, nal] if _is_slice(nal) else [nal])]
    else:
        yield [*sets, *nals]


def _is_slice(nal: bytes) -> bool:
    """Tell H.264 slices from messages (type 1 and 5)."""
    return nal[0] & 0x1F in (1, 5)
