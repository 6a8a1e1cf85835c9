"""Clips: exact to the frame, computed from frame tables, served from stored bytes."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recorder.cut import Piece, fragments_of, runs_of, slices
from recorder.errors import NoFootage
from recorder.export.built import Builder, mixed
from recorder.export.identity import ClipPart
from recorder.export.virtual import VirtualFile
from recorder.model.media import Segment
from recorder.model.timebase import TimeRange
from recorder.reading.extent import Blocks, read_blocks
from recorder.reading.found import Found
from recorder.reading.view import View


@dataclass(slots=True)
class Clip:
    """A clip ready to be read: the virtual file and the true times of what it shows."""

    file: VirtualFile
    parts: list[ClipPart]
    found: Found
    view: View

    def read(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes ``[start, end)``; all of them by default."""
        return read_blocks(self.blocks(start, self.file.size if end is None else end))

    def blocks(self, start: int, end: int) -> Blocks:
        """Yield the same as blocks: of what lies in files here, extents."""

        def reader(segment: Segment, offset: int, length: int) -> Blocks:
            return self.view.blocks(segment, offset, length, self.found)

        return self.file.read(start, end, reader)

    def close(self) -> None:
        """Let go of open files."""
        self.found.close()


def make_clip(view: View, found: Found, asked: TimeRange) -> Clip:
    """Make the progressive MP4 of a range; gaps are skipped, their true times kept.

    Raises: ``NoFootage`` when no frame lies in the range; ``MixedCodecs``.
    """
    pieces = found.cut(asked)
    builder = Builder(view, found)
    _one_codec(pieces)
    tables = view.tables(found, needed(pieces))
    for run in runs_of(pieces):
        builder.add_run(run, tables)
    if not builder.parts:
        stream = found.segments[0].stream if found.segments else "recording"
        raise NoFootage(f"{stream}: no frame in the range", hint="ask for a longer range")
    file = builder.finish(builder.parts[0].range.start)
    return Clip(file, builder.parts, found, view)


def needed(pieces: Sequence[Piece]) -> list[Segment]:
    """List the segments whose tables a clip is made of, in order."""
    return [segment for piece in pieces for segment in (*piece.before, piece.segment)]


def _one_codec(pieces: Sequence[Piece]) -> None:
    """Refuse a clip over a change from H.264 to H.265: players would show a part, silently."""
    for before, after in itertools.pairwise(piece.segment for piece in pieces):
        kinds = [one.codecs.partition(".")[0] for one in (before, after)]
        if kinds[0] != kinds[1]:
            raise mixed(after, f"the codec changes from {kinds[0]} to {kinds[1]}")


def make_native(view: View, found: Found, asked: TimeRange) -> Clip:
    """Make the byte-joined natives of a range: init segment and fragments, untouched.

    Starts at the clean point that the range's first frame needs; a change of decoder configuration
    brings its own init segment.
    """
    parts, offsets, lengths = array("q"), array("q"), array("q")
    segments: list[Segment] = []
    shown: list[ClipPart] = []
    decoder, at_ns = "", 0
    pieces = found.cut(asked)
    for segment, fragments in (one for piece in pieces for one in fragments_of(piece)):
        if not fragments:
            continue
        ranges = slices(fragments)
        if segment.decoder_digest != decoder:
            decoder = segment.decoder_digest
            ranges = [(0, segment.init_bytes), *ranges]
        for offset, length in ranges:
            parts.append(len(segments))
            offsets.append(offset)
            lengths.append(length)
        segments.append(segment)
        begin = segment.instant_at(segment.media_start + fragments[0].start_ticks)
        last = fragments[-1]
        end = segment.instant_at(segment.media_start + last.start_ticks + last.duration_ticks)
        shown.append(
            ClipPart(
                at_ns,
                at_ns + end - begin,
                TimeRange(begin, end),
                segment.camera_offset_ns,
                segment.codecs,
                0,
            )
        )
        at_ns += end - begin
    if not segments:
        raise NoFootage("no fragment in the range", hint="ask for a longer range")
    return Clip(VirtualFile(b"", segments, parts, offsets, lengths), shown, found, view)
