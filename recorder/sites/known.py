"""Other sites and nodes, by the name of the place where they keep footage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from recorder.model.places import parse_place
from recorder.ports import Nodes, Sites
from recorder.sites.remote import RemoteSite, Sign


class KnownCatalog(Protocol):
    """The parts of the catalog that say where others answer."""

    nodes: Nodes
    sites: Sites


class KnownSites:
    """A client for each site and node whose URL is known, made once."""

    def __init__(self, catalog: KnownCatalog, sign_for: Callable[[str], Sign]) -> None:
        self._catalog, self._sign_for = catalog, sign_for
        self._made: dict[str, RemoteSite] = {}

    def find(self, name: str) -> RemoteSite | None:
        """Return the parent (``..``), a child, or a node (``spool:NAME``), if its URL is known."""
        url = self._url(name)
        if not url:
            return None
        if url not in self._made:
            self._made[url] = RemoteSite(name, url, sign=self._sign_for(name))
        return self._made[url]

    def _url(self, name: str) -> str:
        place = parse_place(name)
        if place.own_spool:
            beats = (one for one in self._catalog.nodes.all() if one.node == place.name)
            return next((str(one.facts.get("url", "")) for one in beats), "")
        return next((one.url for one in self._catalog.sites.all() if one.name == name), "")
