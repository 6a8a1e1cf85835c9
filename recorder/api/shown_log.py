"""What answers about the audit log look like; as :mod:`recorder.api.shown`."""

from __future__ import annotations

from typing_extensions import TypedDict


class ShownWho(TypedDict, total=False):
    """A caller, as the audit log has it."""

    kind: str
    name: str
    address: str
    session: str


class ShownSubject(TypedDict, total=False):
    """What an entry is about; what does not apply is not there."""

    site: str
    camera: str
    stream: str
    name: str
    start: str
    end: str


class ShownEntryWords(TypedDict, total=False):
    """An entry's own words; ``damaged`` alone where somebody wrote over it."""

    v: int
    at: str
    site: str
    node: str
    who: ShownWho
    action: str
    subject: ShownSubject
    purpose: str
    result: str
    details: dict[str, object]
    damaged: str


class ShownLogged(TypedDict):
    """An entry of the audit log: its own words, and where it stands."""

    log: str | None
    leaf: int | None
    hash: str
    entry: ShownEntryWords


class ShownKey(TypedDict):
    """A public key, as ``recorder audit key`` prints it."""

    key: str
