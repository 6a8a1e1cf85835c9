"""When something is heard in a file."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

from tests.support.media import FF5

RATE, LOUD = 8000, 4000
QUIET_S = 0.3


def heard(path: Path, ffmpeg: str = FF5) -> list[float]:
    """Decode a file with an independent ffmpeg; say at which seconds sound begins after silence."""
    even = f"aresample={RATE}:async=1:first_pts=0"
    argv = [ffmpeg, "-v", "error", "-i", str(path), "-map", "0:a?", "-af", even]
    argv += ["-ac", "1", "-f", "s16le", "-"]
    raw = subprocess.run(argv, capture_output=True, check=False).stdout  # it fails without sound
    loud = [i for i, level in enumerate(memoryview(raw).cast("h")) if abs(level) > LOUD]
    first = itertools.pairwise([-RATE, *loud])
    return [now / RATE for before, now in first if now - before > QUIET_S * RATE]
