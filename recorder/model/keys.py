"""Object keys: where a segment stands in a store.

Source: ONVIF Recording Control Specification, annex "Object storage recording format",
rules ``key``, ``lead``, ``time`` (ABNF, RFC 5234).  Ours fill them like this::

    <site>/<camera>/<stream>/<YYYY-MM-DD>/<node>.<term>/<HH>/<MM-SS.ffffff>Z.<counter>.mp4
    `------- prefix -------'               `- postfix -'
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple, TypeVar

from recorder.errors import RequestError
from recorder.model.checks import check_text
from recorder.model.timebase import EARLIEST, LATEST, SECOND, Instant, format_instant

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
"""What a site, camera, stream, node or store may be called."""

_KEY = re.compile(
    r"(?:(?P<prefix>.+)/)?(?P<date>\d{4}-\d\d-\d\d)(?:/(?P<postfix>.+))?"
    r"/(?P<hour>\d\d)/(?P<minute>\d\d)-(?P<second>\d\d)(?P<frac>\.\d{1,6})?Z"
    r"\.(?P<counter>\d{1,10})\.(?P<ext>mp4|m4v|m4a|m4m)(?P<end>_end)?",
    re.ASCII,
)

MOST_KEY, MOST_PART = 1024, 240
"""Bytes of a key (S3's limit), and of one part: a file's name has 255, some of them ours."""


ANY_SITE = ""
"""In the place of a site: a camera of that name wherever it is.  So old rows are read."""

T = TypeVar("T")


class CameraId(NamedTuple):
    """One camera of one site; with :data:`ANY_SITE`, those of that name at every site.

    A camera's name is its site's alone: two sites may each have one of a name.
    """

    site: str
    camera: str

    def __str__(self) -> str:
        return f"{self.site}/{self.camera}" if self.site else self.camera


FOREIGN = "foreign"
"""Who wrote an object whose key does not say it."""


@dataclass(frozen=True, slots=True, order=True)
class StreamId:
    """One encoded feed of one camera at one site."""

    site: str
    camera: str
    stream: str

    def __str__(self) -> str:
        return f"{self.site}/{self.camera}/{self.stream}"

    @property
    def camera_id(self) -> CameraId:
        """The camera that it is of."""
        return CameraId(self.site, self.camera)


@dataclass(frozen=True, slots=True)
class KeyParts:
    """What a key says about its object."""

    prefix: str
    start: Instant
    postfix: str
    counter: int
    extension: str
    is_end: bool


def other_name(name: str, *said: object) -> str:
    """Return what is named alike is called beside it; ``said`` tells the two apart.

    Always the same, and a name, too.

    >>> other_name("1", "post2")
    '1-398676d3'
    """
    text = "\n".join((name, *map(str, said)))
    return f"{name[:54]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def check_name(name: object, what: str) -> str:
    """Return ``name`` when it can stand in a key.

    Raises: ``RequestError`` otherwise.
    """
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        shown = f" {name[:64]!r}" if isinstance(name, str) else ""
        raise RequestError(
            f"{what}{shown} is not a name",
            hint="use letters, digits, '-' and '_', at most 63, starting with a letter or digit",
        )
    return name


def read_camera_id(text: object, site: str = ANY_SITE, what: str = "camera") -> CameraId:
    """Read ``site/camera``, or a bare name: the camera of that name at ``site``.

    Raises: ``RequestError``.

    >>> read_camera_id("post1/gate"), read_camera_id("gate", "centre")
    (CameraId(site='post1', camera='gate'), CameraId(site='centre', camera='gate'))
    """
    before, slash, name = text.rpartition("/") if isinstance(text, str) else ("", "", text)
    return CameraId(check_name(before, f"{what}: site") if slash else site, check_name(name, what))


def said_of(found: Mapping[CameraId, Sequence[T]], camera: CameraId) -> list[T]:
    """Return all that is said of a camera: as its site's, and of its name at any site."""
    return [*found.get(camera, ()), *found.get(CameraId(ANY_SITE, camera.camera), ())]


def group_of(groups: Mapping[CameraId, str], camera: CameraId) -> str:
    """Return a camera's group: as its site says, else what is said of its name at any site."""
    return groups.get(camera, groups.get(CameraId(ANY_SITE, camera.camera), ""))


def check_key(key: str) -> str:
    """Return a key that names an object, and nothing else: whoever joins it stays in its folder.

    Raises: ``RequestError`` otherwise.

    >>> check_key("north/cam07/main/2026-01-05/n2.41/14/03-07.25Z.12.mp4")[:5]
    'north'
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise RequestError(f"key {key[:200]!r} is not a key", hint="a part of it names no object")
    check_text(key, "key", MOST_KEY)
    if len(key.encode()) > MOST_KEY or any(len(part.encode()) > MOST_PART for part in parts):
        raise RequestError(f"key: longer than {MOST_KEY} bytes, or {MOST_PART} in one part")
    return key


def segment_key(prefix: str, start: Instant, postfix: str, counter: int) -> str:
    """Name the object that holds one segment.

    Units: ``start`` is ns since the Unix epoch, UTC; written with microseconds.
    Source: ONVIF annex, rule ``key``.

    >>> segment_key("north/cam07/main", 1_767_621_787_250_000_000, "n2.41", 12)
    'north/cam07/main/2026-01-05/n2.41/14/03-07.250000Z.12.mp4'
    """
    text = format_instant(start, 6)
    date, hour, minute, second = text[:10], text[11:13], text[14:16], text[17:26]
    return f"{prefix}/{date}/{postfix}/{hour}/{minute}-{second}Z.{counter}.mp4"


def span_end_key(prefix: str, end: Instant, postfix: str, counter: int) -> str:
    """Name the empty object that ends a span; ``counter`` is the last segment's plus one.

    >>> span_end_key("north/cam07/main", 1_767_621_787_250_000_000, "n2.41", 13)
    'north/cam07/main/2026-01-05/n2.41/14/03-07.250000Z.13.mp4_end'
    """
    return segment_key(prefix, end, postfix, counter) + "_end"


def parse_key(key: str) -> KeyParts | None:
    """Read a key written by any device that follows the annex; ``None`` for other keys.

    >>> parse_key("north/cam07/main/2026-01-05/n2.41/14/03-07.25Z.12.mp4").counter
    12
    """
    match = _KEY.fullmatch(key)
    try:
        check_key(key)
    except RequestError:
        return None
    if match is None:
        return None
    second = int(match["second"])
    try:
        moment = datetime.fromisoformat(f"{match['date']}T{match['hour']}:{match['minute']}:00")
    except ValueError:
        return None
    if second > 60:
        return None
    seconds = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        seconds=1
    ) + second
    start = seconds * SECOND + int((match["frac"] or ".0")[1:].ljust(9, "0"))
    if not EARLIEST <= start < LATEST:
        return None
    return KeyParts(
        prefix=match["prefix"] or "",
        start=start,
        postfix=match["postfix"] or "",
        counter=int(match["counter"]),
        extension=match["ext"],
        is_end=match["end"] is not None,
    )


def stream_of_prefix(prefix: str, site: str) -> StreamId:
    """Read the stream from a key's prefix; a foreign prefix becomes a camera of ``site``.

    No two prefixes become one camera: where a name had to be changed, what it was stands behind
    it, as a digest.

    >>> str(stream_of_prefix("north/cam07/main", "x")), str(stream_of_prefix("CAM-1", "x"))
    ('north/cam07/main', 'x/CAM-1/main')
    >>> str(stream_of_prefix("CAM 1", "x"))
    'x/CAM-1-4b27b1e3/main'
    """
    parts = prefix.split("/")
    if len(parts) == 3 and all(NAME.fullmatch(part) for part in parts):
        return StreamId(*parts)
    camera = re.sub(r"[^A-Za-z0-9_-]+", "-", prefix).strip("-_")[:50] or "unnamed"
    if camera != prefix:
        camera += "-" + sha256(prefix.encode()).hexdigest()[:8]
    return StreamId(site, camera, "main")


def is_key_of(key: str, stream: StreamId, row: Mapping[str, object]) -> bool:
    """Tell whether a key can be that of a segment: one of ours names whose it is.

    ``row``: its ``start_ns``, ``writer`` and ``counter``, which stand in its key, too.

    >>> row = {"start_ns": 1_767_621_787 * SECOND, "writer": "foreign", "counter": 12}
    >>> is_key_of("CAM-1/2026-01-05/14/03-07Z.12.mp4", StreamId("x", "CAM-1", "main"), row)
    True
    >>> is_key_of("x/gate/main/2026-01-05/14/03-07Z.12.mp4", StreamId("x", "CAM-1", "main"), row)
    False
    """
    parts = parse_key(key)
    if parts is None or parts.is_end:
        return False
    owner = stream_of_prefix(parts.prefix, ANY_SITE)  # what is another recorder's has no site
    if owner.site and owner != stream:
        return False
    named = (parts.start, parts.postfix or FOREIGN, parts.counter)
    return named == (row["start_ns"], row["writer"], row["counter"])


def site_of(parts: KeyParts | None) -> str:
    """Return the site whose segment a key names; nothing for all that is no segment of ours."""
    if parts is None or "." not in parts.postfix:
        return ""
    return stream_of_prefix(parts.prefix, "").site
