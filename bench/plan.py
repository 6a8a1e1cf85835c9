"""Claim: a retention plan over 10 million copies takes <= 20 s and <= 1 GiB.

Method: 585 cameras with 17 094 one-minute copies each, in columns as the catalog gives
them; the county's document; half of the cameras with events and a hold.  ``steady``: what
an ordinary sweep finds; ``floor``: a full store where pressure must choose over all lanes.
Memory: the process's, before and after, with the facts in it.
"""

from __future__ import annotations

import resource
import time
from array import array
from typing import Any

from policies.facts import Capacity, StoreFacts, Touch
from policies.presets import COUNTY
from policies.read import parse_policy
from policies.retain import retain
from recorder.model.copies import CopyColumns
from recorder.model.keys import CameraId, StreamId
from recorder.model.timebase import DAY, HOUR, MINUTE, TimeRange

CAMERAS, COPIES = 585, 17_094
NOW = 20_000 * DAY
SIZE = 30_000_000


def measure() -> dict[str, Any]:
    """Run both."""
    lanes = [_lane(n) for n in range(CAMERAS)]
    touches = {
        CameraId("post1", f"cam{n}"): [Touch(TimeRange(t, t + MINUTE), "alarm")
                    for t in range(NOW - 35 * DAY, NOW, 6 * HOUR)]
        for n in range(0, CAMERAS, 2)
    }  # fmt: skip
    holds = {
        CameraId("post1", f"cam{n}"): [TimeRange(NOW - 33 * DAY, NOW - 32 * DAY)]
        for n in range(0, CAMERAS, 2)
    }
    total = CAMERAS * COPIES * SIZE
    result: dict[str, Any] = {"copies": CAMERAS * COPIES}
    for name, free in (("steady", total), ("floor", 0)):
        facts = StoreFacts(
            "main", "post", lanes, NOW, holds, touches, Capacity(free, 2 * total), None
        )
        policy = parse_policy({**COUNTY, "blast_radius": "100%"})
        begin = time.perf_counter()
        plan = retain(policy, facts)
        result[name] = {
            "seconds": round(time.perf_counter() - begin, 2), "actions": len(plan.actions),
        }  # fmt: skip
        del plan
    result["peak_process_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return result


def _lane(number: int) -> CopyColumns:
    group = "key" if number % 10 == 0 else "general"
    first = NOW - 31 * DAY
    step = 31 * DAY // COPIES
    starts = array("q", range(first, first + COPIES * step, step))
    return CopyColumns(
        StreamId("post1", f"cam{number}", "main"), group, starts,
        array("q", (start + MINUTE for start in starts)), array("q", [SIZE]) * COPIES,
        ["n1.1"] * COPIES,
    )  # fmt: skip
