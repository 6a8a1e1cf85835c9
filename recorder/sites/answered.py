"""What the parent answers, looked at before it is taken in.

What is odd, of a newer release or of somebody else, is left out by itself: the rest is heard.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from recorder.errors import RequestError, SiteUnreachable
from recorder.model.checks import check_integer, check_text
from recorder.model.keys import check_name

log = logging.getLogger("recorder.sites")

Check = Callable[[object], object]
Said = dict[str, Any]


def _text(value: object) -> object:
    return check_text(value, "text", 1024)


def _number(value: object) -> object:
    return check_integer(value, "number", 0)


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise RequestError("is no object")
    return value


def _policy(value: object) -> object:
    return value if value is None else _object(value)


def _camera(said: object) -> object:
    value = _object(said)
    check_name(value["site"], "site")
    check_name(value["name"], "name")
    check_integer(value["at"], "at", 0)
    check_text(value["author"], "author")
    return _policy(value["body"])


def _aside(said: object) -> object:
    value = _object(said)
    return check_text(value["what"], "what"), check_text(value["why"], "why", lines=True)


_ONE: Mapping[str, Check] = {
    **dict.fromkeys(("level", "store", "store_id", "catalog", "holds_digest"), _text),
    **dict.fromkeys(("set_aside_count", "turn", "turn_was"), _number),
    "policy": _policy,
    "audit": _object,
}
_MANY: Mapping[str, Check] = {
    **dict.fromkeys(("holds", "word", "events"), _object),
    "cameras": _camera,
    "set_aside": _aside,
    "again": _number,
    "keys": _text,
}


def read_answer(answer: Mapping[str, object], where: str) -> tuple[Said, list[str]]:
    """Return what can be taken in of an answer, and what was left out.

    ``where``: the parent's URL.  Raises: ``SiteUnreachable`` when it does not say whose it is.
    """
    try:
        found: Said = {"level": "", "site": check_name(answer.get("site"), "site")}
    except RequestError as exc:
        raise SiteUnreachable(f"what answers at {where} is no site: {exc}") from exc
    odd = list[str]()
    for name, value in answer.items():
        if name in _ONE and _is_sound(name, value, _ONE[name], odd):
            found[name] = value
        elif name in _MANY and isinstance(value, list):
            found[name] = [one for one in value if _is_sound(name, one, _MANY[name], odd)]
        elif name in _MANY:
            odd.append(f"{name}: is no list")
    return found, odd


def _is_sound(name: str, value: object, check: Check, odd: list[str]) -> bool:
    """Tell whether something is as it should be; where it is not, ``odd`` is told why."""
    try:
        check(value)
    except (RequestError, KeyError, TypeError) as exc:
        odd.append(f"{name}: {exc!r}"[:300])
        return False
    return True


class Asked(Protocol):
    """The parent, as it is spoken to."""

    url: str

    def exchange(self, body: dict[str, object]) -> Said:
        """Send a message up; return the answer."""


class Answers:
    """Asks the parent; what is odd of an answer is said, once as long as it is the same."""

    def __init__(self) -> None:
        self._odd: list[str] = []

    def ask(self, parent: Asked, message: dict[str, object]) -> Said:
        """Return what can be taken in of the answer to a message.

        Raises: ``SiteUnreachable``, ``BadDocument``, ``NotAllowed``, ``NameTaken``.
        """
        answer, odd = read_answer(parent.exchange(message), parent.url)
        if odd and odd != self._odd:  # it is told again each second
            about = {"things": len(odd), "reason": odd[0]}
            log.error("answer of the parent not understood", extra=about)
        self._odd = odd
        return answer
