"""A zip of clips, one per span, with the timeline beside them; streamed, never on disk."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Generator

from recorder.cut import runs_of, segments_of
from recorder.errors import NoFootage
from recorder.export.clip import Clip, make_clip
from recorder.export.identity import show_part, sources_digest
from recorder.model.keys import StreamId
from recorder.model.missing import Missing, show_missing
from recorder.model.timebase import TimeRange, format_instant, show_range
from recorder.reading.view import View


class _Pipe(io.RawIOBase):
    """Takes what zipfile writes and hands it on."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.at = 0

    def writable(self) -> bool:
        return True

    def write(self, block: object) -> int:
        data = bytes(block)  # type: ignore[call-overload]
        self.blocks.append(data)
        self.at += len(data)
        return len(data)

    def tell(self) -> int:
        return self.at

    def taken(self) -> bytes:
        out = b"".join(self.blocks)
        self.blocks.clear()
        return out


def clips_in(
    view: View, stream: StreamId, asked: TimeRange
) -> Generator[tuple[str, Clip], None, None]:
    """Yield an exact clip per span of a range, each with a name for its file.

    It is closed when the next is asked for.  Raises: ``NoFootage`` when there is none at all.
    """
    with view.find_some(stream, asked) as found:
        runs = runs_of(found.cut(asked))
    for number, run in enumerate(runs, 1):
        range_ = TimeRange(run[0].range.start, run[-1].range.end)
        stamp = format_instant(range_.start, 3).replace(":", "").replace("-", "")
        with view.find_some(stream, range_) as found:
            found.segments = segments_of(run, found.segments)
            try:
                clip = make_clip(view, found, range_)
            except NoFootage:
                continue
            yield f"{stream.camera}_{number:03d}_{stamp}.mp4", clip


def stream_zip(view: View, stream: StreamId, missing: Missing) -> Generator[bytes, None, None]:
    """Yield a zip with an exact MP4 per span of a range, and ``timeline.json``, gaps included."""
    asked = missing.asked
    pipe = _Pipe()
    listed = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with contextlib.closing(clips_in(view, stream, asked)) as clips:
            for name, clip in clips:
                with archive.open(name, "w", force_zip64=True) as member:
                    for block in clip.read():
                        member.write(block)
                        yield pipe.taken()
                listed.append(_listed(name, clip))
        body = {
            "site": stream.site,
            "camera": stream.camera,
            "stream": stream.stream,
            "asked": show_range(asked),
            **show_missing(missing),
            "files": listed,
        }
        archive.writestr("timeline.json", json.dumps(body, indent=2))
    yield pipe.taken()


def _listed(name: str, clip: Clip) -> dict[str, object]:
    return {
        "file": name,
        "start": format_instant(clip.parts[0].range.start),
        "end": format_instant(clip.parts[-1].range.end),
        "bytes": clip.file.size,
        "sources_sha256": sources_digest(clip.file.segments).strip(),
        "parts": [show_part(part) for part in clip.parts],
    }
