"""Probe: record a source for some seconds, just as recording would, and say what came of it."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recorder.bmff.footer import read_footer
from recorder.capture import command
from recorder.capture.allowed import Allowed, check_readable
from recorder.capture.health import HealthBook
from recorder.capture.lines import ADVICE
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.capture.state import StreamState
from recorder.capture.supervisor import Supervisor
from recorder.errors import SourceUnreachable
from recorder.index import TrackFrames
from recorder.model.cameras import StreamSource
from recorder.model.causes import Cause
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.secrets import mask
from recorder.model.timebase import SECOND
from recorder.ports import Clock
from recorder.spool.disk import Spool

ENOUGH_S = 3.0
"""So long a recording shows most habits; silent sound, slow rates and long GOPs take longer."""
STREAM = StreamId("probe", "probe", "main")


@dataclass(slots=True)
class _Trial:
    """What a trial recording brought."""

    state: StreamState
    spool: Spool
    book: HealthBook
    segments: list[Segment]


def probe_source(
    ffmpeg: str, source: StreamSource, timeout_s: float, clock: Clock, allowed: Allowed
) -> dict[str, object]:
    """Record a source for up to ``timeout_s`` and describe what came.

    Raises: ``SourceUnreachable`` saying exactly why when nothing came; ``NotAllowed``.
    """
    allowed.check(source)
    check_readable(source, "NAME")
    begin = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="spanstore-probe-") as folder:
        trial = asyncio.run(_record(ffmpeg, source, Path(folder), timeout_s, clock, allowed))
        if not trial.segments:
            raise _unreachable(source, trial.state, timeout_s)
        return {
            "source": mask(source.url),
            **_tracks(source, trial.state),
            "took_s": round(clock.monotonic() - begin, 2),
            **_media(trial),
            "habits": trial.state.habits | trial.book.habits(STREAM),
        }


async def _record(
    ffmpeg: str,
    source: StreamSource,
    folder: Path,
    timeout_s: float,
    clock: Clock,
    allowed: Allowed,
) -> _Trial:
    """Let a supervisor of its own record into a spool of its own."""
    spool = Spool(folder)
    segments: list[Segment] = []
    with ThreadPoolExecutor(1, thread_name_prefix="probe") as executor:
        numbers, sealer = itertools.count(1), Sealer(spool, segments.append)
        supervisor = Supervisor(
            STREAM,
            source,
            CaptureSettings(ffmpeg, "probe", 1, 3600, max(1.0, timeout_s - 1), allowed=allowed),
            spool,
            sealer,
            clock,
            executor,
            Cause.SOURCE,
            lambda: next(numbers),
        )
        task = asyncio.create_task(supervisor.run())
        end = clock.monotonic() + timeout_s
        recording: float | None = None
        state = supervisor.state
        while clock.monotonic() < end and state.state != "failing":
            await asyncio.sleep(0.1)
            if state.recording and recording is None:
                recording = clock.monotonic()
                end = max(end, recording + ENOUGH_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return _Trial(state, spool, sealer.book, segments)


def _unreachable(source: StreamSource, state: StreamState, timeout_s: float) -> SourceUnreachable:
    where = mask(source.url)
    if state.condition:
        said = f"{where}: {state.condition}: {state.detail}"
        return SourceUnreachable(said, hint=ADVICE[state.condition])
    return SourceUnreachable(
        f"{where}: timeout: no stream within {timeout_s:g} s", hint=ADVICE["timeout"]
    )


def _tracks(source: StreamSource, state: StreamState) -> dict[str, object]:
    """List every track, and say of the first ones what is made of them."""
    facts: dict[str, object] = {}
    listed = []
    for track in state.offered:
        size = f" {track.width}x{track.height}" if track.width else ""
        hertz = f" {track.sample_rate} Hz" if track.sample_rate else ""
        listed.append(f"{track.kind} {track.name}{size}{hertz}")
        if track.kind == "video" and "video" not in facts:
            facts |= {
                "video": track.codec,
                "size": f"{track.width}x{track.height}",
                "frame_rate": track.fps,
                "recordable": track.codec in ("h264", "hevc"),
            }
        elif track.kind == "audio" and "audio" not in facts:
            facts["audio"] = f"{track.name} {track.sample_rate} Hz"
            facts["audio_is"] = _made_of(track.codec, source, state)
    facts.setdefault("audio", "none")
    return facts | {"tracks": listed}


def _made_of(codec: str, source: StreamSource, state: StreamState) -> str:
    if source.audio == "off":
        return "left out"
    if "sound-refused" in state.habits:
        return "left out: nobody here can decode it"
    return "copied" if codec in command.SAFE_AUDIO else "made AAC"


def _media(trial: _Trial) -> dict[str, object]:
    """Measure rate, GOP and clock on what was recorded."""
    segment, track = _longest(trial)
    length_s = max(segment.media_duration_ns / SECOND, 0.001)
    scale = segment.timescale
    clean = [at for at, sync in zip(track.dts, track.sync, strict=True) if sync]
    gops = [(b - a) / scale for a, b in itertools.pairwise(clean)]
    offset = segment.camera_offset_ns
    clock = "not heard of yet (no RTCP sender report)"
    return {
        "codec": segment.codecs,
        "frames": segment.frames,
        "bitrate_kbps": round(sum(track.size) * 8 / length_s / 1000),
        "gop_s": round(max(gops), 3) if gops else f"longer than {length_s:.1f}",
        "b_frames": any(track.cts),
        "camera_clock": clock if offset is None else f"{offset / SECOND:+.3f} s against ours",
    }


def _longest(trial: _Trial) -> tuple[Segment, TrackFrames]:
    segment = max(trial.segments, key=lambda one: one.frames)
    path = trial.spool.path_of(segment.key)
    assert path is not None  # noqa: S101 - sealed into this spool a moment ago
    body = path.read_bytes()
    footer = read_footer(body, len(body))
    assert footer is not None  # noqa: S101 - every sealed file has one
    track = next(one for one in footer.frames().tracks if len(one.dts) == segment.frames)
    return segment, track
