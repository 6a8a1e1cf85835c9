"""Media whose every frame carries its number, made once per test session."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from recorder.demo import picture

FF9 = str(imageio_ffmpeg.get_ffmpeg_exe())
FF5 = "/usr/bin/ffmpeg"
FRAME_MS = 40


def make_numbered(
    path: Path,
    seconds: int,
    *,
    rate: int = 25,
    gop: int = 50,
    codec: str = "libx264",
    audio: str = "",
    bframes: int = 0,
    size: str = "1280x720",
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


@cache
def numbered(
    folder: str, name: str, seconds: int, options: tuple[tuple[str, object], ...],
    suffix: str = ".mkv",
) -> Path:  # fmt: skip
    """Make, or find, one numbered file."""
    path = Path(folder) / f"{name}{suffix}"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}{suffix}")
        make_numbered(part, seconds, **dict(options))  # type: ignore[arg-type]
        part.replace(path)
    return path


def read_numbers(
    path: Path | str, ffmpeg: str = FF5, *, size: tuple[int, int] = (0, 0)
) -> list[int]:
    """Decode a file with an independent ffmpeg; return the number of every shown frame."""
    argv = [
        ffmpeg, "-v", "error", "-i", str(path), "-map", "0:v:0", "-vf", picture.cell_filter(),
        "-f", "rawvideo", "-fps_mode", "passthrough", "-",
    ]  # fmt: skip
    raw = subprocess.run(argv, capture_output=True, check=True).stdout
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
