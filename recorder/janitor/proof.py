"""Proof of the clock: nothing is destroyed by the time of a clock that may be wrong.

A clock is compared with what outside clocks say (stores, the database, the kernel's time
service), with how much time passed since it was believed last, and with when the newest footage
began.  In doubt nothing is condemned or deleted until the doubt is gone, the clock has run
steadily for a day, or an admin says so.

A clock that nobody vouched for may have been wrong all the time, as of a machine without a
battery that begins in the year it was built.  When it goes ahead by more than a day, what was
committed by it counts as committed then: how old it is nobody knows.

A store or a database on this very machine goes by the same clock: it can contradict it, and never
prove it.  Where it is in a container, nobody knows that; but it leaps along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recorder.errors import RecorderError
from recorder.model.timebase import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Instant,
    format_duration,
    format_instant,
)
from recorder.ports import Clock, Planning, Progress
from recorder.ports.progress import PROVEN

ALONE = "alone"
"""What is kept beside that: since when nobody vouched for it; nothing once somebody did."""
OFF = 5 * MINUTE
"""An outside clock that differs by more contradicts ours."""
AWAY = DAY
"""So long a machine may be off without anybody having to vouch for its clock."""
STEADY_S = 86_400.0
FRESH_S = 600.0
"""So long a clock is believed without asking others again; what never steps counts the time."""
RESTS_S = 60.0
"""So long one in doubt is not asked about again by who only wants to know the time: others that
hang are waited for, and many ask."""

SERVICE = "the time service of the kernel"
"""That which knows nothing more when somebody sets the clock."""

Outside = Mapping[str, Callable[[], Instant | None]]


@dataclass(frozen=True, slots=True)
class _Mark:
    """An instant, and what the clock that never steps showed then (s)."""

    wall: Instant
    monotonic: float


class ClockProof:
    """Says whether the clock may be believed; remembers when it was."""

    def __init__(
        self,
        clock: Clock,
        progress: Progress,
        planning: Planning,
        outside: Outside | None = None,
        is_own: Callable[[str], bool] = lambda _: False,
        date_anew: Callable[[Instant, Instant], object] = lambda _since, _at: None,
    ) -> None:
        """``outside``: other clocks by name; ``None`` from one that cannot say.

        ``is_own`` tells of a name whether it is known to be this machine's own clock.
        ``date_anew`` is told since when a clock was wrong, and when that was seen.
        """
        self._date_anew = date_anew
        self._clock, self._progress, self._planning = clock, progress, planning
        self._outside: Outside = outside if outside is not None else {}
        self._is_own = is_own
        self._agreed: frozenset[str] = frozenset()
        """Who agreed since this began, or since somebody vouched for the clock."""
        self._believed: _Mark | None = None
        self._first: _Mark | None = None
        """Since when steps are added up: many small ones are a great one."""
        self._began: Instant | None = None
        """What was believed first, by this process."""
        self._doubted: _Mark | None = None
        self._rests_until = float("-inf")

    def doubt(self) -> str:
        """Return why the clock is in doubt; nothing when it may be believed.

        Raises: ``CatalogUnavailable``.
        """
        mark = _Mark(self._clock.now(), self._clock.monotonic())  # answers may take seconds
        now, stepped = mark.wall, self._step(mark.wall)
        told, agree = self._ask(now)
        # who agreed before the clock stepped, and agrees now, stepped along
        proven = agree - (self._agreed - {SERVICE} if stepped else frozenset())
        why = told or ("" if proven else stepped or self._past(now))
        if why and not self._steady(now, known_wrong=bool(told)):
            return why
        self._believe(mark, vouched=bool(proven))
        if (
            self._first is None
            or SERVICE in agree
            or mark.monotonic - self._first.monotonic >= STEADY_S
        ):
            self._first = mark
        self._agreed |= agree
        return ""

    def believe(self) -> None:
        """Take the clock as right from now on: somebody vouches for it."""
        self._agreed = frozenset()
        self._first = _Mark(self._clock.now(), self._clock.monotonic())
        self._believe(self._first, vouched=True)

    def believed(self) -> Instant | None:
        """Return the time by the clock as it was believed last, however it stepped since."""
        mark = self._believed
        if mark is None:
            return None
        return mark.wall + round((self._clock.monotonic() - mark.monotonic) * SECOND)

    def present(self) -> Instant | None:
        """Return the time that may be destroyed by; ``None`` while the clock is in doubt.

        Raises: ``CatalogUnavailable``.
        """
        mark, now_s = self._believed, self._clock.monotonic()
        if mark is not None and now_s - mark.monotonic < FRESH_S:
            return self.believed()
        if now_s < self._rests_until:
            return None
        if self.doubt():
            self._rests_until = self._clock.monotonic() + RESTS_S
            return None
        return self.believed()

    def last(self) -> Instant:
        """Return the time that was proven last, by whichever node; 0 when none ever was.

        It asks no other clock, so it is for who cannot wait: what is over by it is over.
        Raises: ``CatalogUnavailable``.
        """
        return int(self._progress.of(PROVEN).get("wall", 0))

    def _believe(self, mark: _Mark, *, vouched: bool) -> None:
        now = mark.wall
        if self._believed is None or abs(now - self._believed.wall) >= 30 * SECOND:
            known = self._progress.of(PROVEN)
            alone = known.get(ALONE)
            if alone is not None and self._was_wrong(mark, known, vouched=vouched):
                alone = self._began = None
            since = {} if vouched else {ALONE: now if alone is None else alone}
            self._progress.put(PROVEN, {"wall": now, **since}, now)
        self._began = now if self._began is None else self._began
        self._believed, self._doubted = mark, None

    def _was_wrong(self, mark: _Mark, known: Mapping[str, int], *, vouched: bool) -> bool:
        """Have what was committed dated anew where nobody vouched for a clock that was behind.

        Where it was set while no recorder ran, only another clock tells that from a machine that
        was off.
        """
        if self._believed is not None and self._began is not None:
            gone, since = mark.wall - _expected(self._believed, mark), self._began
        else:
            gone, since = (mark.wall - known["wall"] if vouched else 0), 0
        if gone <= AWAY:
            return False
        self._date_anew(max(since, known[ALONE]) - HOUR, mark.wall)
        return True

    def _ask(self, now: Instant) -> tuple[str, frozenset[str]]:
        """Return what an outside clock has against ours, and who agrees that is not our own."""
        agree = set[str]()
        for name, ask in self._outside.items():
            try:
                theirs = ask()
            except RecorderError:
                continue  # it cannot say now
            if theirs is None:
                continue
            if abs(now - theirs) > OFF:
                return f"the clock is {_apart(now, theirs)} {name}", frozenset()
            if not self._is_own(name):
                agree.add(name)
        return "", frozenset(agree)

    def _step(self, now: Instant) -> str:
        """Say whether the clock went otherwise than time since it was believed."""
        mark = _Mark(now, self._clock.monotonic())
        for since in (self._believed, self._first):
            expected = _expected(since, mark) if since is not None else now
            if _far(now, expected):
                return f"the clock stepped: it is {_apart(now, expected)} it"
        return ""

    def _past(self, now: Instant) -> str:
        """Compare a clock that this process has not believed yet with what is known."""
        if self._believed is not None:
            return ""
        known = self._progress.of(PROVEN).get("wall")
        if known is not None:
            last = int(known)
            if now < last - OFF:
                return f"the clock is {_apart(now, last)} the last sweep"
            return _away(now, last, "the last sweep")
        newest = self._planning.newest()
        if newest is None:
            return ""
        if newest > now + AWAY:
            return f"the clock is {_apart(now, newest)} the newest footage"
        return _away(now, newest, "the newest footage")

    def _steady(self, now: Instant, *, known_wrong: bool) -> bool:
        """Tell whether a doubted clock has run steadily for so long that it is believed."""
        mark = _Mark(now, self._clock.monotonic())
        if self._doubted is None or known_wrong:
            self._doubted = mark
            return False
        passed = mark.monotonic - self._doubted.monotonic
        if _far(now, self._doubted.wall + round(passed * SECOND)):
            self._doubted = mark
            return False
        return passed >= STEADY_S


def _expected(since: _Mark, mark: _Mark) -> Instant:
    """Return what a clock should show that was right before."""
    return since.wall + round((mark.monotonic - since.monotonic) * SECOND)


def _far(one: Instant, other: Instant) -> bool:
    return abs(one - other) > OFF


def _away(now: Instant, last: Instant, what: str) -> str:
    if now - last <= AWAY:
        return ""
    return (
        f"{what} was at {format_instant(last, 0)}, {format_duration(now - last)} ago, "
        "and no other clock says that so much time has passed"
    )


def _apart(now: Instant, other: Instant) -> str:
    seconds = round(abs(now - other) / SECOND) * SECOND
    return f"{format_duration(seconds)} {'ahead of' if now > other else 'behind'}"
