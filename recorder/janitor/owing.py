"""Who is owed events: told anew so often at most, and let go who does not ask any more.

A row is owed for each event that is not taken.  A store that left the settings, or a site below
that was given up, takes none: its rows would grow for ever.  Who comes back is owed all again.
"""

from __future__ import annotations

import logging
from typing import Protocol

from recorder.model.timebase import DAY, HOUR, MINUTE, Instant, format_instant
from recorder.ports import OwedEvents, Progress

log = logging.getLogger("recorder.janitor")

SILENT_NS = 30 * DAY
"""Who asked for nothing for so long is owed nothing, until it asks again: then it is all."""
ANEW_NS = 5 * MINUTE
"""So often one is owed all anew; who asks for it before is owed all at the end of that time."""
NOTED_NS = HOUR
"""That somebody asks is written down so often."""


class OwingCatalog(Protocol):
    """The parts of the catalog that know who is owed what."""

    @property
    def owed_events(self) -> OwedEvents:
        """Which events a target has not."""

    @property
    def progress(self) -> Progress:
        """When it asked, and when it was owed all."""


def note_asked(catalog: OwingCatalog, target: str, now: Instant) -> None:
    """Write down that a target asks for what it is owed."""
    facts = catalog.progress.of(_name(target))
    if not 0 <= now - int(facts.get("asked", -1)) < NOTED_NS or "asked" not in facts:
        catalog.progress.put(_name(target), {**facts, "asked": now}, now)


def begin_anew(catalog: OwingCatalog, target: str, now: Instant) -> None:
    """Owe a target all, now or when it is time again."""
    facts = catalog.progress.of(_name(target))
    if not 0 <= now - int(facts.get("begun", -ANEW_NS)) < ANEW_NS:
        _begin(catalog, target, facts, now)
    elif not facts.get("again"):
        catalog.progress.put(_name(target), {**facts, "again": True}, now)


def begin_at_once(progress: Progress, target: str, now: Instant) -> None:
    """Let a target be owed all as soon as it asks: it has another catalog than it had."""
    facts = progress.of(_name(target))
    if "begun" in facts:
        left = {name: one for name, one in facts.items() if name not in ("begun", "again")}
        progress.put(_name(target), left, now)


def go_on(catalog: OwingCatalog, target: str, now: Instant) -> None:
    """Owe a target all that asked for it before it was time, once it is."""
    facts = catalog.progress.of(_name(target))
    if facts.get("again") and not 0 <= now - int(facts["begun"]) < ANEW_NS:
        _begin(catalog, target, facts, now)


def forget_silent(catalog: OwingCatalog, now: Instant) -> list[str]:
    """Owe nothing more to those who asked for nothing for so long; return who they are."""
    silent = []
    for target in catalog.owed_events.targets():
        asked = catalog.progress.of(_name(target)).get("asked")
        if asked is None:  # of an earlier release
            note_asked(catalog, target, now)
        elif now - int(asked) > SILENT_NS:
            log.warning(
                "owed events no more", extra={"whom": target, "asked": format_instant(int(asked))}
            )
            catalog.owed_events.forget(target)
            silent.append(target)
    return silent


def _begin(catalog: OwingCatalog, target: str, facts: dict[str, object], now: Instant) -> None:
    catalog.owed_events.begin(target)
    catalog.progress.put(_name(target), {**facts, "begun": now, "again": False}, now)


def _name(target: str) -> str:
    return f"owed {target}"
