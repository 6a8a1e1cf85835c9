"""Where the commands about exports get their answers: this node, or a server."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from recorder.cli.allowed import check_asked
from recorder.cli.whom import Here, There, ask, named
from recorder.durable import only_one
from recorder.errors import IntegrityError, StateError
from recorder.model.exports import ExportWanted, Form, read_said
from recorder.model.timebase import TimeRange, parse_duration

if TYPE_CHECKING:
    from recorder.cli.context import Context
    from recorder.model.shown_exports import ShownExport, ShownExportKey

BLOCK = 1 << 20
LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A bundle as it is asked for on a command line."""

    cameras: Sequence[str]
    range: TimeRange
    case: str
    purpose: str
    site: str | None = None
    stream: str | None = None
    wait: str | None = None
    form: Form = Form()  # noqa: RUF009 - is frozen


class ExportAnswers(Protocol):
    """What the commands about exports are answered with."""

    def ask(self, wanted: AskedFor) -> ShownExport:
        """Ask for a bundle."""

    def all(self) -> list[ShownExport]:
        """Return exports, newest first."""

    def one(self, export_id: str) -> ShownExport:
        """Return one."""

    def follow(self, export_id: str) -> Iterator[ShownExport]:
        """Yield how far one is until it has come to an end; raise what made it fail."""

    def save(self, export_id: str, target: Path, step: Callable[[int], None]) -> int:
        """Write a bundle that is done to a file; return its size."""

    def remove(self, export_id: str) -> None:
        """Take one back."""

    def key(self) -> ShownExportKey:
        """Return the key that signs."""


def answers(context: Context) -> ExportAnswers:
    """Return whom the commands ask."""
    return ask(context, ExportHere, ExportThere)


class ExportHere(Here):
    """The node on this machine: its catalog, and its folder of bundles."""

    def ask(self, wanted: AskedFor) -> ShownExport:
        """See :class:`ExportAnswers`."""
        from recorder.exports import asking

        app = self._app
        streams = [app.finder.named(one, wanted.stream, wanted.site) for one in wanted.cameras]
        cameras = tuple(dict.fromkeys(str(one.stream.camera_id) for one in streams))
        said = (read_said(wanted.case, "case"), read_said(wanted.purpose, "purpose"))
        wait_ns = parse_duration(wanted.wait, "wait") if wanted.wait is not None else 0
        check_asked(self._context, wanted)
        body = ExportWanted(cameras, wanted.range, *said, wanted.stream or "", wait_ns, wanted.form)
        return asking.shown(app, [asking.ask(app, self._context.me, body)])[0]

    def all(self) -> list[ShownExport]:
        """See :class:`ExportAnswers`."""
        from recorder.exports import asking

        return asking.shown(self._app, asking.all_of(self._app))

    def one(self, export_id: str) -> ShownExport:
        """See :class:`ExportAnswers`."""
        from recorder.exports import asking

        return asking.shown(self._app, [asking.find(self._app, export_id)])[0]

    def follow(self, export_id: str) -> Iterator[ShownExport]:
        """See :class:`ExportAnswers`."""
        from recorder import errors

        while True:
            found = self.one(export_id)
            if found["failed_for"] is not None:
                kind = getattr(errors, str(found["failed_as"]), IntegrityError)
                raise kind(f"export {export_id} failed: {found['failed_for']}")
            yield found
            if found["state"] not in ("waiting", "running"):
                return
            time.sleep(LOOK_S)

    def save(self, export_id: str, target: Path, step: Callable[[int], None]) -> int:
        """See :class:`ExportAnswers`."""
        from recorder.exports import asking

        app = self._app
        export = asking.ready(asking.find(app, export_id))
        path = app.bundles.zip(export_id)
        if path is None:
            raise StateError(
                f"export {export_id}: its bundle lies at node {export.node}",
                hint="run it there; or fetch it by the API: recorder --server URL export get",
            )
        about, details = asking.subject_of(export), asking.details_of(export)
        self._note("export.download", about, **details)
        part = target.with_name(target.name + ".part")
        digest = hashlib.sha256()
        with only_one(part):
            with path.open("rb") as source, part.open("wb") as file:
                while block := source.read(BLOCK):
                    file.write(block)
                    digest.update(block)
                    step(len(block))
                file.flush()
                os.fsync(file.fileno())
            if export.made is None or digest.hexdigest() != export.made.digest:
                part.unlink()
                raise IntegrityError(f"{path}: is not what was made", hint="ask for it anew")
            part.replace(target)
        return export.made.size_bytes

    def remove(self, export_id: str) -> None:
        """See :class:`ExportAnswers`."""
        from recorder.exports import asking

        asking.remove(self._app, self._context.me, asking.find(self._app, export_id))

    def key(self) -> ShownExportKey:
        """See :class:`ExportAnswers`."""
        from recorder.exports import asking

        return asking.show_key(self._app)


class ExportThere(There):
    """A server, by its API."""

    def ask(self, wanted: AskedFor) -> ShownExport:
        """See :class:`ExportAnswers`."""
        return self._client.ask_export(
            [named(one, wanted.site) for one in wanted.cameras],
            wanted.range.start,
            wanted.range.end,
            case=wanted.case,
            purpose=wanted.purpose,
            stream=wanted.stream,
            wait=wanted.wait,
            masked=wanted.form.masked,
            mark=wanted.form.mark,
            onvif=wanted.form.onvif,
            c2pa=wanted.form.c2pa,
            timestamp=wanted.form.timestamp,
        )

    def all(self) -> list[ShownExport]:
        """See :class:`ExportAnswers`."""
        return list(self._client.exports())

    def one(self, export_id: str) -> ShownExport:
        """See :class:`ExportAnswers`."""
        return self._client.export(export_id)

    def follow(self, export_id: str) -> Iterator[ShownExport]:
        """See :class:`ExportAnswers`."""
        return self._client.follow_export(export_id)

    def save(self, export_id: str, target: Path, step: Callable[[int], None]) -> int:
        """See :class:`ExportAnswers`."""
        return self._client.save_export(export_id, target, step)

    def remove(self, export_id: str) -> None:
        """See :class:`ExportAnswers`."""
        self._client.remove_export(export_id)

    def key(self) -> ShownExportKey:
        """See :class:`ExportAnswers`."""
        return self._client.export_key()
