"""Exports as answers show them."""

from __future__ import annotations

from typing_extensions import TypedDict


class ShownExport(TypedDict):
    """A bundle of evidence that was asked for.

    ``labels``: what people call its cameras, of those that are called something.
    ``state``: ``waiting``, ``running``, ``done``, ``failed`` or ``expired``; ``node``: who makes
    it, or has it; ``done_bytes`` of ``all_bytes`` of footage are in it; ``sha256`` and ``bytes`` of
    its zip; ``fingerprint``: of the key that signed it; ``failed_as``: as the title of a problem.
    """

    id: str
    state: str
    cameras: list[str]
    labels: dict[str, str]
    stream: str | None
    start: str
    end: str
    case: str
    purpose: str
    masked: bool
    mark: bool
    onvif: bool
    c2pa: bool
    timestamp: bool
    who: str
    node: str | None
    asked: str
    deadline: str
    began: str | None
    ended: str | None
    expires: str | None
    done_bytes: int
    all_bytes: int | None
    waits_for: str | None
    failed_for: str | None
    failed_as: str | None
    problems: list[str]
    bytes: int | None
    sha256: str | None
    fingerprint: str | None


class ShownExportKey(TypedDict):
    """The key that signs a site's bundles: its fingerprint is what people compare."""

    fingerprint: str
    pem: str
