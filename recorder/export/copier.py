"""Masked and marked copies for a bundle: made of segments that were fetched and proven first."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recorder.export.burnt import Burn, burnt_clip, burnt_picture
from recorder.export.clip import Clip
from recorder.export.sinks import FolderSink, Sink
from recorder.model.keys import StreamId
from recorder.model.masks import show_mask

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Copier:
    """Makes the copies of one bundle; ``burns``: what is burnt into each stream's.

    ``folder``: where segments lie meanwhile, and clips are made.
    """

    burns: Mapping[StreamId, Burn]
    ffmpeg: str
    folder: Path

    def show(self) -> dict[str, object]:
        """Say in the manifest, and in the log, what was burnt in."""
        burns = list(self.burns.values())
        return {"masked": all(one.masks for one in burns), "mark": list(burns[0].mark)}

    def masks(self, stream: StreamId) -> list[dict[str, object]]:
        """Say what the copies of a stream hide."""
        return [show_mask(one) for one in self.burns[stream].masks]

    @contextlib.contextmanager
    def aside(self) -> Iterator[Sink]:
        """Open a place for the segments of one stream, out of the bundle."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="originals.", dir=self.folder) as name:
            yield FolderSink(Path(name))

    @contextlib.contextmanager
    def copied(self, stream: StreamId, clip: Clip) -> Iterator[Iterator[bytes]]:
        """Make the copy of a clip.  Raises: ``MalformedMedia``."""
        with (
            burnt_clip(clip, self.burns[stream], self.ffmpeg, self.folder) as path,
            path.open("rb") as file,
        ):
            yield iter(lambda: file.read(BLOCK), b"")

    def picture(self, stream: StreamId, jpeg: bytes) -> bytes:
        """Make the copy of a picture.  Raises: ``MalformedMedia``."""
        return burnt_picture(jpeg, self.burns[stream], self.ffmpeg, self.folder)
