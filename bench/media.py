"""A real hour of segments: one minute captured by the recording command, placed 60 times."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg

from recorder.model.keys import StreamId
from recorder.model.runs import Run, SpanState
from recorder.model.timebase import SECOND
from recorder.sealing import Raw, Sealed, seal

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
T0 = 1_767_621_600_000_000_000
STREAM = StreamId("bench", "cam", "main")
_OPTIONS = (
    "movflags=+frag_keyframe+empty_moov+default_base_moof+frag_discont:frag_duration=500000:"
    "avoid_negative_ts=disabled:write_prft=wallclock:movie_timescale=90000:"
    "video_track_timescale=90000"
)


def source(folder: Path, seconds: int) -> Path:
    """Encode 1080p25 at 4 Mbit/s, GOP 2 s."""
    path = folder / "source.mkv"
    subprocess.run(
        [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=25", "-t",
         str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-b:v", "4M",
         "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M", "-nal-hrd", "cbr", str(path)],
        check=True,
    )  # fmt: skip
    return path


def tiny(folder: Path, seconds: int) -> Path:
    """Encode as many frames, of few bytes."""
    path = folder / "source.mkv"
    subprocess.run(
        [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-t",
         str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-b:v", "100k",
         str(path)], check=True,
    )  # fmt: skip
    return path


def minutes(folder: Path, count: int, *, small: bool = False) -> list[Path]:
    """Make ``count`` one-minute files whose media time runs on; ``small``: of tiny frames."""
    one = tiny(folder, 60) if small else source(folder, 60)
    subprocess.run(
        [FFMPEG, "-v", "error", "-stream_loop", str(count - 1), "-i", str(one), "-c", "copy",
         "-f", "segment", "-segment_time", "60", "-segment_format", "mp4",
         "-segment_format_options", _OPTIONS, str(folder / "%06d.mp4")], check=True,
    )  # fmt: skip
    return sorted(folder.glob("0*.mp4"))[:count]


def run() -> Run:
    """The run that wrote them."""
    return Run(STREAM, "n1", 1, 1, T0, "node", "file:bench")


def sealed_after(body: bytes, previous: SpanState | None, end_s: float) -> tuple[Sealed, SpanState]:
    """Seal a file that ended so long after the start; return where the run stands, too."""
    number = previous.file + 1 if previous is not None else 0
    raw = Raw(number, body, [(len(body), T0 + round(end_s * SECOND))], growing=True)
    done = seal(raw, run(), previous, bytes)
    return done.segments[0], done.state


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for a measurement."""
    return tempfile.TemporaryDirectory(prefix="spanstore-bench-")
