"""Exports: bundles of evidence, asked for, waited for, fetched."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack, cast
from urllib.parse import quote

from recorder.client.asked import Moment, moment
from recorder.client.asking import Asking
from recorder.client.connection import class_named
from recorder.client.download import Download
from recorder.durable import only_one
from recorder.errors import DigestMismatch, IntegrityError, NotFound

if TYPE_CHECKING:
    from recorder.model import shown_exports as shown

BLOCK = 1 << 20
OPEN = ("waiting", "running")
PAUSE_S = 0.5
MOST_PAUSE_S = 5.0


class ExportForm(TypedDict, total=False):
    """What a bundle has: copies with masks, with who asked and what for burnt in, instead of what
    was recorded; other forms of the clips; ``timestamp=False``: without a time stamp.
    """

    masked: bool
    mark: bool
    onvif: bool
    c2pa: bool
    timestamp: bool


class ExportsAsking(Asking):
    """Asks about exports."""

    def ask_export(
        self,
        cameras: Sequence[str],
        start: Moment,
        end: Moment,
        *,
        case: str,
        purpose: str,
        site: str | None = None,
        stream: str | None = None,
        wait: str | None = None,
        **form: Unpack[ExportForm],
    ) -> shown.ShownExport:
        """Ask for a bundle of evidence: it is made by and by.

        ``wait``: how long it may wait for footage to come, or for a store or site that is away,
        such as ``"2h"``.  Its footage is held from now on.
        """
        body: dict[str, object] = {
            "cameras": list(cameras),
            "start": moment(start),
            "end": moment(end),
            "case": case,
            "purpose": purpose,
            "site": site,
            "stream": stream,
            "wait": wait,
            **{name: said for name, said in form.items() if said != (name == "timestamp")},
        }
        given = {key: value for key, value in body.items() if value is not None}
        return cast("shown.ShownExport", self.ask("POST", "/exports", body=given))

    def exports(self) -> Iterator[shown.ShownExport]:
        """Yield one's own exports, and those of cameras that one may export; newest first."""
        yield from self._connection.pages("/exports", {"limit": 100})

    def export(self, export_id: str) -> shown.ShownExport:
        """Return how far an export is: what it waits for, or why it failed."""
        return cast("shown.ShownExport", self.ask("GET", _path(export_id)))

    def follow_export(self, export_id: str) -> Iterator[shown.ShownExport]:
        """Yield how far an export is, again and again, until it has come to an end.

        Raises: what made it fail, as an error of that class.
        """
        pause = PAUSE_S
        while True:
            found = self.export(export_id)
            if found["failed_for"] is not None:
                kind = class_named(str(found["failed_as"])) or IntegrityError
                raise kind(f"export {export_id} failed: {found['failed_for']}")
            yield found
            if found["state"] not in OPEN:
                return
            time.sleep(pause)
            pause = min(MOST_PAUSE_S, 1.5 * pause)

    def save_export(
        self, export_id: str, path: Path | str, step: Callable[[int], object] = lambda _: None
    ) -> int:
        """Fetch a bundle that is done, as a zip; return its size.

        It goes on with what an earlier try left (``path.part``), and has its name once all of it
        is there and has the digest that the server says.  ``step`` hears of how much more came.
        Raises: ``NotFound`` for one without a bundle; ``DigestMismatch``: fetch it again.
        """
        found = self.export(export_id)
        size, digest = found["bytes"], found["sha256"]
        if size is None or digest is None or found["state"] != "done":
            raise NotFound(f"export {export_id} is {found['state']}: there is no bundle")
        target = Path(path)
        part = target.with_name(target.name + ".part")
        with only_one(part):
            with part.open("ab+") as file:
                if file.tell() > size:
                    file.truncate(0)
                at = file.tell()
                step(at)
                if at < size:
                    for block in self._bundle(export_id).blocks(at):
                        file.write(block)
                        step(len(block))
                file.flush()
                os.fsync(file.fileno())
            with part.open("rb") as done:
                same = hashlib.file_digest(done, "sha256").hexdigest() == digest
            if not same:
                part.unlink()
                raise DigestMismatch(
                    f"export {export_id}: what came is not what was made", hint="fetch it again"
                )
            part.replace(target)
        return size

    def _bundle(self, export_id: str) -> Download:
        """Ask for a bundle's head; its bytes are asked for by range."""
        address = self._connection.address(f"{_path(export_id)}/bundle.zip")
        answer = self._connection.open("HEAD", address)
        found = Download(self._connection, address, answer)
        found.close()
        return found

    def remove_export(self, export_id: str) -> None:
        """Take an export back: it is made no further, and its bundle goes."""
        self.ask("DELETE", _path(export_id))

    def export_key(self) -> shown.ShownExportKey:
        """Return the key that signs the site's bundles."""
        return cast("shown.ShownExportKey", self.ask("GET", "/exports/key"))


def _path(export_id: str) -> str:
    return f"/exports/{quote(export_id, '')}"
