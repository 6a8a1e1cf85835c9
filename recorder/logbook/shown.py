"""How entries are shown and exported."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from recorder.audit.tree import leaf_hash
from recorder.errors import NotFound
from recorder.model.shown import ShownLog
from recorder.model.timebase import Instant, TimeRange
from recorder.ports import AskedEntries, AuditLog, AuditTree, LoggedEntry

PAGE = 1000
COLUMNS = (
    "at",
    "who",
    "address",
    "session",
    "action",
    "result",
    "site",
    "camera",
    "stream",
    "name",
    "start",
    "end",
    "purpose",
    "details",
    "node",
    "log",
    "leaf",
)
FOREVER = TimeRange(0, 1 << 62)


def show_logged(one: LoggedEntry, origins: Mapping[int, str]) -> dict[str, object]:
    """Write an entry for answers: its own words, and where it stands.

    ``log`` and ``leaf`` are ``None`` while it waits for its place; ``hash`` is that of the leaf.
    """
    origin = origins.get(one.log) if one.log is not None else None
    try:
        said = json.loads(one.raw)
    except ValueError:  # somebody wrote over it
        said = {"damaged": one.raw.hex()[:200]}
    return {"log": origin, "leaf": one.leaf, "hash": leaf_hash(one.raw).hex(), "entry": said}


def newest_checkpoint(tree: AuditTree) -> str:
    """Return the checkpoint that was signed last.

    Raises: ``NotFound``.
    """
    logs = tree.logs()
    if not logs or not logs[-1].checkpoint:
        raise NotFound("nothing is signed yet", hint="a running node signs each minute")
    return logs[-1].checkpoint


def show_logs(tree: AuditTree) -> list[ShownLog]:
    """Write the logs of a site, the present one last."""
    return [
        {
            "log": one.origin,
            "key": one.key or None,
            "size": one.size,
            "checkpoint": one.checkpoint or None,
        }
        for one in tree.logs()
    ]


def flat(shown: Mapping[str, Any]) -> dict[str, str]:
    """Write a shown entry as one row of texts."""
    entry = shown["entry"]
    who, about = entry.get("who", {}), entry.get("subject", {})
    row = {
        "at": entry.get("at", ""),
        "who": name_of(who),
        "address": who.get("address", ""),
        "session": who.get("session", ""),
        "action": entry.get("action", "damaged"),
        "result": entry.get("result", ""),
        "purpose": entry.get("purpose", ""),
        "node": entry.get("node", ""),
        "log": shown["log"] or "",
        "leaf": "" if shown["leaf"] is None else str(shown["leaf"]),
        "details": json.dumps(entry.get("details", {}), ensure_ascii=False, sort_keys=True),
    }
    names = ("site", "camera", "stream", "name", "start", "end")
    return row | {key: about.get(key, "") for key in names}


def name_of(who: Mapping[str, object]) -> str:
    """Name a caller as logs do."""
    kind = str(who.get("kind", ""))
    return f"{kind}:{who['name']}" if who.get("name") else kind


def line_of(shown: Mapping[str, object]) -> str:
    """Write a shown entry as a line for people."""
    row = flat(shown)
    place = "/".join(row[key] for key in ("site", "camera", "stream") if row[key])
    times = f" {row['start']} to {row['end']}" if row["start"] else ""
    said = [row["name"], f"for {row['purpose']!r}" if row["purpose"] else ""]
    at = f"{row['at'][:23]}Z" if len(row["at"]) > 24 else row["at"]
    who = row["who"] + (f"@{row['address']}" if row["address"] else "")
    result = "" if row["result"] == "allowed" else row["result"].upper()
    parts = [at, f"{who:24}", f"{row['action']:16}", result, place + times, *said]
    return "  ".join(part for part in parts if part)


def all_entries(log: AuditLog, asked: AskedEntries) -> Iterator[LoggedEntry]:
    """Yield all entries that are asked for, the oldest first, without holding them all."""
    after = 0
    while page := log.search(replace(asked, after=after), PAGE):
        yield from page
        after = page[-1].number


def csv_rows(
    shown: Iterator[Mapping[str, object]] | Sequence[Mapping[str, object]],
) -> Iterator[str]:
    """Write shown entries as CSV, RFC 4180, a header first."""
    yield _csv(COLUMNS)
    for one in shown:
        row = flat(one)
        yield _csv([row[name] for name in COLUMNS])


def _csv(values: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()


def when(since: Instant | None, until: Instant | None) -> TimeRange | None:
    """Return a range of which one end or both may not be given."""
    if since is None and until is None:
        return None
    start = since if since is not None else FOREVER.start
    return TimeRange(start, max(start, until if until is not None else FOREVER.end))
