"""``python -m bench [NAME …]``: run measurements, print one JSON object each."""

from __future__ import annotations

import json
import platform
import signal
import sys
from collections.abc import Callable
from typing import Any

from bench import (
    access,
    activity,
    audit,
    clip,
    clips,
    day,
    door,
    evidence,
    feed,
    fragments,
    index,
    inputs,
    node,
    plan,
    readers,
    scale,
    spool,
    start,
    timeline,
)

ALL: dict[str, Callable[[], dict[str, Any]]] = {
    "access": access.measure,
    "index": index.measure,
    "timeline": timeline.measure,
    "clip": clip.measure,
    "clips": clips.measure,
    "day": day.measure,
    "door": door.measure,
    "evidence": evidence.measure,
    "node": node.measure,
    "readers": readers.measure,
    "feed": feed.measure,
    "plan": plan.measure,
    "activity": activity.measure,
    "audit": audit.measure,
    "scale": scale.measure,
    "fragments": fragments.measure,
    "start": start.measure,
    "spool": spool.measure,
    "inputs": inputs.measure,
}


def _end(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)


def main() -> None:
    """Run what was named, or everything; what it started ends with it, also when it is ended."""
    signal.signal(signal.SIGTERM, _end)
    for name in sys.argv[1:] or list(ALL):
        result = {"bench": name, "machine": platform.processor() or platform.machine()}
        print(json.dumps({**result, **ALL[name]()}, indent=2), flush=True)


main()
