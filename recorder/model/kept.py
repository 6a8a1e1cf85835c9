"""What a store keeps of a catalog, looked at before it is put back.  Pure.

What is odd, of a newer release or of somebody who may write there, is left out by itself: it would
be read again and again, and keep what reads it from the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from recorder.errors import RequestError
from recorder.model.about import take_about
from recorder.model.checks import check_integer, check_json, check_text
from recorder.model.events import parse_point
from recorder.model.holds import Hold, read_hold
from recorder.model.keys import check_name
from recorder.model.timebase import EARLIEST, LATEST, Instant

T = TypeVar("T")
Row = dict[str, object]
Told = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Dated:
    """What a writer at a site says to be of a day, and committed by an instant at the latest.

    Units: ``day_ns`` is where the day begins.
    """

    site: str
    writer: str
    day_ns: Instant
    committed_ns: Instant


class Said:
    """What is kept, by its kind; ``odd``: what was left out of it so far, and why."""

    def __init__(self, content: Mapping[str, object]) -> None:
        self._content = content
        self.odd: list[str] = []

    def holds(self) -> list[Hold]:
        """Return the holds."""
        return self._each("holds", _hold)

    def documents(self) -> list[Row]:
        """Return the newest document of each kind."""
        return self._each("documents", _document)

    def points(self) -> list[Row]:
        """Return the points that raise events."""
        return self._each("points", _point)

    def groups(self) -> list[Row]:
        """Return cameras' groups, and what people call them; of before schema 0008 without site."""
        return self._each("groups", _group)

    def cameras(self) -> list[str]:
        """Return the names of the cameras there were."""
        return self._each("cameras", lambda row: check_name(row["name"], "camera"))

    def dated(self) -> list[Dated]:
        """Return when footage was committed that says otherwise of itself."""
        return self._each("dated", _dated)

    def _each(self, kind: str, read: Callable[[Told], T]) -> list[T]:
        rows, found = self._content.get(kind, ()), list[T]()
        if not isinstance(rows, list | tuple):
            self._leave(f"{kind}: must be a list")
            rows = ()
        for row in rows:
            try:
                found.append(read(_object(row)))
            except (RequestError, KeyError, TypeError, ValueError) as exc:
                self._leave(f"{kind}: {exc!r}"[:300])
        return found

    def _leave(self, why: str) -> None:
        if why not in self.odd:
            self.odd.append(why)


def _object(value: object) -> Told:
    if not isinstance(value, Mapping):
        raise RequestError("must be an object")
    return value


def _hold(row: Told) -> Hold:
    names = {"created": "created_ns", "expires": "expires_ns", "released": "released_ns"}
    told = {name: row[column] for name, column in names.items()}
    return read_hold(
        {**row, **told, "range": [row["start_ns"], row["end_ns"]], "case": row["case_name"]}
    )


def _document(row: Told) -> Row:
    body = _object(row["body"])
    check_json(body, "body", lines=True)
    return {
        "kind": check_name(row["kind"], "kind"),
        "version": check_integer(row["version"], "version", 1, 2**31 - 1),
        "body": dict(body),
        "author": check_text(row["author"], "author"),
        "at_ns": check_integer(row["at_ns"], "at_ns", EARLIEST, LATEST),
    }


def _point(row: Told) -> Row:
    name, body = check_name(row["name"], "point"), _object(row["body"])
    parse_point(name, body)
    version = check_integer(row["version"], "version", 1, 2**31 - 1)
    return {"name": name, "version": version, "body": dict(body)}


def _group(row: Told) -> Row:
    said: Row = {
        "camera": check_name(row["camera"], "camera"),
        "group_name": check_text(row["group_name"], "group", 256),
    }
    if row.get("site"):
        said["site"] = check_name(row["site"], "site")
    elif "site" in row:
        said["site"] = ""
    about = row.get("about")
    if about is not None:  # what a later release says besides is kept, and not understood
        take_about(dict(_object(about)))
    return {**said, "about": about}


def _dated(row: Told) -> Dated:
    return Dated(
        check_name(row["site"], "site"),
        check_text(row["writer"], "writer"),
        check_integer(row["day_ns"], "day_ns", EARLIEST, LATEST),
        check_integer(row["committed_ns"], "committed_ns", 0, LATEST),
    )
