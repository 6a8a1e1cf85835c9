"""A site with footage in its stores, and bundles of evidence made of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recorder.app import App
from recorder.capture.command import Tracks
from recorder.capture.sealer import Sealer
from recorder.config import StorePart, load_settings
from recorder.export.sinks import Sink, bundle_at
from recorder.handover import Asked, hand_over
from recorder.model.caller import Caller, CallerKind
from recorder.model.exports import FORMS, Form
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.runs import Run
from recorder.model.timebase import SECOND, Instant, TimeRange
from recorder.signing import EvidencePart
from tests.support.make import STREAM, T0
from tests.support.shelf import capture, make_film

ANA = Caller(CallerKind.USER, "ana", "10.0.0.7", purpose="case 12")
STORE = "main"


class Exhibit:
    """A site whose camera was recorded from ``T0`` to ``T0`` + 9 s, and from 20 s to 29 s."""

    def __init__(self, folder: Path, film: Path | None = None) -> None:
        """``film``: one that :func:`make_film` made; by default it is made."""
        folder.mkdir(exist_ok=True)
        store = StorePart(name=STORE, kind="directory", path=folder / "store")
        self.app = App(
            load_settings(None, data=folder / "data", site=STREAM.site, node="n1", stores=[store])
        )
        self.app.admit(STORE)
        self._film = film or make_film(folder)
        self.segments = [*self.record(T0, 1), *self.record(T0 + 20 * SECOND, 2)]

    def record(self, start: Instant, term: int, stream: StreamId = STREAM) -> list[Segment]:
        """Record nine seconds, and put them into the store; of another site, as if it came."""
        app, made = self.app, list[Segment]()
        run = Run(stream, "n1", term, 1, start, "node", "file:test")
        folder = app.spool.open_run(run)
        capture(self._film, folder, Tracks(("copy",)))
        for path in app.spool.files(folder):
            at = start + (int(path.stem) + 1) * 2 * SECOND
            os.utime(path, ns=(at, at))
        Sealer(app.spool, made.append).finish_run(folder, run)
        for segment in made:
            path = app.spool.root / "sealed" / segment.key
            app.stores[STORE].put(segment.key, path.read_bytes(), "video/mp4", {})
            app.spool.remove(segment.key)
        if stream.site == STREAM.site:
            app.catalog.commits.add_segments(made, STORE, app.clock.now())
        else:
            for segment in made:
                app.catalog.commits.add_segment(segment, STORE, "", app.clock.now())
        return made

    def bundle(self, target: Path, start_s: float = 1, end_s: float = 25, **more: Any) -> Path:
        """Make a bundle of a range."""
        range_ = TimeRange(T0 + round(start_s * SECOND), T0 + round(end_s * SECOND))
        with bundle_at(target) as sink:
            self.fill(sink, range_, **more)
        return target

    def fill(
        self,
        sink: Sink,
        range_: TimeRange,
        cameras: Sequence[str] = (),
        case: str = "12/2026",
        **more: Any,
    ) -> dict[str, Any]:
        """Fill a bundle."""
        form = Form(**{name: more.pop(name) for name in FORMS if name in more})
        asked = Asked(cameras or [STREAM.camera], range_, case, "trial", form=form, **more)
        return hand_over(self.app, ANA, asked, sink, lambda _: None)

    def sign_with(self, **evidence: Any) -> None:
        """Have bundles signed with what these settings name, besides the site's key."""
        part = EvidencePart(**evidence)
        self.app.settings = self.app.settings.model_copy(update={"evidence": part})

    def close(self) -> None:
        """Let go of threads and database."""
        self.app.close()
