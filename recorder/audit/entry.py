"""An entry of the audit log: who did or saw what, from where, and its exact bytes.

The bytes are JSON as RFC 8785 (JCS) has it, of texts, whole numbers, true, false, null, lists and
objects alone: names sorted, no white space, UTF-8.  Times are RFC 3339 texts: 64-bit nanoseconds
are no numbers that all readers of JSON keep.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from recorder.audit.tiles import MOST_ENTRY
from recorder.model.caller import Caller, CallerKind
from recorder.model.secrets import mask
from recorder.model.timebase import SECOND, Instant, TimeRange, parse_instant

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - without a zone it is written without one
VERSION = 1
MOST_TEXT = 1024
"""Characters of one text in an entry; a longer one is cut, and ends with an ellipsis."""
MOST_DETAILS = 32 * 1024
"""Bytes of details; more are left out, and that is said."""


class Result(StrEnum):
    """What became of it."""

    ALLOWED = "allowed"
    """It was let through: from here on it was done, unless ``failed`` follows."""
    REFUSED = "refused"
    """The one who asked may not."""
    FAILED = "failed"
    """It was let through, and was not done."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What it was about; what does not apply is empty.

    ``name``: of what is no camera (a hold, a user, a store, a document).
    """

    site: str = ""
    camera: str = ""
    stream: str = ""
    range: TimeRange | None = None
    name: str = ""


NOTHING = Subject()


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did or saw what; ``action`` is ``noun.verb``, such as ``footage.clip``."""

    at: Instant
    caller: Caller
    action: str
    subject: Subject = NOTHING
    result: Result = Result.ALLOWED
    details: Mapping[str, Any] = field(default_factory=dict)


def write_entry(entry: Entry, site: str, node: str) -> bytes:
    """Write an entry's bytes, as a leaf has them; ``site`` and ``node``: whose log, and writer.

    >>> write_entry(Entry(0, Caller(CallerKind.USER, "ana"), "user.login"), "north", "n1")[:46]
    b'{"action":"user.login","at":"1970-01-01T00:00:'
    """
    who, subject = entry.caller, entry.subject
    about: dict[str, Any] = {
        "site": subject.site,
        "camera": subject.camera,
        "stream": subject.stream,
        "name": _cut(subject.name),
    }
    if subject.range is not None:
        about["start"] = _time(subject.range.start)
        about["end"] = _time(subject.range.end)
    body = {
        "v": VERSION,
        "at": _time(entry.at),
        "site": site,
        "node": node,
        "who": _said(
            {
                "kind": who.kind.value,
                "name": _cut(who.name),
                "address": who.address,
                "session": who.session,
            }
        ),
        "action": entry.action,
        "subject": _said(about),
        "purpose": _cut(who.purpose),
        "result": entry.result.value,
        "details": _plain(entry.details),
    }
    raw = canonical(body)
    if len(raw) > MOST_DETAILS:
        raw = canonical({**body, "details": {"left_out_bytes": len(canonical(body["details"]))}})
    if len(raw) > MOST_ENTRY:
        raise ValueError(f"entry: {len(raw)} bytes are more than {MOST_ENTRY}")
    return raw


def _time(instant: Instant) -> str:
    """Write an instant as RFC 3339 in UTC with nine decimals; three stand in every look.

    >>> _time(-1)
    '1969-12-31T23:59:59.999999999Z'
    """
    moment = _EPOCH + timedelta(seconds=instant // SECOND)
    return f"{moment.isoformat()}.{instant % SECOND:09}Z"


def canonical(body: object) -> bytes:
    """Write JSON as RFC 8785 has it, of values without fractions."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _said(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def _cut(text: str) -> str:
    """Write a text as an entry may have it: nobody can take a password out of it again."""
    text = mask(text)
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


def _plain(value: object) -> object:
    """Return a value as an entry may have it: what is no whole number becomes a text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 1 << 53:
        return value
    return _cut(str(value))


def read_entry(raw: bytes) -> Entry:
    """Read an entry's bytes.

    Raises: ``ValueError`` when they are none.
    """
    try:
        body = json.loads(raw)
        who, about = body["who"], body["subject"]
        times = [parse_instant(about[name]) for name in ("start", "end") if name in about]
        return Entry(
            parse_instant(body["at"]),
            Caller(
                CallerKind(who["kind"]),
                who.get("name", ""),
                who.get("address", ""),
                who.get("session", ""),
                body["purpose"],
            ),
            body["action"],
            Subject(
                about.get("site", ""),
                about.get("camera", ""),
                about.get("stream", ""),
                TimeRange(*times) if len(times) == 2 else None,
                about.get("name", ""),
            ),
            Result(body["result"]),
            body["details"],
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"entry: {type(exc).__name__} {exc}") from exc
    except Exception as exc:
        raise ValueError(f"entry: {exc}") from exc
