"""What every door asks of text, numbers and JSON before anything else looks at them.

One guard for bodies, parameters, headers, documents and what other sites tell.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from recorder.errors import BadDocument, RequestError
from recorder.model.counting import number_of

MOST_TEXT = 4096
"""Characters in one text of a document; what people write into a field is shorter."""
MOST_DEPTH = 32
"""How deep lists and objects may be nested; documents of ours need nine."""
MOST_INTEGER = 2**63 - 1
"""What a column of the catalog holds."""

_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (C0, C1), line and direction controls that forge what is shown, and halves of
surrogate pairs, which cannot be encoded."""
_LINES = re.compile(r"[\t\n\r]")


def check_text(value: object, what: str, most: int = MOST_TEXT, *, lines: bool = False) -> str:
    """Return text that can be stored, sent and shown; ``lines``: tabs and line ends may be in it.

    Raises: ``RequestError`` naming ``what``; never showing the text.

    >>> check_text("gate 7", "group")
    'gate 7'
    """
    if not isinstance(value, str):
        raise RequestError(f"{what}: must be text")
    if len(value) > most:
        raise RequestError(f"{what}: {number_of(len(value), 'character')}, more than {most}")
    odd = _ODD.search(_LINES.sub("", value) if lines else value)
    if odd is not None:
        raise RequestError(
            f"{what}: holds the character U+{ord(odd[0]):04X}",
            hint="control characters and halves of surrogate pairs are no text",
        )
    return value


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return text with what forges what is shown, or cannot be written, as its escape.

    A foreign object's name may hold anything.  ``lines``: tabs and line ends stay, but for one that
    goes back to the start of its line and writes over it.

    >>> print(printable("clean\x1b[2J\n.mp4"))
    clean\x1b[2J\n.mp4
    >>> print(printable("broken: 1\rclean", lines=True))
    broken: 1\rclean
    """

    def escape(odd: re.Match[str]) -> str:
        return odd[0] if lines and odd[0] in "\t\n" else ascii(odd[0])[1:-1]

    return _ODD.sub(escape, text)


def check_number(value: object, what: str, low: float, high: float) -> float:
    """Return a number within bounds, both allowed; true and false are no numbers.

    Raises: ``RequestError`` naming ``what``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"{what}: must be a number")
    if not low <= value <= high:  # neither is NaN
        raise RequestError(f"{what}: must be between {low:g} and {high:g}")
    return value


def check_integer(
    value: object, what: str, low: int = -MOST_INTEGER - 1, high: int = MOST_INTEGER
) -> int:
    """Return a whole number within bounds, both allowed.

    Raises: ``RequestError`` naming ``what``.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f"{what}: must be a whole number")
    if not low <= value <= high:
        raise RequestError(f"{what}: must be between {low} and {high}")
    return value


def read_integer(text: str, what: str, low: int = 0, high: int = MOST_INTEGER) -> int:
    """Read a whole number of a header or a path: ASCII digits, nothing else.

    Raises: ``RequestError`` naming ``what``.

    >>> read_integer("12", "counter")
    12
    """
    if re.fullmatch(r"-?[0-9]{1,19}", text) is None:
        raise RequestError(f"{what}: must be a whole number")
    return check_integer(int(text), what, low, high)


def check_json(
    value: object, what: str, *, most_text: int = MOST_TEXT, lines: bool = False, depth: int = 0
) -> None:
    """Look at every text and number in a JSON value.

    Raises: ``RequestError`` naming the path of what is no text, no number, or nested too deep.
    """
    inner: Iterable[tuple[object, object]] = ()
    if depth > MOST_DEPTH:
        raise RequestError(f"{what[:200]}: nested deeper than {MOST_DEPTH}")
    if isinstance(value, Mapping):
        inner = value.items()
        for key in value:
            check_text(key, f"{what}: name of a field", 512)
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    else:
        _check_plain(value, what, most_text, lines)
    for key, one in inner:
        check_json(one, f"{what}.{key}", most_text=most_text, lines=lines, depth=depth + 1)


def _check_plain(value: object, what: str, most_text: int, lines: bool) -> None:
    if isinstance(value, str):
        check_text(value, what, most_text, lines=lines)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise RequestError(f"{what}: {value} is no number that JSON has")
    elif isinstance(value, int):
        check_integer(int(value), what)
    elif value is not None:
        raise RequestError(f"{what}: {type(value).__name__} is nothing that JSON has")


def read_json(raw: bytes, what: str, *, once: bool = False, exact: bool = False) -> Any:
    """Parse JSON; what it holds is not looked at yet: :func:`check_json` does.

    ``once``: a key may stand in an object once only; it takes twice as long.  ``exact``: besides,
    it is UTF-8 with numbers that JSON has: every reader reads the same.
    Raises: ``BadDocument`` when it is none, or nested too deep to be read.
    """

    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        body = dict(found)
        if len(body) < len(found):
            twice = Counter(name for name, _ in found).most_common(1)[0][0]
            raise BadDocument(f"{what}: {twice[:64]!r} stands twice in one object")
        return body

    def finite(text: str) -> float:
        if not math.isfinite(value := float(text)):
            raise BadDocument(f"{what}: {text[:64]} is no number that JSON has")
        return value

    try:
        if exact:
            return json.loads(
                raw.decode(), object_pairs_hook=pairs, parse_float=finite, parse_constant=finite
            )
        return json.loads(raw, object_pairs_hook=pairs) if once else json.loads(raw)
    except RecursionError as exc:
        raise BadDocument(f"{what}: nested deeper than {MOST_DEPTH}") from exc
    except ValueError as exc:  # of UTF-8, of JSON, of integers of 4300 digits
        raise BadDocument(f"{what}: is not JSON: {_plain(exc)}") from exc


def _plain(exc: ValueError) -> str:
    """Say what is wrong, and nothing of the text: it may hold secrets."""
    if isinstance(exc, json.JSONDecodeError):
        return f"{exc.msg} at character {exc.pos}"
    return "it is not UTF-8" if isinstance(exc, UnicodeDecodeError) else "a number is too long"


def json_size(value: object) -> int:
    """Return how many bytes a JSON value takes when it is written."""
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def cleaned(value: object) -> object:
    """Return a JSON value that can be written, of one stored before it was looked at.

    >>> cleaned({"speed": float("nan"), "at": [1.5]})
    {'speed': None, 'at': [1.5]}
    """
    if isinstance(value, str):
        return re.sub(r"[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {cleaned(str(key)): cleaned(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(one) for one in value]
    return value
