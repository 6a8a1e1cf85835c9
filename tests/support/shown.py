"""What an independent ffmpeg shows of an answer: numbers, and when in the file they are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.media import FF5
from tests.support.streams import numbers_filter, read_numbers

_TIME_BASE = re.compile(r"config in time_base: (\d+)/(\d+)")
_PTS = re.compile(r"\] n: *\d+ pts: *(-?\d+)")

SECOND = 1_000_000_000


def read_timed(path: Path, ffmpeg: str = FF5) -> list[tuple[int, int]]:
    """Decode a file; return number and time of every picture shown, in order.

    Units: times are ns on the file's own ruler.  Raises: ``AssertionError`` when ffmpeg's two
    outputs do not agree in length.
    """
    argv = [
        ffmpeg, "-hide_banner", "-nostats", "-copyts", "-i", str(path), "-map", "0:v:0",
        "-vf", f"{numbers_filter()},showinfo=checksum=0", "-f", "rawvideo",
        "-fps_mode", "passthrough", "-",
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, check=True)
    said = done.stderr.decode(errors="replace")
    above, below = (int(part) for part in _TIME_BASE.findall(said)[0])
    times = [int(pts) * above * SECOND // below for pts in _PTS.findall(said)]
    numbers = read_numbers(done.stdout)
    assert len(times) == len(numbers), f"{len(times)} times for {len(numbers)} pictures"
    return list(zip(numbers, times, strict=True))


def read_stills(pictures: Sequence[bytes], ffmpeg: str = FF5) -> list[int]:
    """Decode JPEGs, all at once; return their numbers."""
    argv = [
        ffmpeg, "-v", "error", "-f", "image2pipe", "-c:v", "mjpeg", "-i", "-",
        "-vf", numbers_filter(), "-f", "rawvideo", "-fps_mode", "passthrough", "-",
    ]  # fmt: skip
    done = subprocess.run(argv, input=b"".join(pictures), capture_output=True, check=True)
    numbers = read_numbers(done.stdout)
    assert len(numbers) == len(pictures), f"{len(numbers)} of {len(pictures)} stills were read"
    return numbers
