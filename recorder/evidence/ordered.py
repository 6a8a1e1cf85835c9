"""Certificates in an authority's answer, put into the order that DER asks for.

Many authorities send their chain in another one, which the package that checks stamps refuses.  No
signature is over this set (RFC 5652, 5.4), and its length stays: the answer says the same.
"""

from __future__ import annotations

_SEQUENCE, _SET, _NUMBER, _NAME, _FIRST = 0x30, 0x31, 0x02, 0x06, 0xA0
_MOST = 64
"""Items that are looked at; a chain has a handful."""


def ordered(raw: bytes) -> bytes:
    """Return an answer with its certificates in order; one that is built otherwise as it is.

    Source: RFC 3161, 2.4.2; RFC 5652, 5.1: the certificates are the fourth of ``SignedData``.
    """
    try:
        answer = _within(raw, 0, len(raw), [_SEQUENCE])[0]
        token = _within(raw, *answer, [_SEQUENCE, _SEQUENCE])[1]
        content = _within(raw, *token, [_NAME, _FIRST])[1]
        signed = _within(raw, *content, [_SEQUENCE])[0]
        start, end = _within(raw, *signed, [_NUMBER, _SET, _SEQUENCE, _FIRST])[3]
        items = sorted(raw[begin:stop] for _, begin, _, stop in _items(raw, start, end))
    except (IndexError, ValueError):
        return raw
    return raw[:start] + b"".join(items) + raw[end:]


def _within(raw: bytes, start: int, end: int, kinds: list[int]) -> list[tuple[int, int]]:
    """Return where the contents of items are, the first of which are of these kinds."""
    items = _items(raw, start, end)
    if [kind for kind, *_ in items[: len(kinds)]] != kinds:
        raise ValueError("is built otherwise")
    return [(content, stop) for _, _, content, stop in items]


def _items(raw: bytes, start: int, end: int) -> list[tuple[int, int, int, int]]:
    """Return kind, begin, content and end of each item.  Raises: ``ValueError``, ``IndexError``."""
    found: list[tuple[int, int, int, int]] = []
    while start < end:
        size, content = raw[start + 1], start + 2
        if size > 0x84 or size == 0x80 or len(found) >= _MOST:
            raise ValueError("is no DER")
        if size > 0x80:
            content += size - 0x80
            size = int.from_bytes(raw[start + 2 : content], "big")
        if content + size > end:
            raise ValueError("is torn")
        found.append((raw[start], start, content, content + size))
        start = content + size
    return found
