"""The chain of a stream's segments: each link has the digest of the one before it.

A segment gets its link in the transaction that takes it into the catalog, once it is sealed.  Links
are logged by batches, each minute: the root of the Merkle tree over a batch's lines (RFC 6962)
stands in an entry of the audit log.  A line is JSON as an entry's bytes are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from recorder.audit.entry import canonical
from recorder.audit.tree import leaf_hashes, root
from recorder.evidence.manifest import time
from recorder.model.checks import check_integer, read_json
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.timebase import TimeRange, parse_instant

GENESIS = bytes(32)
"""What the first link of a chain has in place of the one before it."""
VERSION = 1
ACTION = "footage.sealed"
"""The entry that has a batch's root."""


@dataclass(frozen=True, slots=True)
class Link:
    """A segment's place in its stream's chain.

    ``number``: from 0, without a hole.  ``before``: the head that it goes on from.
    """

    stream: StreamId
    number: int
    key: str
    range: TimeRange
    size: int
    sha256: str
    before: bytes


def write_link(segment: Segment, number: int, before: bytes) -> bytes:
    """Write the line of a segment's link."""
    stream = segment.stream
    return canonical(
        {
            "v": VERSION,
            "site": stream.site,
            "camera": stream.camera,
            "stream": stream.stream,
            "number": number,
            "key": segment.key,
            "start": time(segment.start),
            "end": time(segment.end),
            "bytes": segment.size_bytes,
            "sha256": segment.digest,
            "before": before.hex(),
        }
    )


def head_of(line: bytes) -> bytes:
    """Return the head of a chain that ends with a link.

    >>> head_of(b"").hex()[:8]
    'dbc1b4c9'
    """
    return sha256(b"\x02" + line).digest()


def read_link(line: bytes) -> Link:
    """Read the line of a link.  Raises: ``ValueError``."""
    try:
        body = read_json(line, "link", exact=True)
        if body["v"] != VERSION or canonical(body) != line:
            raise ValueError("link: is written in another way")
        return Link(
            StreamId(body["site"], body["camera"], body["stream"]),
            check_integer(body["number"], "number"),
            str(body["key"]),
            TimeRange(parse_instant(body["start"]), parse_instant(body["end"])),
            check_integer(body["bytes"], "bytes"),
            str(body["sha256"]),
            bytes.fromhex(body["before"]),
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"link: lacks {exc}") from exc
    except ValueError:
        raise
    except Exception as exc:
        raise ValueError(f"link: {exc}") from exc


def batch_root(lines: Sequence[bytes]) -> bytes:
    """Return the root over a batch's lines."""
    return root(leaf_hashes(lines))
