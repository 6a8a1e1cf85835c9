"""What another document would change: a plan under the one, against a plan under the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.plan import Condemn, Plan
from recorder.model.sizes import format_size
from recorder.model.timebase import DAY


@dataclass(frozen=True, slots=True)
class Change:
    """What goes sooner, and what would stay, when one document replaces another.

    ``by_camera`` are camera-days that go sooner, the most affected first.
    """

    sooner: tuple[Condemn, ...]
    spared: tuple[Condemn, ...]
    by_camera: Mapping[str, float]

    @property
    def said(self) -> str:
        """One sentence for a person."""
        return (
            f"would delete {_said(self.sooner)} sooner, and spare {_said(self.spared)}; "
            "0 held"  # no plan condemns what is held: law L5
        )


def compare(present: Plan | None, proposed: Plan) -> Change:
    """Compare two plans made from the same facts; ``None``: no document was in force."""
    before = {_name(one): one for one in present.actions} if present is not None else {}
    after = {_name(one): one for one in proposed.actions}
    sooner = tuple(one for name, one in after.items() if name not in before)
    spared = tuple(one for name, one in before.items() if name not in after)
    days: dict[str, float] = {}
    for one in sooner:
        days[one.stream.camera] = days.get(one.stream.camera, 0.0) + (one.end - one.start) / DAY
    ranked = dict(sorted(days.items(), key=lambda pair: -pair[1]))
    return Change(sooner, spared, ranked)


def _name(one: Condemn) -> tuple[str, int, str]:
    return (str(one.stream), one.start, one.writer)


def _said(actions: Iterable[Condemn]) -> str:
    many = list(actions)
    size = sum(one.size_bytes for one in many)
    days = sum(one.end - one.start for one in many) / DAY
    return f"{format_size(size)} / {days:.3g} camera-days"
