"""Places: where a copy of a segment lies, as one site sees it.

The one parser and writer of what stands in the catalog and goes over the wire::

    main                a store of this site
    spool:n1            the spool of a node of this site
    post1/main          a store of the child post1; its spool: post1/spool:n1
    sub1/post1/main     a store two levels below
    ../main             a store of the parent; ../../main one above that
    ..sub1/main         a store of sub1, which was the parent and is no more

A catalog that asks for places by pattern takes the pattern from here, too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

PARENT = ".."
"""What a site calls the one above it; children have names."""
SPOOLS = "spool:"
"""Begins what the spool of a node is called; alone it stands for all of a site's."""

ELSEWHERE_LIKE = "%/%"
SPOOLS_LIKE = SPOOLS + "%"
"""SQL patterns of places at other sites, and of spools of this one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A store, or the spool of a node, here or at another site.

    ``way``: the sites on the way there, the next one first; empty for places here.  ``name``:
    of the store or, for a ``spool``, of the node.  Equal values are the same place.
    """

    name: str
    spool: bool = False
    way: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join((*self.way, SPOOLS + self.name if self.spool else self.name))

    @property
    def own(self) -> bool:
        """Whether it is at this site."""
        return not self.way

    @property
    def own_store(self) -> bool:
        """Whether it is a store of this site."""
        return not self.way and not self.spool

    @property
    def own_spool(self) -> bool:
        """Whether it is the spool of a node of this site."""
        return not self.way and self.spool

    @property
    def above(self) -> bool:
        """Whether it is at the parent, or above it."""
        return self.way[:1] == (PARENT,)

    @property
    def former(self) -> str:
        """The site it is at or above, when that was the parent once and is no more."""
        first = self.way[0] if self.way else ""
        return first.removeprefix(PARENT) if first.startswith(PARENT) else ""

    @property
    def below(self) -> bool:
        """Whether it is at a child, or below one."""
        return bool(self.way) and not self.above and not self.former

    @property
    def site(self) -> str:
        """The site it is at, as the one before it calls it; empty for this site."""
        return self.way[-1] if self.way else ""

    @property
    def next_site(self) -> str:
        """The site to ask for it: a child or the parent; empty for this site."""
        return self.way[0] if self.way else ""

    @property
    def distance(self) -> tuple[int, bool]:
        """What to sort by, the nearest first; a store comes before a spool as far away."""
        return (len(self.way), self.spool)

    def through(self, site: str) -> Place:
        """Return this place of a child or the parent as the site next to it sees it."""
        return Place(self.name, self.spool, (site, *self.way))


@functools.lru_cache(4096)  # a site knows few: its own, and a few of each site of the tree
def parse_place(text: str) -> Place:
    """Read a place; every text is one, and is written again as it was.

    >>> parse_place("sub1/post1/spool:n1")
    Place(name='n1', spool=True, way=('sub1', 'post1'))
    >>> str(parse_place("main").through(PARENT))
    '../main'
    """
    *way, last = text.split("/")
    spool = last.startswith(SPOOLS)
    return Place(last.removeprefix(SPOOLS), spool, tuple(way))


def spool_of(node: str) -> str:
    """Write the place that the spool of a node of this site is."""
    return str(Place(node, spool=True))


def seen_through(site: str, place: str) -> str:
    """Write what a child or the parent calls ``place`` as this site calls it."""
    return str(parse_place(place).through(site))


def former_parent(site: str) -> str:
    """Write what a site calls one that was its parent: no child is called so.

    >>> former_parent("sub1")
    '..sub1'
    """
    return PARENT + site


def beginning(site: str) -> str:
    """Return what all places at a child, or at the parent, begin with, and beyond them."""
    return str(Place("", way=(site,)))
