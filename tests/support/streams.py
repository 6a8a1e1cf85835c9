"""Encoders' own streams: a catalogue of encodings whose every picture carries its number.

Temporal layers are not here: no encoder of the bundled ffmpeg offers them.  ``pyramid`` comes
nearest: a third of its pictures are referred to by none.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recorder.demo import picture
from tests.support.matroska import Unit, read_units
from tests.support.media import FF5, FF9, decode_rows, made_once

SECONDS = 90
"""How long every stream is; then its camera stays silent."""
STRIP_HIGH = 24
_ROW = picture.CELLS * picture.CELL


@dataclass(frozen=True, slots=True)
class Stream:
    """How one stream is encoded.

    ``params``: the encoder's own; ``rate``: pictures a second, as ffmpeg writes it;
    ``times``: a ``setpts`` expression.  ``settles``: so many pictures from a joining point on
    are not whole yet.  The width must be a multiple of 64, a cell each.
    """

    codec: str = "H264"
    params: str = "bframes=0:keyint=50"
    tune: str = ""
    rate: str = "25"
    size: str = "320x180"
    pixels: str = "yuv420p"
    times: str = ""
    profile: str = ""
    settles: int = 0

    @property
    def count(self) -> int:
        """How many pictures it has."""
        above, _, below = self.rate.partition("/")
        return SECONDS * int(above) // int(below or 1)


STREAMS: dict[str, Stream] = {
    "plain": Stream(),
    "baseline": Stream(params="keyint=50:sliced-threads=0", tune="zerolatency", profile="baseline"),
    "bframes": Stream(params="bframes=2:b-adapt=0:b-pyramid=none:keyint=50"),
    "pyramid": Stream(params="bframes=3:b-adapt=0:b-pyramid=normal:keyint=50"),
    "open-gop": Stream(params="bframes=2:b-adapt=0:keyint=50:min-keyint=50:open-gop=1"),
    "intra-refresh": Stream(params="bframes=0:intra-refresh=1:keyint=50", settles=18),
    "slices": Stream(params="bframes=0:slices=6:keyint=50"),
    "sliced-threads": Stream(params="keyint=50:threads=4:sliced-threads=1", tune="zerolatency"),
    "long-gop": Stream(params="bframes=0:keyint=500"),
    "variable": Stream(times="N+floor(N/2)"),
    "interlaced": Stream(params="bframes=0:keyint=50:tff=1", size="320x192"),
    "ten-bit": Stream(pixels="yuv420p10le"),
    "x265": Stream("H265", "keyint=50:min-keyint=50"),
    "x265-closed": Stream("H265", "keyint=50:open-gop=0", tune="zerolatency"),
    "x265-refresh": Stream("H265", "bframes=0:intra-refresh=1:keyint=50"),
    "one-a-second": Stream(params="bframes=0:keyint=2", rate="1"),
    "one-in-five": Stream(params="bframes=0:keyint=1", rate="1/5"),
    "small": Stream(params="bframes=0:keyint=50", size="320x240"),
    "large": Stream(params="bframes=0:keyint=50", size="640x480"),
    "x265-small": Stream("H265", "keyint=50:open-gop=0:bframes=0", size="320x240"),
    "x265-large": Stream("H265", "keyint=50:open-gop=0:bframes=0", size="640x480"),
    "sizes": Stream(),
    "x265-sizes": Stream("H265"),
}
"""All by name, made by the encoder or, those of ``TURNS``, of two in turn, 10 s each.

``x265-refresh`` says nowhere that one may join: only its first picture is marked.
"""

TURNS = {"sizes": ("small", "large"), "x265-sizes": ("x265-small", "x265-large")}


def media_folder() -> Path:
    """Return the folder of test media, one per user of the machine."""
    folder = Path(tempfile.gettempdir()) / f"spanstore-test-media-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def make_file(name: str) -> Path:
    """Encode a stream, or find it encoded."""
    stream = STREAMS[name]
    path = media_folder() / f"stream-{name}.mkv"
    with made_once(path) as part:
        if part is not None:
            feed = b"".join(_cells(number) for number in range(stream.count))
            subprocess.run(_encode(stream, part), input=feed, check=True)
    return path


def _cells(number: int) -> bytes:
    """Draw one picture's row of cells."""
    at = 10 * picture.WIDTH  # below the line of text
    return picture.strip(number, 0)[at : at + _ROW]


def _encode(stream: Stream, path: Path) -> list[str]:
    width = stream.size.partition("x")[0]
    times = f",setpts='{stream.times}'" if stream.times else ""
    graph = (
        f"[1:v]scale={width}:{STRIP_HIGH}:flags=neighbor,format=yuv420p[s];"
        f"[0:v][s]overlay=0:0:shortest=1,format={stream.pixels}{times}[out]"
    )
    argv = [
        FF9, "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={stream.size}:r={stream.rate}",
        "-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{_ROW}x1", "-r", stream.rate, "-i", "pipe:0",
        "-filter_complex", graph, "-map", "[out]", "-fps_mode", "passthrough",
        "-preset", "ultrafast", "-b:v", "400k",
    ]  # fmt: skip
    if stream.tune:
        argv += ["-tune", stream.tune]
    if stream.profile:
        argv += ["-profile:v", stream.profile]
    if stream.codec == "H265":
        argv += ["-c:v", "libx265", "-x265-params", f"log-level=none:scenecut=0:{stream.params}"]
    else:
        argv += ["-c:v", "libx264", "-x264-params", f"scenecut=0:{stream.params}"]
    return [*argv, "-f", "matroska", str(path)]


@cache
def units(name: str) -> tuple[Unit, ...]:
    """Return a stream's pictures, in the order of decoding."""
    if name not in TURNS:
        return tuple(read_units(make_file(name)))
    pairs = zip(*map(units, TURNS[name]), strict=True)
    return tuple(pair[pair[0].number // 250 % 2] for pair in pairs)


def numbers_filter(strip_high: int = STRIP_HIGH) -> str:
    """Write the ffmpeg filter that turns a picture of any size into one row of cells."""
    third = strip_high // 3
    return f"crop=iw:{third}:0:{third},scale={_ROW}:3:flags=area,crop={_ROW}:1:0:1,format=gray"


def read_numbers(rows: bytes) -> list[int]:
    """Read rows that :func:`numbers_filter` made; -1 where one is blurred."""
    numbers = []
    for at in range(0, len(rows), _ROW):
        found = picture.read_cells(picture.middle_of_cells(rows[at : at + _ROW]))
        numbers.append(-1 if found is None else found[0])
    return numbers


def decode_all(paths: Sequence[Path], ffmpeg: str = FF5) -> list[list[int]]:
    """Decode files with an independent ffmpeg; return the numbers of each one's pictures."""
    return [read_numbers(rows) for rows in decode_rows(paths, numbers_filter(), ffmpeg)]


def decode(source: Path | str, *before: str, ffmpeg: str = FF5) -> list[int]:
    """Decode with an independent ffmpeg; return the number of every picture shown."""
    argv = [
        ffmpeg, "-v", "error", *before, "-i", str(source), "-map", "0:v:0",
        "-vf", numbers_filter(), "-f", "rawvideo", "-fps_mode", "passthrough", "-",
    ]  # fmt: skip
    return read_numbers(subprocess.run(argv, capture_output=True, check=True).stdout)
