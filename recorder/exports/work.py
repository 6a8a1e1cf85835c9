"""One export being made, step by step; each can be done again after a death in it.

The catalog says whose it is; what lies in the folder says how far it is: files, all files signed,
the zip.  What is given out has its name, and stands in the catalog, last.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from recorder import telemetry
from recorder.errors import (
    ConfigError,
    CopyMissing,
    IntegrityError,
    RecorderError,
    StateError,
    UnavailableError,
)
from recorder.exports.tools import LEASE_NS, MOST_PACE_NS, PACE_NS, Tools
from recorder.janitor.pinned import LOOK_S
from recorder.model.exports import Export, ExportState
from recorder.model.timebase import SECOND, format_instant

log = logging.getLogger("recorder.exports")

MOST_DOUBTS = 3
"""After so many tries a copy that is not whole will not become so by itself."""


class Stopped(Exception):
    """It is not ours any more, or the process ends: what is there is left as it is."""


class Watch:
    """An export that this node has: how far it is, and whether it is still ours.

    :meth:`beat` is called by the node's rounds, the rest by whoever makes the bundle.
    """

    def __init__(self, tools: Tools, export: Export, ending: Callable[[], bool]) -> None:
        self.tools, self.export, self._ending = tools, export, ending
        self.lost = False
        self._done, self._all = 0, export.all_bytes
        self._looked = float("-inf")

    def begin(self, all_bytes: int) -> None:
        """Hear of how much footage it will be.

        Raises: ``CopyMissing`` when some of it went since it was last begun; ``UnavailableError``
        while there is no room.
        """
        self.check()
        if all_bytes < self._all:
            raise CopyMissing(
                f"{self._all - all_bytes} bytes of footage that were there when it was begun are "
                "gone",
                hint="recorder audit show says what became of them; ask for what is left anew",
            )
        self.tools.bundles.promise(self.export.export_id, all_bytes)
        self._done, self._all = 0, all_bytes
        self.beat()
        self.check()

    def step(self, more_bytes: int) -> None:
        """Hear of how much more is written.  Raises: :class:`Stopped`."""
        self._done += more_bytes
        self.check()

    def check(self) -> None:
        """Raise :class:`Stopped` when it is not ours any more, or the process ends."""
        if self.lost or self._ending() or self.tools.clock.now() >= self.export.until:
            raise Stopped

    def beat(self) -> None:
        """Say that it is still ours, and how far it is; see that its footage stays held."""
        tools = self.tools
        notes = self.export.notes
        if tools.clock.monotonic() - self._looked >= LOOK_S:
            said = tools.pin(self.export).keep()
            if said:
                log.warning(
                    "hold placed again", extra={"export": self.export.export_id, "reason": said}
                )
                notes = (*notes, said)
            self._looked = tools.clock.monotonic()
        after = replace(
            self.export,
            until=tools.clock.now() + LEASE_NS,
            done_bytes=self._done,
            all_bytes=self._all,
            notes=notes,
        )
        if tools.exports.change(after, self.export):
            self.export = after
        else:
            self.lost = True

    @property
    def present(self) -> Export:
        """The export as it stands."""
        return replace(self.export, done_bytes=self._done, all_bytes=self._all)


def work(watch: Watch) -> None:
    """Make an export, from wherever it is, and say what became of it."""
    try:
        try:
            _make(watch)
        except Stopped:
            _leave(watch)
        except (UnavailableError, StateError, ConfigError, OSError) as exc:
            _put_off(watch, exc)
        except IntegrityError as exc:  # a copy that goes from one place to another as it is read
            if watch.export.tries < MOST_DOUBTS:
                _put_off(watch, exc)
            else:
                _fail(watch, str(exc), exc)
        except RecorderError as exc:
            _fail(watch, str(exc), exc)
        except Exception as exc:
            log.exception("export broke", extra={"export": watch.export.export_id})
            _fail(watch, f"a mistake of the recorder's own: {type(exc).__name__}", exc)
    except (RecorderError, OSError) as exc:  # the catalog, mostly: a later round takes it up again
        said = {"export": watch.export.export_id, "reason": str(exc)}
        log.warning("export left as it is", extra=said)
    finally:  # another node may go on with it, and each try asks for its room anew
        watch.tools.bundles.unpromise(watch.export.export_id)


def _make(watch: Watch) -> None:
    tools, id_ = watch.tools, watch.export.export_id
    watch.beat()
    watch.check()
    if tools.bundles.zip(id_) is None:
        if not tools.bundles.is_made(id_):
            tools.make(watch.export, tools.bundles.part(id_), watch)
            watch.check()
            tools.bundles.made(id_)
        tools.bundles.pack(id_, watch.check)
    watch.check()
    _finish(watch)


def _finish(watch: Watch) -> None:
    tools, now = watch.tools, watch.tools.clock.now()
    made = tools.bundles.facts(watch.export.export_id)
    done = replace(
        watch.present.ends(ExportState.DONE, now),
        made=made,
        expires=now + tools.keep_ns if tools.keep_ns else None,
    )
    if not tools.exports.change(done, watch.export):
        raise Stopped
    telemetry.EXPORT_SECONDS.observe(max(0, now - done.asked) / SECOND)
    log.info("export made", extra={"export": done.export_id, "bytes": made.size_bytes})
    tools.pin(done).let_go()
    tools.bundles.clear(done.export_id)


def _leave(watch: Watch) -> None:
    """Let others have it at once, if it is still ours."""
    now = watch.tools.clock.now()
    left = replace(watch.present, state=ExportState.WAITING, until=now, due=now)
    if not watch.lost:
        watch.tools.exports.change(left, watch.export)


def _put_off(watch: Watch, exc: Exception) -> None:
    """Try again later, until the deadline; by a clock in doubt there is none.

    What fails lets go of its footage, and of what is made of it already.
    """
    export, now = watch.present, watch.tools.clock.now()
    if watch.tools.is_past(export.deadline):
        _fail(watch, f"not there by {format_instant(export.deadline, 0)}: {exc}", exc)
        return
    pace = min(MOST_PACE_NS, PACE_NS << min(export.tries, 6))
    last = export.deadline if now < export.deadline else now + pace
    due = min(now + pace, max(last, now + SECOND))
    # whoever has begun goes on with what lies there; where it is this node that cannot, others may
    node = "" if isinstance(exc, StateError | ConfigError) else export.node
    later = replace(
        export,
        state=ExportState.WAITING,
        said=str(exc)[:1024],
        due=due,
        node=node,
        until=due + LEASE_NS,
        tries=export.tries + 1,
    )
    if watch.tools.exports.change(later, watch.export):
        said = {"export": export.export_id, "reason": str(exc), "seconds": (due - now) // SECOND}
        log.info("export waits", extra=said)


def _fail(watch: Watch, said: str, exc: Exception) -> None:
    tools, now = watch.tools, watch.tools.clock.now()
    kind = type(exc).__name__ if isinstance(exc, RecorderError) else RecorderError.__name__
    failed = replace(watch.present.ends(ExportState.FAILED, now, said), kind=kind)
    if not tools.exports.change(failed, watch.export):
        return
    telemetry.EXPORT_FAILURES.inc()
    log.error("export failed", extra={"export": failed.export_id, "reason": said})
    tools.pin(failed).let_go()
    tools.bundles.drop(failed.export_id)
