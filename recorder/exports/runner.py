"""A node's rounds: it says of the exports it has that it has them, and takes up what is due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from recorder import telemetry
from recorder.errors import NoThread, RecorderError
from recorder.exports.over import forget, sweep
from recorder.exports.tools import LEASE_NS, Tools
from recorder.exports.work import Watch, work
from recorder.model.exports import Export, ExportState
from recorder.threads import launch

log = logging.getLogger("recorder.exports")

LOOK_S = 15.0
"""How often what lies there is looked at, and told, while nobody asks for anything."""
FORGET_S = 3600.0
"""How often what ended long ago is looked for: each time is a write to the catalog."""


def in_background(job: Callable[[], None]) -> threading.Thread:
    """Have a thread do it, that keeps the process from nothing.  Raises: ``NoThread``."""
    thread = threading.Thread(target=job, name="export", daemon=True)
    launch(thread)
    return thread


class Runner:
    """Makes exports on this node, ``at_once`` at a time, each in a thread of its own."""

    def __init__(
        self,
        tools: Tools,
        at_once: int,
        ending: Callable[[], bool],
        start: Callable[[Callable[[], None]], threading.Thread | None] = in_background,
    ) -> None:
        self.tools, self.at_once = tools, at_once
        self._ending, self._start = ending, start
        self._watches: dict[str, Watch] = {}
        self._threads: list[threading.Thread] = []
        self._looked = self._forgot = float("-inf")
        self._quiet = False

    def tend_exports(self) -> None:
        """Do a round.  Raises: ``CatalogUnavailable``."""
        for watch in list(self._watches.values()):
            try:
                watch.beat()
            except RecorderError as exc:  # it stays ours until its lease ends
                said = {"export": watch.export.export_id, "reason": str(exc)}
                log.warning("export not spoken of", extra=said)
        found, now = self.tools.exports.present(), self.tools.clock.monotonic()
        was_quiet, self._quiet = self._quiet, not found and not self._watches
        if not (was_quiet and self._quiet) or now - self._looked >= LOOK_S:
            self._looked = now
            self._publish()
            sweep(self.tools, found, list(self._watches))
        if now - self._forgot >= FORGET_S:
            self._forgot = now
            forget(self.tools)
        for export in sorted(found, key=lambda one: (one.asked, one.export_id)):
            self._take(export)

    def _publish(self) -> None:
        counts = self.tools.exports.counts()
        shown = [one.value for one in ExportState if one is not ExportState.REMOVED]
        states: dict[tuple[str, ...], float] = {(one,): counts.get(one, 0) for one in shown}
        telemetry.replace(telemetry.EXPORTS, states)
        self.tools.bundles.usage()
        telemetry.EXPORT_BYTES.set(self.tools.bundles.bytes_lying())

    def _take(self, export: Export) -> None:
        """Take an export up, if it is due, nobody else has it, and there is a hand free."""
        now = self.tools.clock.now()
        if (
            self._ending()
            or len(self._watches) >= self.at_once
            or export.export_id in self._watches
            or not export.may_take(self.tools.node, now)
        ):
            return
        ours = replace(
            export,
            state=ExportState.RUNNING,
            node=self.tools.node,
            term=export.term + 1,
            until=now + LEASE_NS,
            began=export.began or now,
            said="",
        )
        if not self.tools.exports.change(ours, export):
            return
        watch = Watch(self.tools, ours, self._ending)
        self._watches[export.export_id] = watch
        try:
            thread = self._start(lambda: self._run(watch))
        except NoThread:  # it is due again when its lease has ended, here or elsewhere
            del self._watches[export.export_id]
            raise
        self._threads = [one for one in self._threads if one.is_alive()]
        if thread is not None:
            self._threads.append(thread)

    def _run(self, watch: Watch) -> None:
        try:
            work(watch)
        finally:
            self._watches.pop(watch.export.export_id, None)

    def stop(self, patience_s: float) -> None:
        """Wait for what is being made to notice the process's end; one that hangs is left."""
        until = self.tools.clock.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - self.tools.clock.monotonic()))
