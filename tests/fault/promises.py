"""What must be there, and what must be gone: a model of its own, beside the product's.

Times are cut into slots of a fifth of a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from recorder.model.timebase import SECOND

SLOT_NS = SECOND // 5
MARGIN_NS = 6 * SECOND
"""A moment that two clocks, a sweep and a message see a bit apart."""
WHOLE_NS = 9 * SECOND
"""Segments stay whole: so much beside what is kept may stay with it."""
NEVER = 1 << 62


@dataclass
class Kept:
    """A hold, or an event: what keeps a stretch of a camera from one moment to another."""

    site: str
    at: str
    """Where it was said."""
    start: int
    end: int
    since: int
    until: int = NEVER
    sure: bool = True
    """Not so where nobody knows whether it arrived, or whether it was noted before a loss."""
    undone: bool = True
    """Whether ``until`` is sure to count, likewise."""

    def ends(self, sure: bool) -> int:
        """Return until when it keeps; ``sure``: at least."""
        return self.until if sure or self.undone else NEVER


@dataclass
class Promises:
    """Says of each moment of a site's camera until when it must be there.

    ``age``: how long it is kept by policy, ``None`` for ever.
    """

    age: int | None = None
    kept: dict[str, Kept] = field(default_factory=dict)
    shed: list[tuple[str, int, int]] = field(default_factory=list)
    """What nobody may be blamed for: (site, from, to)."""

    def until(self, site: str, slot: int, *, sure: bool) -> int:
        """Return when it may go; ``sure``: by what certainly keeps it, else by what may."""
        at = slot * SLOT_NS
        free = at + self.age if self.age is not None else NEVER
        slack, beside = (-MARGIN_NS, 0) if sure else (2 * MARGIN_NS + 60 * SECOND, WHOLE_NS)
        changed = True
        while changed:
            changed = False
            for one in self.kept.values():
                covers = one.start - beside <= at <= one.end + beside and one.site == site
                counts = covers and (one.sure or not sure)
                if counts and one.since <= free + slack and free < one.ends(sure):
                    free, changed = one.ends(sure), True
        return free

    def must(self, site: str, slot: int, now: int) -> bool:
        """Tell whether it has to be shown now."""
        if any(one == site and a <= slot * SLOT_NS <= b for one, a, b in self.shed):
            return False
        return self.until(site, slot, sure=True) > now + MARGIN_NS

    def must_not(self, site: str, slot: int, now: int, grace: int) -> bool:
        """Tell whether it has to be gone by now."""
        return self.until(site, slot, sure=False) + grace + WHOLE_NS < now

    def doubt(self, at: str, since: int) -> None:
        """A catalog was lost: what was said there since may not have been kept."""
        for one in self.kept.values():
            if one.at == at:
                one.sure &= one.since < since
                one.undone &= one.until < since or one.until == NEVER
