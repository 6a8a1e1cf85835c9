"""Probe: what a source offers, found by recording a few seconds of it to nowhere."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from recorder import index
from recorder.bmff.init import read_init
from recorder.capture import command, lines
from recorder.capture.lines import ADVICE, InputTrack
from recorder.capture.programs import checks_rtsps
from recorder.capture.redirect import hidden
from recorder.errors import MalformedMedia, SourceUnreachable
from recorder.index import FrameTable
from recorder.model import clocks
from recorder.model.cameras import StreamSource, mask
from recorder.model.media import InitInfo
from recorder.model.timebase import SECOND, Instant, ticks_to_ns
from recorder.ports import Clock


def probe_source(
    ffmpeg: str, source: StreamSource, timeout_s: float, clock: Clock
) -> dict[str, Any]:
    """Record a source for up to ``timeout_s`` and describe what came.

    Raises: ``SourceUnreachable`` saying exactly why when nothing came.
    """
    begin = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="spanstore-probe-") as folder:
        text = _record(
            ffmpeg,
            source,
            Path(folder),
            timeout_s,
        )
        tracks = [track for line in text if (track := lines.parse_track(line)) is not None]
        tracks = _inputs_only(text, tracks)
        files = sorted(Path(folder).glob("*.mp4"))
        took = clock.monotonic() - begin
        if not any(track.kind == "video" for track in tracks):
            raise _unreachable(source, text, timeout_s)
        facts = _tracks(source, tracks)
        facts["took_s"] = round(took, 2)
        if files:
            facts |= _media(files[0], clock.now())
        return facts


def _record(ffmpeg: str, source: StreamSource, folder: Path, timeout_s: float) -> list[str]:
    with hidden(source) as url:
        argv = command.record_command(
            ffmpeg, source, folder, 3600, command.Tracks(), connect_s=max(1.0, timeout_s - 1),
            url=url, checks_rtsps=checks_rtsps(ffmpeg),
        )  # fmt: skip
        text = _run(argv, timeout_s)
    return [line.replace(url, source.url) for line in text]


def _run(argv: list[str], timeout_s: float) -> list[str]:
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            _, errors = process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            _, errors = process.communicate()
    return errors.decode(errors="replace").splitlines()


def _inputs_only(text: list[str], tracks: list[InputTrack]) -> list[InputTrack]:
    """Drop the tracks ffmpeg lists again for its output."""
    head = []
    for line in text:
        if "Output #0" in line:
            break
        track = lines.parse_track(line)
        if track is not None:
            head.append(track)
    return head or tracks


def _unreachable(source: StreamSource, text: list[str], timeout_s: float) -> SourceUnreachable:
    named = [(name, line) for line in text if (name := lines.condition_of(line)) is not None]
    where = mask(source.url)
    if named:
        name, line = named[-1]
        return SourceUnreachable(f"{where}: {name}: {lines.said(line)}", hint=ADVICE[name])
    return SourceUnreachable(
        f"{where}: timeout: no stream within {timeout_s:g} s", hint=ADVICE["timeout"]
    )


def _tracks(source: StreamSource, tracks: list[InputTrack]) -> dict[str, Any]:
    facts: dict[str, Any] = {"source": mask(source.url)}
    for track in tracks:
        if track.kind == "video" and "video" not in facts:
            facts["video"] = track.codec
            facts["size"] = f"{track.width}x{track.height}"
            facts["frame_rate"] = track.fps
            facts["recordable"] = track.codec in ("h264", "hevc")
        elif track.kind == "audio" and "audio" not in facts:
            copied = track.codec in command.SAFE_AUDIO
            facts["audio"] = f"{track.codec} {track.sample_rate} Hz"
            facts["audio_is"] = "copied" if copied else "made AAC"
    facts.setdefault("audio", "none")
    return facts


def _media(path: Path, now: Instant) -> dict[str, Any]:
    """Measure rate, GOP and clock on what was recorded."""
    body = path.read_bytes()
    try:
        init = read_init(body)
    except MalformedMedia:
        return {}
    table = index.scan(body, init).table
    lead = init.tracks.index(init.lead)
    track = table.tracks[lead]
    if not track.dts:
        return {"codec": init.codecs}
    start, end = track.presentation()
    length_s = max((end - start) / init.lead.timescale, 0.001)
    clean = [i for i in range(len(track.dts)) if track.sync[i]]
    gops = [
        (track.dts[b] - track.dts[a]) / init.lead.timescale for a, b in itertools.pairwise(clean)
    ]
    return {
        "codec": init.codecs,
        "bitrate_kbps": round(sum(track.size) * 8 / length_s / 1000),
        "gop_s": round(max(gops), 3) if gops else f"longer than {length_s:.1f}",
        "b_frames": any(track.cts),
        "camera_clock": _clock(init, table, lead, path.stat().st_mtime_ns),
    }


def _clock(init: InitInfo, table: FrameTable, lead: int, observed_end: Instant) -> str:
    track, scale = table.tracks[lead], init.lead.timescale
    start, end = track.presentation()
    begin = observed_end - ticks_to_ns(end - start, scale)
    media, walls, prfts = [], [], []
    for i in range(len(table.offsets)):
        lo = track.first[i]
        if lo < track.first[i + 1]:
            media.append(ticks_to_ns(track.dts[lo] + track.cts[lo], scale))
            walls.append(begin + media[-1] - ticks_to_ns(start, scale))
            prfts.append(table.prfts[i])
    _, offset = clocks.watch_camera(None, walls, prfts, media)
    if offset is None:
        return "not heard of yet (no RTCP sender report)"
    return f"{offset / SECOND:+.3f} s against ours"
