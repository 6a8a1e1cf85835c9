"""Plans as people read them: the whole of what each policy does to a county's footage.

``GOLDEN=write`` writes the files again; read the difference before you commit it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policies.facts import Capacity, StoreFacts, Touch
from policies.presets import COUNTY
from policies.read import parse_policy
from policies.replicate import replicate
from policies.retain import retain
from recorder.model.copies import CopyColumns
from recorder.model.keys import CameraId, StreamId
from recorder.model.timebase import DAY, HOUR, TimeRange

GOLDEN = Path(__file__).parent.parent / "golden"
NOW = 20_000 * DAY
AGES = (200, 120, 95, 89, 60, 31, 29, 10, 8, 6, 3, 1)

THIN: dict[str, Any] = {
    **COUNTY,
    "rules": [
        {**rule, "thin": {"after": "7d", "at": "post"}} if rule["name"] == "general" else rule
        for rule in COUNTY["rules"]
    ],
}


def lanes(copied: bool) -> list[CopyColumns]:
    """Three cameras with an hour of footage at each of :data:`AGES`."""
    found = []
    for camera, group, stream in (
        ("gate", "general", "main"), ("bank", "key", "main"), ("yard", "general", "sub"),
    ):  # fmt: skip
        one = CopyColumns(StreamId("post1", camera, stream), group)
        for age in AGES:
            one.add(NOW - age * DAY - HOUR, NOW - age * DAY, 10**9, "n1.1")
        one.copied = set(range(6)) if copied else set()
        found.append(one)
    return found


def facts(level: str, *, full: bool = False, silent_ns: int = 0, copied: bool = True) -> StoreFacts:
    """An alarm at the gate 8 and 60 days ago; the bank held 95 days ago."""

    def around(age: int) -> TimeRange:
        return TimeRange(NOW - age * DAY - HOUR, NOW - age * DAY)

    return StoreFacts(
        "main", level, lanes(copied), NOW, {CameraId("post1", "bank"): [around(95)]},
        {CameraId("post1", "gate"): [Touch(around(8), "alarm"), Touch(around(60), "checkpoint")]},
        Capacity(0 if full else 250 * 10**9, 500 * 10**9), silent_ns,
    )  # fmt: skip


CASES: dict[str, tuple[dict[str, Any], StoreFacts]] = {
    "post": (COUNTY, facts("post")),
    "post-nothing-copied": (COUNTY, facts("post", copied=False)),
    "post-full": (COUNTY, facts("post", full=True)),
    "post-out-of-touch": (COUNTY, facts("post", silent_ns=100 * HOUR)),
    "post-thin": (THIN, facts("post")),
    "centre": (COUNTY, facts("centre")),
}


def written(document: dict[str, Any], found: StoreFacts) -> Iterator[str]:
    policy = parse_policy(document)
    plan = retain(policy, found)

    def name(stream: StreamId, end: int) -> str:
        return f"{stream.camera + '/' + stream.stream:10} {(NOW - end) // DAY:4} days old"

    yield f"keeps {plan.kept} of {plan.kept + len(plan.actions)}"
    for action in sorted(plan.actions, key=lambda one: (str(one.stream), one.start)):
        yield f"condemn  {name(action.stream, action.end)}  {action.rule}: {action.reason}"
    for one in plan.thins:
        yield f"thin     {name(one.stream, one.end)}  {one.rule}: {one.reason}"
    for transfer in replicate(policy, found):
        yield (
            f"send     {name(transfer.stream, transfer.end)}  to {transfer.to}, "
            f"{transfer.class_}: {transfer.rule}"
        )
    yield from (f"waits    {count} because {why}" for why, count in plan.waiting.items())
    yield from (f"warning  {said}" for said in plan.warnings)
    yield f"stopped  {plan.stopped or 'no'}"


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_plan_is_as_it_was_read_and_agreed_to(name: str) -> None:
    text = "\n".join(written(*CASES[name])) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()
