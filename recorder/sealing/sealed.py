"""Add digest and trailer to what was described."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from recorder import index
from recorder.bmff.footer import build_footer
from recorder.bmff.fragments import build_mfra
from recorder.bmff.init import read_init
from recorder.model.media import Segment
from recorder.model.runs import Run, SpanState
from recorder.sealing.described import describe
from recorder.sealing.part import Described
from recorder.sealing.raw import Raw, made_sense_of
from recorder.segment.layout import Part
from recorder.segment.meta import footer_meta


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment, and what makes it: its body of ``keep_bytes``, then ``trailer``."""

    segment: Segment
    keep_bytes: int
    trailer: bytes


@dataclass(frozen=True, slots=True)
class SealedFile:
    """All that a file became.

    ``reason`` and ``lost_bytes``: why and how much of a torn end was cut off.
    """

    segments: tuple[Sealed, ...]
    described: tuple[Described, ...]
    reason: int
    lost_bytes: int

    @property
    def state(self) -> SpanState:
        """Where the run stands after it."""
        return self.described[-1].state


ReadPart = Callable[[Part], object]
"""Gives the bytes of a part of a layout."""


@made_sense_of()
def seal(raw: Raw, run: Run, previous: SpanState | None, read: ReadPart) -> SealedFile:
    """Decide everything about a finished file; see :func:`describe`.

    Raises: ``MalformedMedia`` when nothing of it can be kept.
    """
    described = describe(raw, run, previous)
    scan = index.scan(raw.video, read_init(raw.video))
    lost = 0 if scan.whole else len(raw.video) - scan.stop
    sealed = tuple(_sealed(raw, one, run, read) for one in described)
    return SealedFile(sealed, tuple(described), scan.reason, lost)


def _sealed(raw: Raw, found: Described, run: Run, read: ReadPart) -> Sealed:
    body = hashlib.sha256()
    for block in body_blocks(raw, found, read):
        body.update(block)
        if isinstance(block, memoryview):
            block.release()
    whole = body.copy()
    meta = footer_meta(found.segment, run.node, run.term, run.source, body.hexdigest())
    trailer = build_footer(meta, found.table) + build_mfra(found.table, found.init)
    whole.update(trailer)
    size = found.stop + len(trailer)
    segment = replace(found.segment, size_bytes=size, digest=whole.hexdigest())
    return Sealed(segment, found.stop, trailer)


def body_blocks(raw: Raw, found: Described, read: ReadPart) -> Iterator[Any]:
    """Yield the bytes of a segment before its footer."""
    if found.layout is None:
        yield memoryview(raw.video)[: found.stop]
        return
    for part in found.layout.parts:
        yield read(part)
