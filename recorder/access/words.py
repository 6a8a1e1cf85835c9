"""Secrets that are shown once, and what of them is kept.  Pure: chance comes in as bytes.

``spanstore_t_`` and 43 characters of base 62, then 6 that are their CRC-32: whoever looks for
leaked secrets knows one when it sees it, and a mistyped one is refused before anything is asked.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BODY = 43
"""62 ** 43 is just above 2 ** 256."""
CHECK = 6
"""62 ** 6 is above 2 ** 32."""
SESSION, TOKEN, INVITATION, JOINING, CODE = "s", "t", "i", "j", "c"
KINDS = frozenset({SESSION, TOKEN, INVITATION, JOINING, CODE})
WORD = re.compile(r"spanstore_([stijc])_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


def _in_base(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits.append(ALPHABET[rest])
    return "".join(reversed(digits))


def make_word(kind: str, chance: Callable[[int], bytes]) -> str:
    """Make a secret; ``chance`` gives so many bytes.

    >>> make_word("t", bytes)[:20], len(make_word("t", bytes))
    ('spanstore_t_00000000', 61)
    """
    body = f"spanstore_{kind}_{_in_base(int.from_bytes(chance(32), 'big'), BODY)}"
    return body + _in_base(zlib.crc32(body.encode()), CHECK)


def is_word(text: str, kind: str) -> bool:
    """Tell whether a text is a secret of a kind that somebody may have been given."""
    found = WORD.fullmatch(text)
    if found is None or found[1] != kind:
        return False
    return found[3] == _in_base(zlib.crc32(text[:-CHECK].encode()), CHECK)


def digest_of(word: str) -> str:
    """Return what is kept of a secret: it has 256 bits, so a plain digest tells nothing of it."""
    return hashlib.sha256(word.encode()).hexdigest()
