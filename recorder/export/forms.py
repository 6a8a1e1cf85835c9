"""Other forms of a bundle's clips, made beside each: ONVIF Export File Format, C2PA."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from recorder.bmff.oeff import Unit
from recorder.evidence import manifest
from recorder.evidence.manifest import File
from recorder.export.clip import Clip
from recorder.export.signing import Signing
from recorder.model.timebase import parse_instant


class Put(Protocol):
    """Writes a file of a bundle."""

    def __call__(self, name: str, blocks: Iterable[bytes]) -> File:
        """Write it."""


@dataclass(slots=True)
class Forms:
    """Makes the forms of the clips of one stream, and lists them as the manifest has them.

    ``made``: who makes the bundle; ``url``: where that site answers.
    """

    signing: Signing
    made: dict[str, Any]
    url: str
    put: Put
    listed: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def add(self, clip: Clip, path: str) -> None:
        """Make the forms of a clip that was written as ``path``."""
        made, name = self.made, path.removeprefix(manifest.CLIPS)
        if self.signing.exporter is not None:
            at = parse_instant(made["at"])
            unit = Unit(f"{made['site']}/{made['node']}", self.url, at, made["by"])
            blocks = self.signing.exporter.seal(clip, unit)
            self._list("onvif", self.put(manifest.ONVIF + name, blocks), path)
        if self.signing.provenance is not None:
            raw = self.signing.provenance.manifest(clip, made, name)
            self._list("c2pa", self.put(f"{manifest.C2PA}{name}.c2pa", [raw]), path)

    def _list(self, form: str, file: File, path: str) -> None:
        self.listed.setdefault(form, []).append({**manifest.show_file(file), "clip": path})
