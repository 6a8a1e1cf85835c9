"""Media whose every frame carries its number, made once per test session."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path

import imageio_ffmpeg

from recorder.demo import picture

FF9 = str(imageio_ffmpeg.get_ffmpeg_exe())
FF5 = "/usr/bin/ffmpeg"
FRAME_MS = 40
WIDE, HIGH = 1152, 200
"""Room for the numbers: an HD picture is made and read at thrice the cost, and shows no more."""


def media_folder() -> Path:
    """Make the folder of test media, shared by all workers of all runs."""
    folder = Path(tempfile.gettempdir()) / f"spanstore-test-media-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def make_numbered(
    path: Path,
    seconds: int,
    *,
    rate: int = 25,
    gop: int = 50,
    codec: str = "libx264",
    audio: str = "",
    bframes: int = 0,
    size: str = f"{WIDE}x{HIGH}",
    first: int = 0,
    params: str = "",
) -> Path:
    """Encode a test picture with numbered frames; ``audio`` is aac, alaw or nothing.

    ``params``: the encoder's own options, ``name=value`` with colons between.
    """
    count = seconds * rate
    feed = b"".join(
        picture.strip(first + i, (first + i) * 1_000_000_000 // rate) for i in range(count)
    )
    wide, high = picture.WIDTH * picture.SCALE, picture.HEIGHT * picture.SCALE
    strip = f"{picture.WIDTH}x{picture.HEIGHT}"
    graph = (
        f"[1:v]scale={wide}:{high}:flags=neighbor,format=yuv420p[s];"
        "[0:v][s]overlay=0:0:shortest=1,format=yuv420p[out]"
    )
    argv = [
        FF9, "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}",
        "-f", "rawvideo", "-pix_fmt", "gray", "-s", strip, "-r", str(rate), "-i", "pipe:0",
    ]  # fmt: skip
    if audio:
        argv += ["-f", "lavfi", "-t", str(seconds), "-i", "sine=frequency=440:sample_rate=48000"]
    argv += ["-filter_complex", graph, "-map", "[out]"]
    if audio:
        argv += ["-map", "2:a"]
        argv += (
            ["-c:a", "aac"] if audio == "aac" else ["-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"]
        )
    argv += ["-c:v", codec, "-preset", "ultrafast", "-b:v", "1M", "-g", str(gop)]
    if codec == "libx265":
        argv += [
            "-x265-params",
            f"log-level=none:keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}:{params}",
        ]
    else:
        argv += ["-keyint_min", str(gop), "-sc_threshold", "0", "-bf", str(bframes)]
        argv += ["-x264-params", params] if params else []
    argv += ["-f", "mp4" if path.suffix == ".mp4" else "matroska", str(path)]
    subprocess.run(argv, input=feed, check=True)
    return path


_RECIPE = f"{WIDE}x{HIGH}" + inspect.getsource(make_numbered) + inspect.getsource(picture)


@cache
def numbered(
    folder: str, name: str, seconds: int, options: tuple[tuple[str, object], ...],
    suffix: str = ".mkv",
) -> Path:  # fmt: skip
    """Make, or find, one numbered file; what is made otherwise has another name."""
    said = f"{FF9} {seconds} {options} {_RECIPE}"
    path = Path(folder) / f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:16]}{suffix}"
    with made_once(path) as part:
        if part is not None:
            make_numbered(part, seconds, **dict(options))  # type: ignore[arg-type]
    return path


@contextmanager
def made_once(path: Path) -> Iterator[Path | None]:
    """Give the name under which to write a file, or nothing where it is there.

    Who else wants it meanwhile waits, and does not make it a second time.
    """
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        if not path.exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            yield None
            return
        part = path.with_suffix(f".{os.getpid()}{path.suffix}")
        yield part
        part.replace(path)


def decode_rows(paths: Sequence[Path | str], shown_as: str, ffmpeg: str = FF5) -> list[bytes]:
    """Decode files with one ffmpeg, whose start costs more than a short file; each by itself.

    ``shown_as``: the filter that makes a row of cells of a frame.
    """
    with tempfile.TemporaryDirectory(prefix="spanstore-rows-") as folder:
        outs = [Path(folder) / str(number) for number in range(len(paths))]
        argv = [ffmpeg, "-v", "error", *chain.from_iterable(("-i", str(one)) for one in paths)]
        for number, out in enumerate(outs):
            argv += ["-map", f"{number}:v:0", "-vf", shown_as, "-f", "rawvideo",
                     "-fps_mode", "passthrough", str(out)]  # fmt: skip
        subprocess.run(argv, capture_output=True, check=True)
        return [one.read_bytes() for one in outs]


def read_numbers(path: Path | str, ffmpeg: str = FF5) -> list[int]:
    """Decode a file with an independent ffmpeg; return the number of every shown frame."""
    return read_all_numbers([path], ffmpeg)[0]


def read_all_numbers(paths: Sequence[Path | str], ffmpeg: str = FF5) -> list[list[int]]:
    """Decode files with an independent ffmpeg; return the numbers of each one's shown frames."""
    return [_numbers(raw) for raw in decode_rows(paths, picture.cell_filter(), ffmpeg)]


def _numbers(raw: bytes) -> list[int]:
    row = picture.CELLS * 3
    numbers = []
    for i in range(0, len(raw), row):
        found = picture.read_cells(picture.middle_of_cells(raw[i : i + row]))
        numbers.append(-1 if found is None else found[0])
    return numbers


def shown_at(path: Path) -> list[int]:
    """Decode a file with Debian's ffprobe; return the time of every shown frame, in ticks."""
    argv = ["/usr/bin/ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
            "frame=pts", "-of", "csv=p=0", str(path)]  # fmt: skip
    out = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    return [int(line.strip(",")) for line in out.split()]


def stream_hash(path: Path | str, kind: str = "v", ffmpeg: str = FF5) -> str:
    """Digest of a file's packets, undecoded: equal means bit-identical samples."""
    argv = [ffmpeg, "-v", "error", "-i", str(path), "-map", f"0:{kind}", "-c", "copy",
            "-f", "streamhash", "-hash", "sha256", "-"]  # fmt: skip
    out = subprocess.run(argv, capture_output=True, check=True).stdout.decode()
    return out.strip().rpartition("=")[2]


def probe(path: Path | str, *entries: str) -> dict[str, str]:
    """Ask Debian's ffprobe about a file."""
    argv = ["/usr/bin/ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
            ":".join(entries), "-of", "default=nw=1", str(path)]  # fmt: skip
    out = subprocess.run(argv, capture_output=True, check=True).stdout.decode()
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
