"""The parent's word on copies above: what lies there of this site's footage, and what went."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from recorder.catalog.told import COLUMNS, Message
from recorder.errors import BadDocument, RequestError
from recorder.model.checks import check_integer, check_text
from recorder.model.keys import StreamId, check_name
from recorder.model.timebase import LATEST, Instant
from recorder.ports import Notices
from recorder.sites.changes import check_segment_row

log = logging.getLogger("recorder.sites")

UNKNOWN = "unknown"
"""In a child's message: numbers of the last word whose segments it does not know."""


class WordCatalog(Protocol):
    """The part of the catalog that the word goes into."""

    notices: Notices


class Word:
    """Takes in; what is known already changes nothing.

    A catalog that was lost has forgotten what it had let go and lies above: that is asked for
    once.  A parent of an older release does not say it, and is not asked again and again.
    """

    def __init__(self, catalog: WordCatalog) -> None:
        self._catalog = catalog
        self.heard: list[int] = []
        """Numbers of the last word that need not be said again."""
        self.unknown: list[int] = []

    def hear(self, told: Sequence[object], parent: str, now: Instant) -> None:
        """Take in what is understood; the rest is said, and counts as heard: it would be told
        again, before all others.
        """
        found, numbers, odd = list[Message](), list[int](), ""
        for one in told:
            document = dict(one) if isinstance(one, Mapping) else {}
            number = document.get("seq")
            numbers += [number] if isinstance(number, int) else []
            try:
                _check_word(document, parent)
            except (RequestError, KeyError, TypeError, ValueError) as exc:  # a newer release's
                odd = f"{document.get('stream')} {document.get('start')}: {exc!r}"
            else:
                found.append(document)
        if odd:
            log.error("word on copies above not understood", extra={"reason": odd[:300]})
        whole = sum("segment" in one for one in found)
        if whole:
            log.info("what lies above was not known here", extra={"segments": whole})
        unknown = set(self._catalog.notices.apply(found, now)).difference(self.unknown)
        self.unknown = sorted(unknown)
        self.heard = [number for number in numbers if number not in unknown]


def read_unknown(message: Mapping[str, object]) -> set[int]:
    """Read what a child says that it does not know."""
    numbers = message.get(UNKNOWN)
    return {one for one in numbers if type(one) is int} if isinstance(numbers, list) else set()


def _check_word(one: Message, parent: str) -> None:
    """Raises: ``RequestError``; ``KeyError``, ``TypeError``, ``ValueError`` of what is none."""
    check_integer(one["seq"], "seq", 0)
    names = check_text(one["stream"], "stream", 200).split("/")
    if len(names) != 3:
        raise RequestError("stream: is none")
    for name in names:
        check_name(name, "stream")
    start = check_integer(one["start"], "start", 0)
    writer = check_text(one["writer"], "writer", 200)
    places = one["places"]
    if not isinstance(places, list):
        raise RequestError("places: must be a list")
    for place in places:
        check_text(place, "place", 1024)
    check_text(one.get("digest", ""), "digest", 64)
    if "segment" in one:
        said = one["segment"]
        check_segment_row(
            said, StreamId(*names), LATEST
        )  # our own: of the future only where our clock is wrong
        row = dict(zip(COLUMNS, said["row"], strict=True))
        if names[0] == parent or (row["start_ns"], row["writer"]) != (start, writer):
            raise BadDocument("segment: is another than it is said to be")
