"""Four eyes: what one person asks to see or export, and another approves.  Pure.

An approval is for the person who asked, one camera, one range and one act; it ends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from recorder.access.permissions import FOOTAGE, Permission
from recorder.errors import BadDocument, RequestError, StateError
from recorder.model.checks import check_text
from recorder.model.keys import CameraId
from recorder.model.timebase import (
    DAY,
    HOUR,
    Instant,
    TimeRange,
    format_duration,
    format_instant,
    format_known,
)

ASKED_NS = DAY
"""So long somebody may take to answer."""
LASTS_NS = HOUR
"""How long an approval counts, if nothing else is said."""
MOST_ASKED = 50
"""Requests of one person that nobody has answered."""
MOST_TEXT = 256


Ends = tuple[TimeRange, TimeRange]
"""The first and the last fragment of those that are meant; both may be one."""


class State(StrEnum):
    """What became of a request; its time may be over besides."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


ENDED = (State.REFUSED, State.WITHDRAWN)
"""What stays so, whatever the time."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What ``by`` has approved, as far as a decision needs it; ``until``: it counts no more."""

    action: Permission
    camera: CameraId
    range: TimeRange
    until: Instant
    by: str

    def covers(
        self,
        action: Permission,
        camera: CameraId,
        asked: TimeRange,
        ends: Ends | None,
        now: Instant,
    ) -> bool:
        """Tell whether it is for what is asked: all of that lies within it.

        Of fragments those at either end need only touch it: they cannot be decoded in part, and
        playback shows from the clean point before a range on.
        """
        if action is not self.action or camera != self.camera or now >= self.until:
            return False
        if ends is not None:
            return all(one.overlaps(self.range) for one in ends)
        return self.range.start <= asked.start and asked.end <= self.range.end


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks to be allowed.

    ``who``: such as ``user:lea``; ``until``: when it, or what was approved, counts no more.
    """

    request_id: str
    who: str
    action: Permission
    camera: CameraId
    range: TimeRange
    purpose: str
    asked: Instant
    until: Instant
    state: State = State.ASKED
    decided: Instant | None = None
    by: str = ""
    reason: str = ""

    @property
    def approval(self) -> Approval:
        """What it is to a decision, once it is approved."""
        return Approval(self.action, self.camera, self.range, self.until, self.by)


def read_action(text: object) -> Permission:
    """Read what can need an approval.

    Raises: ``BadDocument``.
    """
    given = sorted(FOOTAGE)
    if text not in given:
        hint = "there are " + ", ".join(given)
        raise BadDocument(f"action {str(text)[:64]!r}: needs no approval", hint=hint)
    return Permission(str(text))


def read_purpose(text: object) -> str:
    """Read what a request is for: whoever is to approve it must know.

    Raises: ``RequestError``.
    """
    purpose = check_text(text, "purpose", MOST_TEXT).strip()
    if not purpose:
        raise RequestError("purpose: say what it is for")
    return purpose


def check_lasts(lasts_ns: int, most_ns: int) -> int:
    """Return how long an approval counts.

    Raises: ``RequestError``.
    """
    if not 0 < lasts_ns <= most_ns:
        raise RequestError(f"lasts: must be within {format_duration(most_ns)}")
    return lasts_ns


def check_open(request: Request, now: Instant, *, to: State) -> None:
    """Refuse to answer what is answered, or too old; what was approved can still be ended.

    Raises: ``StateError``.
    """
    ending = to in ENDED and request.state is State.APPROVED
    if now >= request.until or (request.state is not State.ASKED and not ending):
        raise StateError(
            f"request {request.request_id}: is {shown_state(request, now)}",
            hint="it can be asked anew",
        )


def shown_state(request: Request, now: Instant) -> str:
    """Say what became of a request: ``expired`` is what nobody answered, or what is over."""
    over = now >= request.until and request.state not in ENDED
    return "expired" if over else request.state.value


def show_request(request: Request, now: Instant, label: str) -> dict[str, object]:
    """Show a request; ``label``: what people call its camera."""
    return {
        "id": request.request_id,
        "state": shown_state(request, now),
        "who": request.who,
        "action": request.action.value,
        "camera": str(request.camera),
        "label": label or None,
        "start": format_instant(request.range.start, 9),
        "end": format_instant(request.range.end, 9),
        "purpose": request.purpose,
        "asked": format_instant(request.asked, 0),
        "until": format_instant(request.until, 0),
        "decided": format_known(request.decided, 0),
        "by": request.by or None,
        "reason": request.reason or None,
    }
