"""Things counted, for people to read.  Pure."""

from __future__ import annotations


def number_of(count: int, one: str, several: str = "") -> str:
    """Write how many there are of something; ``several`` where ``one`` and an ``s`` are not it.

    >>> number_of(1, "camera"), number_of(2, "entry"), number_of(0, "gap"), number_of(3, "key")
    ('1 camera', '2 entries', '0 gaps', '3 keys')
    >>> number_of(1, "token ends", "tokens end"), number_of(2, "token ends", "tokens end")
    ('1 token ends', '2 tokens end')
    """
    return f"{count} {one if count == 1 else several or plural(one)}"


def plural(noun: str) -> str:
    """Write a noun for several.

    >>> plural("copy"), plural("day"), plural("batch")
    ('copies', 'days', 'batches')
    """
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
