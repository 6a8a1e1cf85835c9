"""Many names, some at a time: a statement has room for so many parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

AT_ONCE = 500


def some_of(names: Iterable[str]) -> Iterator[list[str]]:
    """Return all names, each once, by lists that a statement has room for."""
    each = sorted(set(names))
    for i in range(0, len(each), AT_ONCE):
        yield each[i : i + AT_ONCE]
