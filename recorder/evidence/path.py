"""Where a leaf stands in a Merkle tree, and the proof of it, as bundles have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recorder.model.checks import check_integer


@dataclass(frozen=True, slots=True)
class Path:
    """Where a leaf stands in a tree, and the hashes that prove it."""

    leaf: int
    size: int
    hashes: tuple[bytes, ...]

    def show(self) -> dict[str, object]:
        """Write it."""
        return {"leaf": self.leaf, "size": self.size, "path": [one.hex() for one in self.hashes]}


def read_path(body: Mapping[str, Any]) -> Path:
    """Read one.  Raises: ``RequestError``, ``ValueError``, ``KeyError``, ``TypeError``."""
    return Path(
        check_integer(body["leaf"], "leaf"),
        check_integer(body["size"], "size"),
        tuple(bytes.fromhex(one) for one in body["path"]),
    )
