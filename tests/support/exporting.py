"""Exports with a clock that moves when told, and a bundle of a few small files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.catalog.sql import SqlCatalog
from recorder.evidence import manifest
from recorder.evidence.opened import opened
from recorder.export.kept import Bundles
from recorder.exports.runner import Runner
from recorder.exports.tools import Progressing, Tools, pin_of
from recorder.model.caller import Caller, CallerKind
from recorder.model.exports import Export, ExportWanted
from recorder.model.timebase import DAY, HOUR, SECOND, Instant, TimeRange
from tests.support.clock import FakeClock
from tests.support.make import T0

ANA = Caller(CallerKind.USER, "ana", "10.0.0.7", purpose="trial")
PEM = (
    Ed25519PrivateKey.from_private_bytes(bytes(32))
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)
FOOTAGE = 3_000


def id_of(number: int) -> str:
    """The id of an export."""
    return f"{number:08d}-0000-4000-8000-000000000000"


def wanted(number: int = 1, asked: Instant = T0, wait_ns: int = HOUR) -> Export:
    """An export that somebody asked for."""
    range_ = TimeRange(T0 - 60 * SECOND, T0)
    asked_for = ExportWanted(("north/cam07",), range_, "12/2026", "trial")
    return Export(id_of(number), ANA, asked_for, asked, asked + wait_ns)


def write_files(folder: Path, check: Callable[[], None] = lambda: None) -> None:
    """Write the files of a bundle, as far as exports look at them."""
    body = {"cameras": [{"problems": ["clip: none"]}]}
    for name, content in (
        ("native/a.mp4", bytes(FOOTAGE)),
        (manifest.NAME, json.dumps(body).encode()),
        (manifest.SIGNER, PEM),
        (manifest.SIGNATURE, b"s"),
    ):
        check()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@dataclass
class Desk:
    """A site's catalog, and nodes that make its exports one after the other, at once."""

    folder: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(T0))
    catalog: SqlCatalog = field(default_factory=lambda: SqlCatalog("sqlite://"))
    noted: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    problem: Callable[[], None] = lambda: None
    ending: bool = False
    footage: int = FOOTAGE

    def tools(self, node: str = "n1", **more: Any) -> Tools:
        """What a node makes exports with."""
        given: dict[str, Any] = {
            "exports": self.catalog.exports, "holds": self.catalog.holds,
            "bundles": Bundles(self.folder / node, 10**9, 0), "clock": self.clock, "node": node,
            "keep_ns": 30 * DAY, "make": self._make, "note": self._note,
            "proven": self.clock.now,
        }  # fmt: skip
        return Tools(**(given | more))

    def runner(self, node: str = "n1", at_once: int = 1, **more: Any) -> Runner:
        """A node, as it is after a start; it makes what it takes up within its round."""

        def at_once_here(job: Callable[[], None]) -> None:
            job()

        return Runner(self.tools(node, **more), at_once, lambda: self.ending, at_once_here)

    def _make(self, export: Export, folder: Path, progress: Progressing) -> None:
        self.problem()
        progress.begin(self.footage)
        write_files(folder, progress.check)
        progress.step(self.footage)
        self.made.append(export.export_id)

    def _note(self, action: str, export: Export, details: dict[str, Any]) -> None:
        self.noted.append(f"{action} {export.export_id}")

    def ask(self, number: int = 1, **more: Any) -> Export:
        """Ask for an export, as the doors do."""
        made = wanted(number, self.clock.now(), **more)
        self.catalog.exports.add(made)
        pin_of(self.catalog.holds, self.clock, made).keep()
        return made

    def now(self, number: int = 1) -> Export:
        """An export as it stands."""
        found = self.catalog.exports.get(id_of(number))
        assert found is not None
        return found

    def held(self) -> int:
        """How many holds are in force."""
        return len(self.catalog.holds.live(self.clock.now()))

    def pass_(self, duration_ns: int) -> None:
        """Let time pass."""
        self.clock.at += duration_ns


def lies(desk: Desk, node: str = "n1") -> list[str]:
    """What lies in a node's folder."""
    return sorted(one.name.partition(".")[2] for one in (desk.folder / node).glob("*"))


def is_whole(path: Path) -> bool:
    with opened(path) as found:
        names = found.names()
        for name in names:
            with found.open(name) as file:
                file.read()
    return len(names) == 4
