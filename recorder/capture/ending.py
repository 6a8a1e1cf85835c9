"""Why an ffmpeg ended, and how much longer the next one waits for what it lacked.  Pure."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass, replace

from recorder.capture import command, lines

LEAST_QUIET_S, MOST_QUIET_S = 5.0, 60.0
LOOK_S = 0.5
"""How often a run is looked at."""
LINGER_S = 1.5
"""ffmpeg itself ends a session so much later than its silence is called a stall, and writes all
that it has; told to end while it waits for the camera, it would not.  It does so after twice
the time-out it is given."""
CUT_SHORT = (
    "it ended the connection without an answer, or what answers speaks no RTSP; check address and "
    "port, and whether the camera takes one more client"
)
_STARTLESS = {"no-parameters", "unsupported-codec", "bad-source", "timeout"}
"""What ffmpeg says, in one or the other release, where it has nothing to write a header from."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long ffmpeg waits.

    ``quiet_s``: for the next byte, altogether.  ``analyze_s``: how long it looks at a source
    before it writes.
    """

    quiet_s: float
    analyze_s: float = command.ANALYZE_S

    @staticmethod
    def at_first(stall_s: float) -> Patience:
        """Return what a stream is given that is called stalled after so long a silence."""
        return Patience(max(LEAST_QUIET_S, stall_s + LINGER_S))

    @property
    def first_s(self) -> float:
        """How long it waits for a first byte; after that it asks once more, once it has begun."""
        return self.quiet_s / 2

    @property
    def flush_s(self) -> float:
        """After how long without a byte it lets go of what it holds; it looks every 0.1 s."""
        return self.first_s + 0.1

    def after(self, condition: str, most_s: float = MOST_QUIET_S) -> Patience:
        """Return what the next try is given after one that ended so; at ``most_s`` of silence."""
        if condition == "timeout":
            return replace(self, quiet_s=max(self.quiet_s, min(most_s, 2 * self.quiet_s)))
        if condition == "no-parameters":
            return replace(self, analyze_s=command.PATIENT_S)
        return self

    def is_over(self, waited_s: float) -> bool:
        """Tell whether it was for want of a first picture that so long a wait ended."""
        return waited_s >= max(self.analyze_s, self.first_s) - LOOK_S


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def why_ended(
    errors: Iterable[str],
    status: int,
    waited_s: float,
    patience: Patience,
    unheard: bool = False,
    footage: bool = False,
    foreign: str | None = None,
) -> tuple[str, str]:
    """Name the condition, and say what a person should read.

    ``errors``: the last lines of ffmpeg's errors; ``waited_s``: how long it waited for a first
    picture after the source had said what it offers, 0 where one came.  Without a picture it
    complains of parameters: their lack is no fault of the camera's then.  ``unheard``: the source
    has not said what it offers, and was waited for since it was asked; of one that says nothing at
    all ffmpeg says that its data is invalid.  ``footage``: there was some; silence is a stall then,
    whether it was noticed here first or by ffmpeg.  ``foreign``: it has not said one word of
    ffmpeg's, but perhaps something else: what is called ffmpeg does not run (its libraries are not
    there, say), or is another program; ``None``: it has.
    """
    errors = list(errors)
    if status < 0:  # nobody here has ended it; of what the source does it says nothing
        return "program-killed", f"ffmpeg was ended by {_signal(-status)}"
    if foreign is not None:
        return "cannot-start", f"ffmpeg ended with status {status}: {lines.said(foreign) or '-'}"
    named = [(name, line) for line in errors if (name := lines.condition_of(line))]
    names = {name for name, _ in named}
    if unheard:
        if waited_s >= patience.first_s - LOOK_S and names == {"bad-source"}:
            return "timeout", f"it said nothing in {waited_s:.0f} s"
        if named and all(lines.is_no_answer(line) for _, line in named):
            return "bad-source", CUT_SHORT
    elif patience.is_over(waited_s) and named and names <= _STARTLESS:
        return "timeout", f"no picture came in {waited_s:.0f} s; the next try waits longer"
    # of a disk that refuses the first line tells: what is tried after that goes wrong of itself
    of_spool = [(name, line) for line in errors if (name := lines.spool_condition_of(line))]
    # where parameters lack, the last line is about the container, and says less
    lacks = [(name, line) for name, line in named if name == "no-parameters"]
    if named:
        name, line = of_spool[0] if of_spool else (lacks or named)[-1]
        if footage and name == "timeout" and "timed out" in line:
            name = "stall"
        return name, lines.said(line)
    if errors:
        return "ended", lines.said(errors[-1])
    return "ended", f"ffmpeg ended with status {status}"
