"""Where a leaf stands in a Merkle tree, and the proof of it, as bundles have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recorder.evidence.one_way import whole


@dataclass(frozen=True, slots=True)
class Path:
    """Where a leaf stands in a tree, and the hashes that prove it."""

    leaf: int
    size: int
    hashes: tuple[bytes, ...]

    def show(self) -> dict[str, Any]:
        """Write it."""
        return {"leaf": self.leaf, "size": self.size, "path": [one.hex() for one in self.hashes]}


def read_path(body: Mapping[str, Any]) -> Path:
    """Read one.  Raises: ``ValueError``, ``KeyError``, ``TypeError``."""
    return Path(
        whole(body["leaf"]), whole(body["size"]), tuple(bytes.fromhex(one) for one in body["path"])
    )
