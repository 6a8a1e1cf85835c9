"""The law on how long footage is kept: limits that no document may pass.  Pure.

Limits stand in a site's settings, not in the document: who may write a policy must not lift the
law with it, and a document from above knows nothing of the law down here.  Of several the first
that matches footage counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, model_validator

from policies.document import FOREVER, Age, Match, Policy, Rule
from policies.doubts import apart, covers
from policies.match import fits
from recorder.errors import BadDocument
from recorder.model.keys import CameraId, StreamId
from recorder.model.timebase import format_duration


class Limit(BaseModel):
    """How long the law wants footage kept, and how long it may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="What the law calls it; it stands in refusals.")
    match: Match = Field(Match(), description="Which footage; by default all.")
    min: Age = Field(0, description="A document must guarantee so much, in one place at least.")
    max: Age = Field(FOREVER, description="A document may keep it no longer, anywhere.")

    @model_validator(mode="after")
    def _possible(self) -> Limit:
        if self.min > self.max:
            raise ValueError("min is more than max")
        return self


@dataclass(frozen=True, slots=True)
class Breach:
    """Where a document breaks the law.  ``short``: footage would go before its time."""

    path: str
    said: str
    short: bool


@dataclass(frozen=True, slots=True)
class Law:
    """The limits at a site; ``level``: the site's, for what a document does not name at all."""

    limits: tuple[Limit, ...] = ()
    level: str = ""

    def check(self, policy: Policy) -> None:
        """Refuse a document that breaks it.

        Raises: ``BadDocument`` with the path of the first breach.
        """
        for one in self.breaches(policy):
            raise BadDocument(
                f"{one.path}: {one.said}", hint="the limits are settings of this site: retention"
            )

    def longest(self, camera: CameraId, group: str) -> tuple[int, str]:
        """Return how long a camera's footage may be kept, and by which limit."""
        stream = StreamId(camera.site, camera.camera, "")
        for one in self.limits:
            if not one.match.event and not one.match.stream and fits(one.match, stream, group):
                return one.max, one.name
        return FOREVER, ""

    def breaches(self, policy: Policy) -> Iterator[Breach]:
        """Find where a document would keep footage longer than it may be, or shorter."""
        for i, limit in enumerate(self.limits):
            for number, rule in enumerate(policy.rules):
                if apart(rule.match, limit.match):
                    continue
                sooner = (one for one in self.limits[:i] if covers(one.match, rule.match))
                if next(sooner, None) is None:
                    yield from _longer(policy, rule, limit, f"rules.{number}", self.level)
                    if not rule.at_least or number == len(policy.rules) - 1:
                        yield from _shorter(policy, rule, limit, f"rules.{number}", self.level)
                if not rule.at_least and covers(rule.match, limit.match):
                    break  # no rule after it decides about what the limit is of


def _longer(policy: Policy, rule: Rule, limit: Limit, path: str, level: str) -> Iterator[Breach]:
    for place, keep in rule.keep.items():
        for where, ages in (("", keep), (".events", keep.events)):
            if ages is not None and ages.max > limit.max:
                said = "for ever" if ages.max >= FOREVER else format_duration(ages.max)
                yield Breach(
                    f"{path}.keep.{place}{where}.max",
                    f"{said} is longer than the {format_duration(limit.max)} that are the most "
                    f"by law ({limit.name})",
                    short=False,
                )
    bare = "any" not in rule.keep and level and level not in policy.levels
    if bare and limit.max < FOREVER:
        yield Breach(
            f"{path}.keep",
            f"at this site's level {level!r}, which is none of the document's, footage would stay "
            f"for ever; the most by law is {format_duration(limit.max)} ({limit.name})",
            short=False,
        )


def _shorter(policy: Policy, rule: Rule, limit: Limit, path: str, level: str) -> Iterator[Breach]:
    """Look at what is recorded at each level, and in each store that the rule names."""
    least: dict[str, list[int]] = {}
    for one in policy.levels:
        least.setdefault(_place(rule, one), []).append(_guaranteed(policy, rule, one))
    for name in rule.keep:  # a store, of which nobody says here at what level it is
        if name not in (*policy.levels, "any"):
            least[name] = [_whole(rule, name, *policy.levels)]
    if level and level not in policy.levels and "any" in rule.keep:
        least.setdefault("any", []).append(_whole(rule, level))
    for place, found in least.items():
        if limit.min <= min(found):
            continue
        thin = place and _kept(rule, place) >= limit.min
        where = _thin_path(rule, min(found)) if thin else f"keep.{place}.min" if place else "keep"
        yield Breach(
            f"{path}.{where}",
            f"{format_duration(min(found))} is less than the {format_duration(limit.min)} that "
            f"must be kept by law ({limit.name})",
            short=True,
        )


def _place(rule: Rule, name: str) -> str:
    """Return what of a rule's keep counts at a level or store; nothing where it keeps none."""
    return next((one for one in (name, "any") if one in rule.keep), "")


def _kept(rule: Rule, name: str) -> int:
    """Return how long a rule guarantees footage at a level or store, whole or thin."""
    place = _place(rule, name)
    if not place:
        return 0
    keep = rule.keep[place]
    return min(keep.min, keep.events.min) if keep.events is not None else keep.min


def _guaranteed(policy: Policy, rule: Rule, level: str) -> int:
    """Return how long footage that is recorded at a level stays whole, in one place at least."""
    above = policy.levels[policy.levels.index(level) + 1 :]
    sent = {one.to for one in rule.replicate if one.what == "all"}
    return max(_whole(rule, one) for one in (level, *(one for one in above if one in sent)))


def _whole(rule: Rule, name: str, *levels: str) -> int:
    """Return how long footage is guaranteed whole at a level, or in a store at one of ``levels``.

    What is said of a store by its name counts before what is said of its level.
    """
    own = [one.after for one in rule.thin if one.at == name]
    return min([_kept(rule, name), *(own or [o.after for o in rule.thin if o.at in levels])])


def _thin_path(rule: Rule, after: int) -> str:
    """Return the path of what thins at an age."""
    number = next((n for n, one in enumerate(rule.thin) if one.after == after), 0)
    return f"thin.{number}.after" if number else "thin.after"
