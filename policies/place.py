"""Placement: which node records which stream, by weighted rendezvous hashing.  Pure.

Every node computes the same answer from the same facts; when a node comes or goes, only
the streams it gains or loses move.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping


def place(streams: Iterable[str], nodes: Mapping[str, float]) -> dict[str, str]:
    """Choose a node for every stream; ``nodes`` maps names to weights above 0.

    >>> place(["a", "b"], {"n1": 1.0})
    {'a': 'n1', 'b': 'n1'}
    """
    if not nodes:
        return {}
    return {
        stream: max(sorted(nodes), key=lambda node: _score(stream, node, nodes[node]))
        for stream in streams
    }


def _score(stream: str, node: str, weight: float) -> float:
    """Draw a number for a pair; the chance to be the largest is proportional to weight."""
    digest = hashlib.blake2b(f"{stream}\0{node}".encode(), digest_size=8).digest()
    drawn = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)  # in (0, 1)
    return -weight / math.log(drawn)
