"""A site of several nodes: on one database and one store, with one camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.support.nodes import Node, RtspServer


class SharedSite:
    """Nodes that share a catalog, a store and a key, and a camera; each client's frames begin at 0.

    Nothing is started but the camera.
    """

    def __init__(self, folder: Path, url: str, source: Path, names: Sequence[str]) -> None:
        """``url``: of the database; ``source``: what the camera shows, H.264."""
        self.camera = RtspServer(cam=f"{source}:h264").start()
        store = [{"name": "main", "kind": "directory", "path": str(folder / "store")}]
        self.nodes = {
            name: Node(folder / name, catalog=url, node=name, stores=store, capture={"segment": 2})
            for name in names
        }
        for node in self.nodes.values():
            node.share_key()

    def start(self) -> None:
        for node in self.nodes.values():
            node.start()

    def close(self) -> None:
        for node in self.nodes.values():
            node.close()
        self.camera.stop()
