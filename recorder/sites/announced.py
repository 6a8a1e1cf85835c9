"""What a transfer from a site below announces, held against what it brings.  Pure.

A footer says what its footage is, and is that of its key (:mod:`recorder.segment.meta`).  So the
key must be of a site below: nobody's word makes footage of this site's own cameras.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from recorder.errors import BadDocument, NotAllowed, RequestError, TooLarge
from recorder.model.checks import read_integer
from recorder.model.events import MOST_AHEAD_NS
from recorder.model.keys import NAME, KeyParts, StreamId, parse_key
from recorder.model.media import Segment
from recorder.model.timebase import Instant

MOST_SEGMENT = 1 << 40
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Announced:
    """A transfer as its headers announce it.

    ``child`` sends it, by the catalog ``catalog``; empty if it does not say.
    """

    key: str
    offset: int
    size: int
    digest: str
    child: str = ""
    catalog: str = ""


def read_announced(
    key: str, offset: str, size: str, digest: str, child: str = "", catalog: str = ""
) -> Announced:
    """Read what the headers of a transfer say.

    Raises: ``RequestError``.
    """
    if child and NAME.fullmatch(child) is None:
        raise RequestError("x-site: is not a name")
    if _DIGEST.fullmatch(digest) is None:
        raise RequestError("x-digest: is missing, or no SHA-256 in hexadecimal")
    length = read_integer(size, "x-size", 1, MOST_SEGMENT)
    at = read_integer(offset, "upload-offset", 0, length)
    return Announced(key, at, length, digest, child, catalog)


def stream_of_transfer(key: str, site: str) -> tuple[StreamId, KeyParts]:
    """Read whose footage a key announces.

    Raises: ``BadDocument`` when it is no key of a segment; ``NotAllowed`` for the site's own.
    """
    parts = parse_key(key)
    names = parts.prefix.split("/") if parts is not None else []
    if parts is None or parts.is_end or len(names) != 3 or not all(map(NAME.fullmatch, names)):
        raise BadDocument(f"transfer {key[:200]!r}: not a key of a segment")
    if names[0] == site:
        raise NotAllowed(f"transfer {key}: is of this site itself")
    return StreamId(*names), parts


def check_sender(key: str, stream: StreamId, below: Collection[str], child: str) -> None:
    """Let footage come only from where its site is; ``below``: the sites known through ``child``,
    or all there are, where it does not say.

    Raises: ``NotAllowed``.
    """
    if stream.site not in below:
        through = f" through {child}" if child else ""
        raise NotAllowed(
            f"transfer {key}: site {stream.site} is not known{through}",
            hint="it comes with the feed of the site below that sends it",
        )


def at_most(blocks: Iterable[bytes], left: int, what: str) -> Iterator[bytes]:
    """Let so many bytes through.

    Raises: ``TooLarge`` at the first byte more; what was let through is all that may count.
    """
    for block in blocks:
        if len(block) > left:
            raise TooLarge(f"{what}: more bytes than announced")
        left -= len(block)
        yield block


def check_segment(segment: Segment, key: str, now: Instant) -> None:
    """See that what came under a key can have been recorded by now; its footer is the key's own.

    Raises: ``BadDocument``.
    """
    try:
        if segment.start < 0 or segment.end <= segment.start:
            raise RequestError("end: is not after start, or that before 1970")
        if segment.media_end <= segment.media_start:
            raise RequestError("media_end: is not after media_start")
        if segment.end > now + MOST_AHEAD_NS:
            raise RequestError("end: is more than a day in the future")
    except RequestError as exc:
        raise BadDocument(f"transfer {key}: footer: {exc}") from exc
