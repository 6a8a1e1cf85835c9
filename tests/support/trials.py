"""Clips and stills of instants by chance, against what the whole recording shows."""

from __future__ import annotations

import os
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path

from recorder.model.timebase import format_instant, parse_instant
from tests.support.live import SECOND
from tests.support.nodes import Node
from tests.support.shown import read_stills
from tests.support.streams import decode_all

TRIALS = 24 if "SPANSTORE_TEST_LONG" in os.environ else 8
"""How often chance is tried; each trial decodes what it was given."""
RULER_NS = 5 * SECOND // 1000
"""Each segment's times are fitted by themselves: a straight line through a span is so far off."""


def try_clips(
    node: Node, name: str, shown: Sequence[tuple[int, int]], folder: Path, dice: random.Random
) -> tuple[str, ...]:
    """Take clips of ranges by chance; tell each that has not just the range's pictures."""
    asked = []
    times = [when for _, when in shown]
    for _ in range(TRIALS if len(shown) > 1 else 0):
        at = dice.randrange(times[0], times[-1])
        long = round(SECOND * 10 ** dice.uniform(-0.7, 0.9))
        start, end = sorted(_between(times, one, dice) for one in (at, at + long))
        due = [number for number, _ in shown[bisect_left(times, start) : bisect_left(times, end)]]
        asked.append((start, end, due, node.clip(name, start, end)))
    paths = {i: folder / f"{name}-{i}.mp4" for i, one in enumerate(asked) if one[3].is_success}
    for i, path in paths.items():
        path.write_bytes(asked[i][3].content)
    shown_by = dict(zip(paths, decode_all(list(paths.values())) if paths else [], strict=True))
    wrong = []
    for i, (start, end, due, answer) in enumerate(asked):
        status = answer.status_code
        got = shown_by.get(i, [] if status == 404 else [-status])
        if got != due:
            wrong.append(
                f"{format_instant(start, 6)}+{(end - start) / SECOND:.3f}s: {_differ(due, got)}"
            )
    return tuple(wrong)


def _between(times: Sequence[int], at: int, dice: random.Random) -> int:
    """Return an instant between the picture before and the one after, near neither."""
    place = min(max(bisect_right(times, at) - 1, 0), len(times) - 2)
    return times[place] + round((times[place + 1] - times[place]) * dice.uniform(0.2, 0.8))


def _differ(due: Sequence[int], got: Sequence[int]) -> str:
    ends = [f"{one[0]}…{one[-1]} ({len(one)})" if one else "none" for one in (due, got)]
    first = next((pair for pair in zip(due, got, strict=False) if pair[0] != pair[1]), "the end")
    return f"not {ends[0]} but {ends[1]}, from {first} on"


def try_frames(
    node: Node, name: str, shown: Sequence[tuple[int, int]], dice: random.Random
) -> tuple[str, ...]:
    """Ask for stills at instants by chance; tell each that is not the picture on screen then."""
    wrong, stills, dues = [], [], []
    times = [when for _, when in shown]
    for _ in range(TRIALS if len(shown) > 1 else 0):
        place = dice.randrange(len(shown) - 1)
        step = min(times[place + 1] - times[place], SECOND // 25)
        at = times[place] + round(step * dice.uniform(0.2, 0.8))
        number, when = shown[bisect_right(times, at) - 1]
        params = {"at": format_instant(at, 9)}
        answer = node.http.get(f"/api/v1/cameras/{name}/frame.jpg", params=params)
        if answer.status_code != 200:
            wrong.append(f"{params['at']}: {answer.status_code} instead of {number}")
            continue
        told = parse_instant(answer.headers["X-Frame-Time"])
        if abs(told - when) > RULER_NS:
            wrong.append(f"{params['at']}: time {(told - when) / SECOND:+.3f} s beside {number}'s")
        stills.append(answer.content)
        dues.append((params["at"], number))
    for (at_text, number), got in zip(dues, read_stills(stills) if stills else [], strict=True):
        if got != number:
            wrong.append(f"{at_text}: not {number} but {got}")
    return tuple(wrong)
