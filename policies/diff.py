"""What another document would change: a plan under the one, against a plan under the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from policies.plan import Condemn, Move, Plan, Thin
from recorder.model.keys import CameraId, said_of
from recorder.model.sizes import format_size
from recorder.model.timebase import DAY, TimeRange

Action = TypeVar("Action", Condemn, Thin, Move)


@dataclass(frozen=True, slots=True)
class Change:
    """What goes sooner, and what would stay, when one document replaces another.

    ``thinned`` are made thin sooner, ``whole`` are made thin no more (they stay whole, or go
    altogether).  ``moved`` are put into another store sooner.
    ``by_camera`` are camera-days that go sooner, the most affected first.
    ``held`` counts what goes sooner although a hold keeps it: none, or a law is broken.
    """

    sooner: tuple[Condemn, ...]
    spared: tuple[Condemn, ...]
    thinned: tuple[Thin, ...]
    whole: tuple[Thin, ...]
    moved: tuple[Move, ...]
    by_camera: Mapping[str, float]
    held: int

    @property
    def said(self) -> str:
        """One sentence for a person."""
        thin = ""
        if self.thinned or self.whole:
            thin = f"; would thin {_said(self.thinned)} sooner, and {_said(self.whole)} no more"
        if self.moved:
            thin += f"; would move {_said(self.moved)} to another store sooner"
        return (
            f"would delete {_said(self.sooner)} sooner, and spare {_said(self.spared)}{thin}; "
            f"{self.held} held"
        )


def compare(
    present: Plan | None, proposed: Plan, holds: Mapping[CameraId, Sequence[TimeRange]]
) -> Change:
    """Compare two plans made from the same facts; ``None``: no document was in force.

    ``holds``: the ranges that live holds keep, by camera.
    """
    before = _named(present.actions if present is not None else ())
    after = _named(proposed.actions)
    thin_before = _named(present.thins if present is not None else ())
    thin_after = _named(proposed.thins)
    sooner = _without(after, before)
    days: dict[str, float] = {}
    for one in sooner:
        days[one.stream.camera] = days.get(one.stream.camera, 0.0) + (one.end - one.start) / DAY
    return Change(
        sooner,
        _without(before, after),
        _without(thin_after, thin_before),
        _without(thin_before, thin_after),
        _without(_named(proposed.moves), _named(present.moves if present is not None else ())),
        dict(sorted(days.items(), key=lambda pair: -pair[1])),
        sum(1 for one in sooner if _is_held(one, holds)),
    )


def _is_held(one: Condemn, holds: Mapping[CameraId, Sequence[TimeRange]]) -> bool:
    own = TimeRange(one.start, one.end)
    return any(held.overlaps(own) for held in said_of(holds, one.stream.camera_id))


def _named(actions: Iterable[Action]) -> dict[tuple[str, int, str], Action]:
    return {(str(one.stream), one.start, one.writer): one for one in actions}


def _without(
    these: Mapping[tuple[str, int, str], Action], those: Mapping[tuple[str, int, str], Action]
) -> tuple[Action, ...]:
    return tuple(one for name, one in these.items() if name not in those)


def _said(actions: Sequence[Condemn] | Sequence[Thin] | Sequence[Move]) -> str:
    size = sum(one.size_bytes for one in actions)
    days = sum(one.end - one.start for one in actions) / DAY
    return f"{format_size(size)} / {days:.3g} camera-days"
