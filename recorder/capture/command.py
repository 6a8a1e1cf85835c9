"""The ffmpeg command that records a stream: packets copied, never decoded.  Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import certifi
import ffmpeg

from recorder.model.cameras import StreamSource

FRAGMENT_US = 2_000_000
"""A fragment ends at a clean point or after this: what a crash can cost."""

_FORMAT_OPTIONS = ":".join((
    "movflags=+frag_keyframe+empty_moov+default_base_moof+frag_discont",
    f"frag_duration={FRAGMENT_US}",
    "avoid_negative_ts=disabled",  # with frag_discont: media time runs on across files
    "write_prft=wallclock",
    "flush_packets=1",  # a fragment is in the file as soon as it is whole
    "movie_timescale=90000",  # with video_track_timescale: every init segment the same bytes
    "video_track_timescale=90000",
))  # fmt: skip

SAFE_AUDIO = ("aac", "opus", "flac", "mp3", "ac3", "eac3", "alac")
"""Audio codecs that MP4 takes as they are; any other is made AAC, or aborts the output."""


def input_options(
    source: StreamSource, connect_s: float, checks_rtsps: bool = True
) -> dict[str, Any]:
    """Choose demuxer options by scheme.  Socket timeouts are in microseconds."""
    timeout_us = int(connect_s * 1_000_000)
    scheme = source.scheme
    if scheme in ("rtsp", "rtsps"):
        if source.listen:
            return {"rtsp_flags": "listen", "listen_timeout": 3600}
        options: dict[str, Any] = {"timeout": timeout_us, **_tls_options(source, checks_rtsps)}
        options["rtsp_transport"] = "udp" if source.transport == "udp" else "tcp"
        return options
    if scheme in ("http", "https"):
        return {"rw_timeout": timeout_us, "reconnect": 0, **_tls_options(source, checks_rtsps)}
    if scheme in ("tcp", "srt"):
        return {"rw_timeout": timeout_us}
    if scheme in ("udp", "rtp"):
        return {"timeout": timeout_us}
    if scheme == "lavfi":
        return {"f": "lavfi", "re": None}
    return {"re": None}


def _tls_options(source: StreamSource, checks_rtsps: bool) -> dict[str, Any]:
    """Say which certificates are believed; ffmpeg's own default differs by release."""
    if source.scheme not in ("rtsps", "https"):
        return {}
    if source.scheme == "rtsps" and not checks_rtsps and not source.verify_tls:
        return {}  # it knows no such option; asked to verify, it must refuse, not pass over it
    if not source.verify_tls:
        return {"tls_verify": 0}
    return {"tls_verify": 1, "ca_file": source.ca_file or certifi.where()}


def record_command(
    program: str,
    source: StreamSource,
    folder: Path,
    segment_s: int,
    *,
    audio: str | None,
    video: str = "h264",
    connect_s: float = 10.0,
    url: str | None = None,
    checks_rtsps: bool = True,
) -> list[str]:
    """Build the argv that records ``source`` into ``folder``.

    ``audio``: the source's audio codec, ``None`` when it has none; ``video``: its video
    codec; ``url``: where to connect instead of the source's own; ``checks_rtsps``: whether
    the program's RTSP reader can check certificates.  The segment list comes on standard
    output, one CSV line per closed file.
    """
    url = url or source.full_url()
    if source.scheme == "lavfi":
        url = url.split(":", 1)[1]
    stream = ffmpeg.input(url, **input_options(source, connect_s, checks_rtsps))
    wanted = [stream["v:0"]]
    options: dict[str, Any] = {"c:v": "copy"}
    if source.scheme == "lavfi":
        options = {"c:v": "libx264", "preset": "ultrafast", "g": 50, "pix_fmt": "yuv420p"}
    if audio is not None and source.audio == "auto":
        wanted.append(stream["a:0?"])  # "?": a stream without sound is fine
        options["c:a"] = "copy" if audio in SAFE_AUDIO else "aac"
        if audio not in SAFE_AUDIO:
            options["b:a"] = "32k"
    if video == "hevc":
        options["tag:v"] = "hvc1"
    output = ffmpeg.output(
        *wanted,
        str(folder / "%06d.mp4"),
        **options,
        f="segment",
        segment_time=segment_s,
        segment_atclocktime=1,
        segment_format="mp4",
        segment_list="pipe:1",
        segment_list_type="csv",
        segment_format_options=_FORMAT_OPTIONS,
        max_muxing_queue_size=1024,
    )
    arguments = ffmpeg.get_args(output)
    return [program, "-hide_banner", "-nostats", "-loglevel", "level+info", *_tidy(arguments)]


def _tidy(arguments: list[str]) -> list[str]:
    """Drop the empty value ffmpeg-python leaves after a bare flag."""
    return [argument for argument in arguments if argument not in ("", "None")]
