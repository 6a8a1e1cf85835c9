"""What ffmpeg says: the input's description, stamps that run back, named conditions.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from recorder.model.secrets import mask

_CONDITIONS: tuple[tuple[str, str], ...] = (
    (r"401 Unauthorized|403 Forbidden|authorization failed|Unauthorized", "auth-refused"),
    (r"404 Not Found|Stream Not Found|454 Session", "not-found"),
    (r"Connection refused", "unreachable"),
    (r"No route to host|Network is unreachable|Host is down", "unreachable"),
    (
        r"Failed to resolve hostname|Name or service not known|Temporary failure in name",
        "no-such-host",
    ),
    (r"Connection timed out|Operation timed out|Connection reset|ETIMEDOUT", "timeout"),
    (r"No space left on device", "spool-full"),
    (r"unspecified size|dimensions not set", "no-parameters"),
    (
        r"Could not find tag for codec|codec not currently supported in container|"
        r"Could not write header|Unsupported codec|does not contain any stream|"
        r"matches no streams",
        "unsupported-codec",
    ),
    (r"Protocol not found|Invalid data found|Invalid argument", "bad-source"),
    (r"No such file or directory|Permission denied", "bad-source"),
    (r"Option (tls_verify|ca_file) not found", "tls-unchecked"),
    (
        r"Unrecognized option|Error splitting the argument list|Option \S+ not found",
        "program-unfit",
    ),
    (r"certificate|TLS|SSL", "tls"),
    (r"Address already in use", "port-taken"),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), name) for pattern, name in _CONDITIONS)
_WRITING = re.compile(
    r"av_interleaved_write_frame|Could not write header|[Ww]riting trailer|"
    r"[Mm]uxing a packet|to the muxer"
)
"""ffmpeg tells of what it writes, which lies in the spool, and not of its source."""
_SPOOL = (
    (re.compile(r"No space left|quota exceeded", re.IGNORECASE), "spool-full"),
    (
        re.compile(r"Read-only file system|Permission denied|not permitted", re.IGNORECASE),
        "spool-refused",
    ),
    (re.compile(r"Too many open files|Cannot allocate memory", re.IGNORECASE), "no-resources"),
    (
        re.compile(
            r"Input/output error|file handle|No such file|No such device|not connected|"
            r"needs cleaning",
            re.IGNORECASE,
        ),
        "spool-failing",
    ),
)
_BACK = re.compile(
    r"(?:[av]ost#(\d+):\d+[^#]*)?[Nn]on-monoton\w+ DTS"
    r"(?: in output stream (\d+):\d+)?; previous: (-?\d+), current: (-?\d+)"
)
_STREAM = re.compile(r"Stream #0:(\d+)\S*: (Video|Audio|Data): ([A-Za-z0-9_]+)(.*)")
_SIZE = re.compile(r"\b(\d{2,5})x(\d{2,5})\b")
_RATE = re.compile(r"([\d.]+) fps")
_AUDIO_RATE = re.compile(r"(\d+) Hz")

ADVICE = {
    "auth-refused": "the camera refuses these credentials, or wants some; give user and password",
    "not-found": "the camera answers but has no such stream; check the path of the URL",
    "unreachable": "nothing listens there; check address, port, cabling and power",
    "no-such-host": "the name does not resolve; check it, or use the address",
    "timeout": "the camera does not answer in time; check the network, or try the other transport",
    "spool-full": "the spool's disk is full; free space or add disk",
    "no-parameters": "no parameter sets came; the next tries wait longer for them; shorten the "
    "key frame interval at the camera",
    "unsupported-codec": "the stream's codec cannot be recorded; use H.264 or H.265",
    "bad-source": "ffmpeg cannot open this source; check the URL",
    "tls": "the TLS connection failed; name the camera's CA in ca_file, or set verify_tls: false",
    "tls-unchecked": "this ffmpeg cannot check an rtsps certificate; name a newer one in "
    "capture.ffmpeg, or set verify_tls: false",
    "port-taken": "another program listens on that port; choose another",
    "stall": "the stream went silent; it is being reconnected",
    "no-clean-point": "no key frame came for ten minutes; it is being reconnected, for a session "
    "begins with one; shorten the key frame interval at the camera",
    "no-program": "ffmpeg is not there any more; install it, or correct capture.ffmpeg",
    "program-refused": "this node may not run ffmpeg; correct its rights, or capture.ffmpeg",
    "program-unfit": "this ffmpeg is not what this release needs; name a newer one in "
    "capture.ffmpeg",
    "program-killed": "ffmpeg was killed on this node; see whether memory lacked, in the "
    "system's log",
    "spool-refused": "this node may not write to its spool; correct the folder's owner and rights, "
    "and see whether its disk was made read-only",
    "spool-failing": "this node's spool fails: its disk has errors, or is not there any more; look "
    "at the disk and its mount",
    "no-resources": "this node has no files, processes or memory left; raise its limits",
    "cannot-start": "ffmpeg could not be started on this node; run `recorder doctor`",
    "not-allowed": "this node's settings do not allow such a source; see capture.synthetic and "
    "capture.files",
    "no-key": "its user and password cannot be read here; put the key of secrets back, or set them "
    "again",
    "ended": "the source ended the stream",
}
"""What a person can do about each condition."""

HABITS = {
    "sound-silent": "the camera announces sound and sends none; the picture is recorded without",
    "sound-refused": "nobody here can decode its sound; recorded without; set the camera to "
    "G.711 or AAC",
    "tracks-vary": "it offers other tracks at each session; recorded without sound",
    "stamps-back": "stamps of the picture run back; the frames are recorded, and timed by "
    "when they came",
    "sound-stamps-back": "stamps of the sound run back; the picture is not touched",
    "sound-astray": "stamps of sound and picture have parted; sound is placed by when it came",
    "rate-off": "its stamps run slower or faster than time; frames are placed by when they came",
    "long-gop": "more than 10 s from key frame to key frame; clips and stills take long to begin; "
    "shorten the interval at the camera",
    "open-gop": "pictures at a key frame need some before it; clips take those along, hidden; no "
    "thin copies are made",
    "intra-refresh": "pictures are whole only some time after a key frame; clips begin earlier, "
    "hidden; no thin copies are made",
    "other-parameters": "it sends other parameter sets than it announced; footage has a header "
    "made of those",
}
"""What is noticed of a camera that is no failure, and what is done about it."""

INIT_BYTES = 2048
"""A file larger than this holds more than an init segment."""


@dataclass(frozen=True, slots=True)
class InputTrack:
    """What ffmpeg says of one stream of its input; ``encoding``: what its source calls it."""

    kind: str  # "video", "audio", "data"
    codec: str
    width: int = 0
    height: int = 0
    fps: float = 0.0
    sample_rate: int = 0
    encoding: str = ""

    @property
    def name(self) -> str:
        """Its codec, in the source's own words when ffmpeg knows none."""
        return self.encoding if self.codec == "none" and self.encoding else self.codec


def parse_track(line: str) -> InputTrack | None:
    """Read a line that describes an input stream, ``None`` when it is another line.

    >>> parse_track("  Stream #0:1: Audio: pcm_alaw, 8000 Hz, mono, s16, 64 kb/s").codec
    'pcm_alaw'
    """
    match = _STREAM.search(line)
    if match is None:
        return None
    kind, codec, rest = match[2].lower(), match[3], match[4]
    size, rate, hertz = _SIZE.search(rest), _RATE.search(rest), _AUDIO_RATE.search(rest)
    return InputTrack(
        kind,
        codec,
        int(size[1]) if size and kind == "video" else 0,
        int(size[2]) if size and kind == "video" else 0,
        float(rate[1]) if rate else 0.0,
        int(hertz[1]) if hertz else 0,
    )


_MEDIA = re.compile(r"^m=(video|audio) \S+ \S+ (\d+)")
_RTPMAP = re.compile(r"^a=rtpmap:(\d+) ([^/\s]+)(?:/(\d+))?", re.IGNORECASE)
_STATIC = {
    "0": ("PCMU", 8000),
    "3": ("GSM", 8000),
    "8": ("PCMA", 8000),
    "9": ("G722", 8000),
    "14": ("MPA", 90000),
    "26": ("JPEG", 90000),
}
_ENCODINGS = {
    "h264": "h264",
    "h265": "hevc",
    "jpeg": "mjpeg",
    "mp4v-es": "mpeg4",
    "pcma": "pcm_alaw",
    "pcmu": "pcm_mulaw",
    "mpeg4-generic": "aac",
    "mp4a-latm": "aac",
    "l16": "pcm_s16be",
    "opus": "opus",
    "g722": "adpcm_g722",
    "g726-16": "adpcm_g726le",
    "g726-24": "adpcm_g726le",
    "g726-32": "adpcm_g726le",
    "g726-40": "adpcm_g726le",
    "gsm": "gsm",
    "mpa": "mp3",
    "ac3": "ac3",
    "speex": "speex",
    "ilbc": "ilbc",
    "amr": "amr_nb",
    "amr-wb": "amr_wb",
}


def parse_sdp(text: Sequence[str]) -> list[InputTrack]:
    """Read the tracks of a session description, as ffmpeg names their codecs.

    An encoding that is not known is called ``none``.
    Source: RFC 8866; static payload types of RFC 3551.

    >>> parse_sdp(["m=video 0 RTP/AVP 96", "a=rtpmap:96 H265/90000"])[0].codec
    'hevc'
    """
    found: list[tuple[str, str, tuple[str, int]]] = []
    for line in text:
        if media := _MEDIA.match(line):
            found.append((media[1], media[2], _STATIC.get(media[2], ("", 0))))
        elif found and (named := _RTPMAP.match(line)) and named[1] == found[-1][1]:
            found[-1] = (*found[-1][:2], (named[2], int(named[3] or 0)))
    return [
        InputTrack(
            kind,
            _ENCODINGS.get(name.lower(), "none"),
            sample_rate=hertz if kind == "audio" else 0,
            encoding=name,
        )
        for kind, _, (name, hertz) in found
    ]


def condition_of(line: str) -> str | None:
    """Name the condition a line of ffmpeg's stderr tells of, ``None`` for other lines.

    >>> condition_of("[error] method DESCRIBE failed: 401 Unauthorized")
    'auth-refused'
    """
    if of_spool := spool_condition_of(line):
        return of_spool
    for pattern, name in _COMPILED:
        if pattern.search(line):
            return name
    return None


def is_no_answer(line: str) -> bool:
    """Tell whether a line says that what came could not be read; so it does where nothing came.

    >>> is_no_answer("Error opening input files: Invalid data found when processing input")
    True
    """
    return "Invalid data found" in line


def spool_condition_of(line: str) -> str | None:
    """Name what is wrong with the spool, where a line tells that it cannot be written to.

    >>> spool_condition_of("[error] av_interleaved_write_frame(): Read-only file system")
    'spool-refused'
    """
    if not _WRITING.search(line):
        return None
    return next((name for pattern, name in _SPOOL if pattern.search(line)), None)


@dataclass(frozen=True, slots=True)
class StampsBack:
    """ffmpeg put a packet behind the one before it, for its stamp was not.

    ``output``: 0 the picture, else sound; ``ticks``: how far back, 0 for the same stamp.
    """

    output: int
    ticks: int


def stamps_back(line: str) -> StampsBack | None:
    """Read a line that reports a stamp that does not run on, ``None`` for other lines.

    The first packet of an RTSP session has no stamp, and ffmpeg says so in the same words
    with ``previous: 0``; that tells nothing.

    >>> stamps_back("[vost#0:0/copy @ 0x5] [warning] Non-monotonic DTS; previous: 900, "
    ...             "current: 600; changing to 901. This may result in")
    StampsBack(output=0, ticks=300)
    """
    found = _BACK.search(line)
    if found is None or found[3] == "0":
        return None
    output = next(int(text) for text in (found[1], found[2], "0") if text)
    return StampsBack(output, max(0, int(found[3]) - int(found[4])))


def said(line: str) -> str:
    """Trim a line of stderr for people: no level, no addresses of objects, no secrets."""
    text = re.sub(r"^\[[^\]]*@ 0x[0-9a-f]+\]\s*", "", line.strip())
    text = re.sub(r"^\[(fatal|error|warning|info)\]\s*", "", text)
    return mask(text)[:300]
