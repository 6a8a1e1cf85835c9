"""The ffmpeg command that records a stream: packets copied, never decoded.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi

from recorder.model.cameras import StreamSource
from recorder.model.sources import PROTOCOLS

FRAGMENT_US = 500_000
"""A fragment ends at a clean point or after this: what a crash can cost (bench ``fragments``)."""

_COMMON = (
    f"frag_duration={FRAGMENT_US}",
    "avoid_negative_ts=disabled",  # with frag_discont: media time runs on across files
    "flush_packets=1",  # a fragment is in the file as soon as it is whole
)
_VIDEO_OPTIONS = ":".join(
    (
        "movflags=+frag_keyframe+empty_moov+default_base_moof+frag_discont",
        *_COMMON,
        "write_prft=wallclock",
        "movie_timescale=90000",  # with video_track_timescale: every init segment the same bytes
        "video_track_timescale=90000",
    )
)
_SOUND_OPTIONS = ":".join(("movflags=+empty_moov+default_base_moof+frag_discont", *_COMMON))

SAFE_AUDIO = ("aac", "opus", "flac", "mp3", "ac3", "eac3", "alac")
"""Audio codecs that MP4 takes as they are; any other is made AAC, or aborts the output."""

ANALYZE_S, PATIENT_S = 1.0, 30.0
"""How long ffmpeg looks at a source first.  Sound that is announced and does not come makes it
look all that time; where the parameter sets come seldom it must be longer."""

MOST_SOUNDS = 2
"""A camera's first sound, and the one behind a back channel."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """Which tracks of a source are recorded: its first video, and which of its sounds.

    ``sounds``: what is made of each, in the order of the source's tracks: ``copy``, ``aac``,
    nothing.  Each gets an output of its own.
    """

    sounds: tuple[str, ...] = ()


def input_options(
    source: StreamSource, quiet_s: float, checks_rtsps: bool = True
) -> dict[str, object]:
    """Choose demuxer options by scheme.  Socket timeouts are in microseconds."""
    timeout_us = int(quiet_s * 1_000_000)
    scheme = source.scheme
    if scheme in ("rtsp", "rtsps"):
        if source.listen:
            return {"rtsp_flags": "listen", "listen_timeout": 3600}
        # it asks once more before it gives up
        options: dict[str, object] = {
            "timeout": timeout_us // 2,
            **_tls_options(source, checks_rtsps),
        }
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


def _tls_options(source: StreamSource, checks_rtsps: bool) -> dict[str, object]:
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
    tracks: Tracks,
    *,
    quiet_s: float = 10.0,
    analyze_s: float = ANALYZE_S,
    url: str | None = None,
    checks_rtsps: bool = True,
) -> list[str]:
    """Build the argv that records ``source`` into ``folder``.

    ``quiet_s``: after so long without a byte it ends by itself; ``analyze_s``: how long the
    source is looked at before anything is written; ``url``: where to connect instead of its
    own; ``checks_rtsps``: whether the program's RTSP reader can check certificates.  Picture
    and sound are different outputs: what one does cannot hold up the other.  Sound goes to the
    folders ``sound0``, ``sound1``.
    """
    import ffmpeg  # by nodes that record

    url = url or source.full_url()
    if source.scheme == "lavfi":
        url = url.split(":", 1)[1]
    given = input_options(source, quiet_s, checks_rtsps)
    if source.scheme != "lavfi":
        given["analyzeduration"] = int(analyze_s * 1_000_000)
        given["protocol_whitelist"] = PROTOCOLS[source.scheme]
    stream = ffmpeg.input(url, **given)
    options: dict[str, object] = {"c:v": "copy"}
    if source.scheme == "lavfi":
        options = {"c:v": "libx264", "preset": "ultrafast", "g": 50, "pix_fmt": "yuv420p"}
    outputs = [_output([stream["v:0"]], folder, segment_s, _VIDEO_OPTIONS, options)]
    for number, made in enumerate(tracks.sounds):
        if made:
            place = folder / f"sound{number}"
            said = {"c:a": "copy"}
            if made == "aac":
                # the encoder's first frame lies before the sound that it was given: moved to
                # zero, it would have all of a session come late by a frame
                said = {"c:a": "aac", "b:a": "32k", "avoid_negative_ts": "disabled"}
            sound = [stream[f"a:{number}"]]
            outputs.append(_output(sound, place, segment_s, _SOUND_OPTIONS, said))
    arguments = ffmpeg.get_args(ffmpeg.merge_outputs(*outputs))
    # verbose: what an RTSP source offers is told before anything of it is asked for
    return [program, "-hide_banner", "-nostats", "-loglevel", "level+verbose", *_tidy(arguments)]


def _output(
    wanted: list[object], folder: Path, segment_s: int, form: str, options: Mapping[str, object]
) -> object:
    import ffmpeg

    return ffmpeg.output(
        *wanted,
        str(folder / "%06d.mp4"),
        **options,
        f="segment",
        segment_time=segment_s,
        segment_atclocktime=1,
        segment_format="mp4",
        segment_format_options=form,
        max_muxing_queue_size=1024,
    )


def _tidy(arguments: list[str]) -> list[str]:
    """Drop the empty value ffmpeg-python leaves after a bare flag."""
    return [argument for argument in arguments if argument not in ("", "None")]
