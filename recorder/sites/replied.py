"""What another site's API answers, read: it may be a proxy's page, or anything."""

from __future__ import annotations

import urllib3

from recorder.errors import (
    BadDocument,
    DigestMismatch,
    IntegrityError,
    NameTaken,
    NotAllowed,
    RequestError,
    SiteUnreachable,
    StateError,
)
from recorder.model.checks import printable, read_integer, read_json
from recorder.model.keys import NAME

JOIN = "let the lower site join: recorder site invite NAME above, then recorder site join below"
_NOT_AS_SAID = ("DigestMismatch", "IndexCorrupt", "MalformedMedia")
"""What a site says of the bytes it was sent; of no others."""
MOST_SAID = 2000
"""Characters of a reason that are kept."""


def read_object(raw: bytes | None) -> dict[str, object]:
    """Return the JSON object that an answer is; an empty one where it is none."""
    try:
        found = read_json(raw or b"", "answer")
    except BadDocument:
        return {}
    return found if isinstance(found, dict) else {}


def whose_answer(
    answer: urllib3.BaseHTTPResponse, name: str, url: str, *needed: str
) -> dict[str, object]:
    """Return an answer that says whose it is, and what else is ``needed``.

    Raises: ``SiteUnreachable``.
    """
    found = read_object(answer.data)
    if not {"site", *needed} <= found.keys():
        raise _no_recorder(name, url)
    return found


def how_far(answer: urllib3.BaseHTTPResponse, name: str, url: str) -> tuple[int, str]:
    """Return how many bytes of an object a site says it has, and in which store, if in one.

    Raises: ``SiteUnreachable`` where it says neither: footage would go to whatever answers so.
    """
    place = answer.headers.get("X-Place", "")
    try:
        offset = read_integer(answer.headers.get("Upload-Offset", ""), "upload-offset", 0)
    except RequestError as exc:
        raise _no_recorder(name, url) from exc
    if place and NAME.fullmatch(place) is None:
        raise _no_recorder(name, url)
    return offset, place


def refused(
    name: str, what: str, answer: urllib3.BaseHTTPResponse
) -> SiteUnreachable | RequestError | StateError | IntegrityError:
    """Return the error that a refusal means."""
    problem = read_object(answer.data)
    title, hint = problem.get("title"), _text(problem.get("hint") or "")
    said = _text(problem.get("detail", answer.status)) if problem else f"HTTP {answer.status}"
    if title in _NOT_AS_SAID:
        return DigestMismatch(f"site {name} refuses: {what}: {said}")
    if title == NameTaken.__name__:
        return NameTaken(said, hint=hint)
    if answer.status in (400, 413, 415, 422):  # the same again will be refused for ever
        return BadDocument(f"site {name} finds it bad: {what}: {said}")
    if answer.status == 401:  # what helps a person who signs in does not help a site
        return NotAllowed(f"site {name} refuses: {what}: {said}", hint=JOIN)
    if answer.status in (403, 409, 421):
        return NotAllowed(f"site {name} refuses: {what}: {said}", hint=hint)
    return SiteUnreachable(f"site {name}: {what}: {said}")


def _text(said: object) -> str:
    """Write what another site says as it may be kept, logged and shown."""
    return printable(str(said)[:MOST_SAID])


def _no_recorder(name: str, url: str) -> SiteUnreachable:
    return SiteUnreachable(
        f"site {name}: what answers at {url} is no recorder",
        hint="does the parent's URL lead to its API, through whatever stands before it?",
    )
