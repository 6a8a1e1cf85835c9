"""Plans over copies made up for a test."""

from __future__ import annotations

from typing import Any

from policies.facts import StoreFacts
from policies.plan import Plan
from policies.read import parse_policy
from policies.retain import retain
from recorder.model.copies import CopyColumns
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, HOUR

NOW = 1_000 * DAY
ALL = {"name": "all", "keep": {"any": "30d"}}


def lane(
    *ages_d: float, camera: str = "cam", group: str = "general", size: int = 100,
    copied: tuple[int, ...] = (),
) -> CopyColumns:  # fmt: skip
    """Make copies that ended so many days ago, an hour long each, oldest first."""
    one = CopyColumns(StreamId("s", camera, "main"), group)
    for age in sorted(ages_d, reverse=True):
        end = NOW - round(age * DAY)
        one.add(end - HOUR, end, size, "n.1")
    one.copied = set(copied)
    return one


def plan(document: dict[str, Any], *lanes: CopyColumns, level: str = "post", **facts: Any) -> Plan:
    return retain(parse_policy(document), StoreFacts("main", level, lanes, NOW, **facts))


def going(made: Plan) -> list[float]:
    """Ages in days of what goes, in the order of the plan."""
    return [round((NOW - action.end) / DAY, 2) for action in made.actions]
