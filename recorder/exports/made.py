"""Exports as this node makes them: with its stores, its log, its ffmpeg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorder.evidence.manifest import File
from recorder.export.sinks import FolderSink
from recorder.exports.runner import Runner
from recorder.exports.tools import Progressing, Tools
from recorder.model.caller import Caller, CallerKind
from recorder.model.exports import Export

if TYPE_CHECKING:
    from recorder.app import App


class WatchedSink(FolderSink):
    """A folder that takes nothing more once nobody wants it."""

    def __init__(self, root: Path, progress: Progressing) -> None:
        super().__init__(root)
        self._progress = progress

    def put(self, name: str, blocks: Iterable[bytes], expected: File | None = None) -> File:
        """See :class:`recorder.export.sinks.Sink`."""
        return super().put(name, self._watched(blocks), expected)

    def _watched(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self._progress.check()
            yield block


def _make(app: App, export: Export, folder: Path, progress: Progressing) -> None:
    from recorder.exports.asking import asked_of  # clips, pictures, proofs: few nodes make any
    from recorder.handover import make_bundle

    sink = WatchedSink(folder, progress)
    aside = app.bundles.aside(export.export_id)
    make_bundle(
        app,
        export.caller,
        asked_of(export),
        export.export_id,
        sink,
        progress.step,
        progress.begin,
        aside,
    )


def _note(app: App, action: str, export: Export, details: dict[str, Any]) -> None:
    from recorder.exports.asking import details_of, subject_of

    caller = Caller(CallerKind.NODE, app.settings.node)
    app.book.note(caller, action, subject_of(export), **details_of(export), **details)


def tools_of(app: App) -> Tools:
    """Return what a node makes exports with."""
    return Tools(
        app.catalog.exports,
        app.catalog.holds,
        app.bundles,
        app.site_clock,
        app.settings.node,
        app.settings.exports.keep_ns,
        partial(_make, app),
        partial(_note, app),
        lambda: app.upkeep.janitor.proof.present(),
    )


def runner_of(app: App) -> Runner:
    """Return what makes exports on a node."""
    return Runner(tools_of(app), app.settings.exports.at_once, app.ending.is_set)
