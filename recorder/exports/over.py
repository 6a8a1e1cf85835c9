"""What is over: bundles that expire, what was taken back, what nobody wants, holds of before."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from recorder.errors import CatalogDamaged
from recorder.exports.tools import SILENT_NS, Tools
from recorder.janitor.pinned import SWEPT_NS
from recorder.model.exports import Export, ExportState
from recorder.model.holds import EXPORT_HOLD
from recorder.model.timebase import DAY, Instant

LEFTOVER_NS = DAY
"""What lies there and no row of the catalog speaks of stays for so long: the row may come back."""
FORGOTTEN_NS = 90 * DAY
"""So long is shown what became of an export; the audit log says it for ever."""
GONE = (ExportState.FAILED, ExportState.EXPIRED, ExportState.REMOVED)


def sweep(tools: Tools, found: Sequence[Export], busy: Collection[str]) -> None:
    """Let go of what is over, of those that are present; ``busy``: what this node is making."""
    now = tools.clock.now()
    known = {one.export_id: one for one in found}
    for one in found:
        if one.state is ExportState.DONE and _is_due(tools, one):
            known[one.export_id] = _expire(tools, one, now)
    for id_, touched in list(tools.bundles.lying()):
        if id_ in busy:
            continue
        try:
            row = known.get(id_) or tools.exports.get(id_)
        except CatalogDamaged:  # its row cannot be read: it is somebody's, and stays
            continue
        _look(tools, id_, row, touched)
    for one in known.values():
        if one.state is ExportState.REMOVED and one.export_id not in busy:
            _let_go(tools, one, now)


def forget(tools: Tools) -> None:
    """Forget what ended long ago, and the holds of exports that did: by the proven time alone.

    By a clock that is ahead the holds of what is being made would have ended, too.
    """
    now = tools.proven()
    if now is None:
        return
    for one in tools.exports.all():
        if one.state in GONE and one.ended is not None and now - one.ended > FORGOTTEN_NS:
            tools.exports.drop(one.export_id)
    tools.holds.sweep(EXPORT_HOLD, now - SWEPT_NS)


def _is_due(tools: Tools, one: Export) -> bool:
    """Tell whether a bundle expires now: its node says so, unless that is gone."""
    if one.expires is None:
        return False
    return tools.is_past(one.expires + (0 if one.node == tools.node else SILENT_NS))


def _expire(tools: Tools, one: Export, now: Instant) -> Export:
    """Write it into the log, then into the catalog; its files go last."""
    tools.note("export.expire", one, {})
    gone = one.ends(ExportState.EXPIRED, now)
    return gone if tools.exports.change(gone, one) else one


def _look(tools: Tools, id_: str, one: Export | None, touched: Instant) -> None:
    """Let go of files of which nothing will come."""
    if one is None or (one.node != tools.node and one.state not in GONE):
        if (one is None or one.node) and tools.is_past(touched + LEFTOVER_NS):
            tools.bundles.drop(id_)
    elif one.state in GONE:
        tools.bundles.drop(id_)
    elif one.state is ExportState.DONE:
        tools.bundles.clear(id_)


def _let_go(tools: Tools, one: Export, now: Instant) -> None:
    """Forget what was taken back, once its files are gone."""
    tools.pin(one).let_go()
    if one.node in ("", tools.node) or now - (one.ended or now) > SILENT_NS:
        tools.exports.drop(one.export_id)
