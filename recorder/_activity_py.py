"""The twin of the compiled activity: how unusual is what changes in the picture.

A camera spends bytes on predicted frames where the picture differs from the one before.
Their mean size in a fragment, against a running baseline of the quiet scene, hints at
motion without decoding anything.
"""

from __future__ import annotations

from typing import Any

UNIT = 8
"""Score of a fragment as far from the baseline as is usual for a quiet scene."""


def activity(size: Any, sync: Any, first: Any, base: int, spread: int) -> tuple[bytes, int, int]:
    """Score every fragment; return the scores, and the state to go on with.

    ``base`` and ``spread``: usual mean size of a predicted frame and the usual distance from
    it, in 1/256 byte; 0 at the start.  Both are running medians, by steps: a short event hardly
    moves them, and a scene that stays different is the usual one after minutes.  Below 1/64 of
    the mean nothing is unusual.  More or less are both unusual: what covers noise saves bytes.
    """
    if len(first) and (first[-1] > min(len(size), len(sync)) or first[0] < 0):
        raise ValueError("fragments beyond the frames")
    scores = bytearray()
    for i in range(len(first) - 1):
        if first[i] > first[i + 1]:
            raise ValueError("fragments out of order")
        total = count = 0
        for j in range(first[i], first[i + 1]):
            if not sync[j]:
                total += size[j]
                count += 1
        if not count:
            scores.append(0)
            continue
        mean = (total << 8) // count
        if not base:
            base, spread = mean + 1, mean >> 4
        usual = max(spread, base >> 6, 64)
        apart = abs(mean - base)
        scores.append(min(UNIT * apart // usual, 255))
        step = min(apart >> 3, usual >> 2)
        base = max(256, base + step if mean > base else base - step)
        spread = usual + (usual >> 4 if apart > usual else -(usual >> 4))
    return bytes(scores), base, spread
