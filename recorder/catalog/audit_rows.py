"""An entry of the audit log as a row: made of its bytes, chosen by its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recorder.audit.entry import read_entry
from recorder.catalog.rows import entry_columns
from recorder.model.keys import ANY_SITE
from recorder.ports import AskedEntries

COPY = "copy."


def row_of(raw: bytes) -> dict[str, object]:
    """Write a leaf as the row it was made of, as far as it says that.

    Raises: ``ValueError`` when it is no entry.
    """
    entry = read_entry(raw)
    row = {**entry_columns(entry), "entry": raw}
    if entry.action.startswith(COPY):
        said = entry.details
        row |= {
            "action": entry.action.removeprefix(COPY),
            "key": str(said.get("key", "")),
            "place": str(said.get("place", "")),
            "size_bytes": int(said.get("bytes", 0)),
            "rule": str(said.get("rule", "")),
            "reason": str(said.get("reason", "")),
            "document_version": int(said.get("version", 0)),
        }
    return row


def is_asked(asked: AskedEntries, number: int, row: Mapping[str, Any]) -> bool:
    """Tell whether an entry is asked for, as the database would of its row."""
    camera, when, footage = asked.camera, asked.when, asked.footage
    return (
        (
            camera is None
            or (row["camera"] == camera.camera and camera.site in (ANY_SITE, row["site"]))
        )
        and (when is None or when.start <= row["at_ns"] < when.end)
        and (footage is None or (row["start_ns"] < footage.end and row["end_ns"] > footage.start))
        and (not asked.action or _is_action(asked.action, row))
        and asked.caller in ("", row["caller"])
        and asked.result in ("", row["result"])
        and (asked.before is None or number < asked.before)
        and (asked.after is None or number > asked.after)
    )


def _is_action(asked: str, row: Mapping[str, Any]) -> bool:
    noun, _, verb = asked.partition(".")
    if noun == "copy":
        return row["key"] != "" and verb in ("", row["action"])
    return str(row["action"]) == asked or str(row["action"]).startswith(f"{asked}.")
