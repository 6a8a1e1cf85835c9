"""What a recording holds of a camera, against what the camera sent."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from recorder.model.timebase import TimeRange, format_instant, parse_instant, subtract
from tests.support.live import SECOND, Sent
from tests.support.nodes import Node
from tests.support.shown import read_timed
from tests.support.trials import try_clips, try_frames

EDGE_NS = SECOND // 2
"""Where pictures come and go, spans may be placed so far beside: that is told as ``taken``."""
NEAR_S = 0.1
"""A picture is placed right when it is no further from when it was taken."""
NOWHERE = (9e9, 9e9, 9e9)


@dataclass(frozen=True, slots=True)
class Away:
    """A gap of the timeline: when it begins after the first picture, how long it is, why."""

    at_s: float
    long_s: float
    cause: str


@dataclass(frozen=True, slots=True)
class Seen:
    """All figures of one camera.

    ``kept``: share of the pictures sent whole that can be shown; ``missing`` are the others,
    ``strangers`` what was never sent, ``doubles`` what is shown twice.  ``covered``: share of
    the time of sending that the timeline calls covered.  ``gaps``: all within; ``false_gaps``:
    those where pictures were sent; ``overlaps``: spans that begin before the end of another.
    ``late``: placed minus sent, ``taken``: placed minus taken; earliest, middle and latest, in
    seconds.  ``returns``: seconds from the end of a session to the next.  ``wrong_clips`` and
    ``wrong_frames``: each of so many trials that was not exact; ``said``: why there is nothing.
    """

    sent: int
    sessions: int
    kept: float
    missing: tuple[int, ...]
    strangers: tuple[int, ...]
    doubles: tuple[int, ...]
    covered: float
    spans: int
    overlaps: int
    gaps: tuple[Away, ...]
    false_gaps: tuple[Away, ...]
    late: tuple[float, float, float]
    taken: tuple[float, float, float]
    runs: int
    returns: tuple[float, ...]
    conditions: tuple[str, ...]
    wrong_clips: tuple[str, ...]
    wrong_frames: tuple[str, ...]
    said: str = ""

    def faults(
        self, *, most_runs: int = 1, exact: bool = True, placed: bool = True,
        punctual: bool = True, reordered: bool = False, ends: bool = False,
    ) -> list[str]:  # fmt: skip
        """Tell what is not as it must be with a camera.

        ``exact``: every picture decodes by itself; ``placed``: stamps tell the time;
        ``punctual``: each picture is sent when it is taken; ``reordered``: but for those that
        wait for others; ``ends``: the camera ends sessions.
        """
        found = {
            f"nothing: {self.said}": bool(self.said),
            f"covered {self.covered:.4f}": self.covered < 0.999,
            f"false gaps {self.false_gaps}": bool(self.false_gaps),
            f"{self.overlaps} overlaps": self.overlaps > 0,
            f"{self.runs} runs": self.runs > most_runs,
            f"conditions {self.conditions}": not ends and bool(self.conditions),
            f"kept {self.kept:.4f}, not {self.missing[:8]}": exact and self.kept < 0.999,
            f"strangers {self.strangers[:8]}": exact and bool(self.strangers),
            f"doubles {self.doubles[:8]}": exact and bool(self.doubles),
            f"wrong clips {self.wrong_clips}": exact and bool(self.wrong_clips),
            f"wrong frames {self.wrong_frames}": exact and bool(self.wrong_frames),
            f"placed {self.taken} s after they were taken": placed
            and punctual
            and not _near(self.taken),
            f"placed {self.late[2]} s after they had come": placed and self.late[2] > NEAR_S,
            f"placed {self.late} s after they were sent": placed
            and punctual
            and not reordered
            and not _near(self.late[1:2]),
        }
        return [text for text, wrong in found.items() if wrong]


def _near(offsets: Sequence[float]) -> bool:
    return all(abs(one) <= NEAR_S for one in offsets)


def measure(
    node: Node, name: str, sent: Sequence[Sent], folder: Path, *, later: Sequence[Sent] = (),
    left: Container[int] = (), returns: Sequence[float] = (), runs: int = 1,
    conditions: Sequence[str] = (),
) -> Seen:  # fmt: skip
    """Ask a node for everything it has of a camera, and compare.

    ``later``: what may be there, but need not; ``left``: sessions that the recorder ended
    though pictures came.
    """
    times = stretches(sent, left)
    begin, end = times[0].start, times[-1].end
    line = node.timeline(name, begin - 30 * SECOND, end + 30 * SECOND)
    shown, said = whole(node, name, TimeRange(begin - 5 * SECOND, end + 5 * SECOND), folder)
    at = {number: when for number, when in shown}
    kept = [one for one in sent if one.whole]
    pairs = [(at[one.number], one) for one in kept if one.number in at]
    aways = [(gap, _away(gap, cause, begin)) for gap, cause in _gaps(line, begin, end)]
    inner = [_inner(one) for one in times if one.duration_ns > 2 * EDGE_NS]
    spans = sorted((_range(one) for one in line["spans"]), key=lambda one: one.start)
    dice = random.Random(name)
    return Seen(
        sent=len(kept),
        sessions=len({one.session for one in sent}),
        kept=len(pairs) / len(kept),
        missing=tuple(one.number for one in kept if one.number not in at),
        strangers=tuple(sorted(set(at) - {one.number for one in (*sent, *later)})),
        doubles=tuple(
            sorted(one for one, times in Counter(n for n, _ in shown).items() if times > 1)
        ),
        covered=_share(inner, spans),
        spans=len(spans),
        overlaps=sum(b.start < a.end - SECOND // 1000 for a, b in itertools.pairwise(spans)),
        gaps=tuple(away for _, away in aways),
        false_gaps=tuple(a for gap, a in aways if any(gap.overlaps(one) for one in inner)),
        late=_spread([when - one.sent_ns for when, one in pairs]),
        taken=_spread([when - one.captured_ns for when, one in pairs]),
        runs=runs,
        returns=tuple(returns),
        conditions=tuple(conditions),
        wrong_clips=try_clips(node, name, shown, folder, dice),
        wrong_frames=try_frames(node, name, shown, dice),
        said=said,
    )


def stretches(sent: Sequence[Sent], left: Container[int] = ()) -> list[TimeRange]:
    """Return when pictures were to be had without a break, by when they were taken.

    A break is a number that was left out, or another session, but for those ``left``.
    """
    order = sorted(sent, key=lambda one: (one.session, one.number))
    step = _step(order)
    found = [TimeRange(order[0].captured_ns, order[0].captured_ns + step)]
    for last, one in itertools.pairwise(order):
        next_one = (last.session, last.number + 1) == (one.session, one.number)
        joined = next_one or (last.session != one.session and last.session in left)
        begin = found.pop().start if joined else one.captured_ns
        found.append(TimeRange(begin, one.captured_ns + step))
    return found


def _step(order: Sequence[Sent]) -> int:
    """Say how long a camera's last picture stays: as long as the shortest one."""
    steps = [b.captured_ns - a.captured_ns for a, b in itertools.pairwise(order)]
    return min((step for step in steps if step > 0), default=SECOND // 25)


def whole(
    node: Node, name: str, asked: TimeRange, folder: Path
) -> tuple[list[tuple[int, int]], str]:
    """Show all of a range; return number and wall-clock time of each picture, by time.

    What the node said is returned where it refused.
    """
    path = folder / f"{name}-whole.mp4"
    answer = node.clip(name, asked.start, asked.end)
    if answer.status_code != 200:
        return [], f"{answer.status_code} {answer.text[:200]}"
    path.write_bytes(answer.content)
    params = {"start": format_instant(asked.start, 9), "end": format_instant(asked.end, 9)}
    parts = node.http.get(f"/api/v1/cameras/{name}/clip.json", params=params).json()["parts"]
    shown = [(number, _wall(at, parts)) for number, at in read_timed(path)]
    return sorted(shown, key=lambda one: one[1]), ""


def _wall(at_ns: int, parts: Sequence[dict[str, Any]]) -> int:
    """Turn a time of the clip into one of the wall clock, along the part it lies in."""
    half_tick = 5_000
    part = next(
        (one for one in reversed(parts) if one["clip_start_s"] * SECOND <= at_ns + half_tick),
        parts[0],
    )
    begin, end = parse_instant(str(part["start"])), parse_instant(str(part["end"]))
    first, last = (round(float(part[edge]) * SECOND) for edge in ("clip_start_s", "clip_end_s"))
    return begin + (at_ns - first) * (end - begin) // max(1, last - first)


def _range(one: dict[str, str]) -> TimeRange:
    return TimeRange(parse_instant(one["start"]), parse_instant(one["end"]))


def _gaps(line: dict[str, Any], begin: int, end: int) -> list[tuple[TimeRange, str]]:
    """Return the gaps of a timeline between first and last picture, with their causes."""
    inside = TimeRange(begin + EDGE_NS, max(begin + EDGE_NS, end - EDGE_NS))
    found = ((_range(gap).clamp(inside), str(gap["cause"])) for gap in line["gaps"])
    return [(gap, cause) for gap, cause in found if gap is not None]


def _away(gap: TimeRange, cause: str, begin: int) -> Away:
    return Away(round((gap.start - begin) / SECOND, 3), round(gap.duration_ns / SECOND, 3), cause)


def _inner(one: TimeRange) -> TimeRange:
    return TimeRange(one.start + EDGE_NS, one.end - EDGE_NS)


def _share(parts: Sequence[TimeRange], spans: Sequence[TimeRange]) -> float:
    """Return how much of the parts the spans cover."""
    total = sum(part.duration_ns for part in parts)
    dark = sum(one.duration_ns for part in parts for one in subtract(part, list(spans)))
    return 1 - dark / total if total else 0.0


def _spread(offsets: Sequence[int]) -> tuple[float, float, float]:
    if not offsets:
        return NOWHERE
    return tuple(round(one / SECOND, 3) for one in (min(offsets), median(offsets), max(offsets)))  # type: ignore[return-value]
