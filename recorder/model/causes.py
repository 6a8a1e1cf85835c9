"""Why footage is missing: the causes of gaps, and how one is chosen.  Pure."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Written as its value, on the wire and in the catalog; the glossary explains each."""

    SOURCE = "source"
    STALL = "stall"
    NODE = "node"
    SPOOL_FULL = "spool-full"
    OFF_SCHEDULE = "off-schedule"
    NO_EVENT = "no-event"
    LOST = "lost"
    PURGED = "purged"


NOT_YET = "not-yet"
"""No cause of a gap: stands where one would in what was not filmed yet when it was asked for, or
is still on its way.  Never stored."""

UNWANTED = (Cause.OFF_SCHEDULE, Cause.NO_EVENT)
"""Causes of gaps that nobody wanted footage of; coverage does not expect any there."""

UNRECORDED = (Cause.SOURCE, Cause.STALL, Cause.NODE, Cause.NO_EVENT)
"""Causes of gaps of which nothing was kept: where nothing was to be recorded, that is why."""

_OF_CONDITION = {
    "spool-full": Cause.SPOOL_FULL,
    "stall": Cause.STALL,
    "cannot-start": Cause.NODE,
    "no-program": Cause.NODE,
    "program-refused": Cause.NODE,
    "program-unfit": Cause.NODE,
    "program-killed": Cause.NODE,
    "spool-refused": Cause.NODE,
    "spool-failing": Cause.NODE,
    "no-resources": Cause.NODE,
    "no-key": Cause.NODE,
}


def cause_of_condition(condition: str, before: str, *, recording: bool) -> str:
    """Choose the cause of a gap by the condition of its stream; for most it is the source.

    ``before``: the cause so far; ``recording``: whether footage came in until now.
    """
    if condition in _OF_CONDITION:
        return _OF_CONDITION[condition]
    if recording or before in (Cause.NODE, Cause.OFF_SCHEDULE):
        return Cause.SOURCE
    return before


def cause_of_start(*, first: bool, known: bool, restarted: bool, shared: bool) -> Cause:
    """Choose the cause of the gap before a stream's first footage.

    ``first``: the process has just begun; ``known``: it has recorded the stream before;
    ``restarted``: its document changed, or its supervisor ended; ``shared``: with other nodes.
    """
    if first or (shared and not restarted):
        return Cause.NODE
    return Cause.OFF_SCHEDULE if known and not restarted else Cause.SOURCE


def cause_before(cause: str) -> str:
    """Return the cause of the gap before a span that says none: its footage was there."""
    return cause or Cause.LOST
