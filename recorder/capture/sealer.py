"""Seal the files of a run, in order, on disk."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recorder import telemetry
from recorder.errors import MalformedMedia
from recorder.index import MALFORMED
from recorder.model.keys import span_end_key
from recorder.model.media import Segment
from recorder.model.runs import Run, SealProgress, SpanState
from recorder.sealing import Arrival, Sealed, seal

log = logging.getLogger("recorder.capture")


class SealSpool(Protocol):
    """What sealing needs of the spool."""

    def files(self, folder: Path) -> list[Path]:
        """Return the media files of a run, oldest first."""

    def finish(self, path: Path, keep_bytes: int, trailer: bytes, key: str) -> Path:
        """Give a file its trailer and its final name; durable when this returns."""

    def save_progress(self, folder: Path, progress: SealProgress) -> None:
        """Remember where the span stands."""

    def load_progress(self, folder: Path) -> SealProgress | None:
        """Return where a run's span stands."""

    def mark_end(self, key: str) -> None:
        """Leave an empty span-end object to be shipped."""

    def quarantine(self, path: Path, reason: str, *, keep: bool = False) -> Path:
        """Put a file aside for a person."""

    def close_run(self, folder: Path) -> None:
        """Remove a run's folder once every file of it is sealed."""


@dataclass(frozen=True, slots=True)
class SealReport:
    """What became of one file: a segment, or the reason there is none."""

    segment: Segment | None
    lost_bytes: int = 0
    quarantined: str = ""


class Sealer:
    """Seals files and tells ``sealed`` of every segment."""

    def __init__(self, spool: SealSpool, sealed: Callable[[Segment], None]) -> None:
        self.spool = spool
        self.sealed = sealed

    def seal_file(self, path: Path, run: Run, arrivals: Sequence[Arrival] = ()) -> SealReport:
        """Seal one finished file of a run; what cannot be read is quarantined.

        ``arrivals`` are what was seen of its growth, if anyone watched.
        """
        size = path.stat().st_size
        if size == 0:
            path.unlink()
            return SealReport(None)
        progress = self.spool.load_progress(path.parent)
        previous = progress.state_for(path.name) if progress else None
        try:
            found = _seal_mapped(path, run, previous, arrivals)
        except MalformedMedia as exc:
            return self._set_aside(path, run, str(exc))
        self._report_damage(path, run, found)
        self._report_missing(run, found)
        if previous is not None and found.new_span:
            self._mark_end(run, previous)
        self.spool.save_progress(path.parent, SealProgress(path.name, previous, found.state))
        self.spool.finish(path, found.keep_bytes, found.trailer, found.segment.key)
        self.sealed(found.segment)
        return SealReport(found.segment, found.lost_bytes)

    def finish_run(
        self, folder: Path, run: Run, arrivals: Mapping[str, Sequence[Arrival]] | None = None
    ) -> SealReport:
        """Seal what a run left, end its span, remove its folder; return the last report."""
        report = SealReport(None)
        for path in self.spool.files(folder):
            report = self.seal_file(path, run, (arrivals or {}).get(path.name, ()))
        progress = self.spool.load_progress(folder)
        if progress is not None:
            self._mark_end(run, progress.after)
        self.spool.close_run(folder)
        return report

    def _mark_end(self, run: Run, state: SpanState) -> None:
        prefix = str(run.stream)
        self.spool.mark_end(span_end_key(prefix, state.end, run.writer, state.counter + 1))

    def _set_aside(self, path: Path, run: Run, reason: str) -> SealReport:
        """Quarantine an unreadable file; one without any media yet is just removed."""
        with path.open("rb") as file:
            head = file.read(1 << 16)
        if b"moof" not in head:
            path.unlink()
            return SealReport(None)
        target = self.spool.quarantine(path, reason)
        log.warning(
            "file quarantined",
            extra={"stream": str(run.stream), "file": target.name, "reason": reason},
        )
        return SealReport(None, target.stat().st_size, target.name)

    def _report_missing(self, run: Run, found: Sealed) -> None:
        if not found.missing:
            return
        telemetry.MISSING.labels(run.stream.camera, run.stream.stream).inc(found.missing)
        log.warning(
            "frames missing",
            extra={
                "stream": str(run.stream), "frames": found.missing, "key": found.segment.key,
                "gaps": len(found.segment.holes),
            },
        )  # fmt: skip

    def _report_damage(self, path: Path, run: Run, found: Sealed) -> None:
        if found.lost_bytes <= 0:
            return
        if found.reason == MALFORMED:
            self.spool.quarantine(path, f"damaged after byte {found.keep_bytes}", keep=True)
        log.warning(
            "file cut back to its last whole fragment",
            extra={"stream": str(run.stream), "file": path.name, "lost_bytes": found.lost_bytes},
        )


def _seal_mapped(
    path: Path, run: Run, previous: SpanState | None, arrivals: Sequence[Arrival]
) -> Sealed:
    """Seal from a memory map: only headers and what is hashed are touched, once."""
    with path.open("rb") as file:
        facts = path.stat()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buf:
            last = (facts.st_size, facts.st_mtime_ns)
            return seal(buf, run, previous, [*arrivals, last])
