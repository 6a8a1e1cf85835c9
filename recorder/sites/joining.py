"""Joining: a child shows a word once, and the two sites know each other's keys from then on."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from recorder.access.words import JOINING
from recorder.accounts import invitations
from recorder.accounts.peers import CHILD, NODE, PARENT_SITE, Signatures, Signer, check_public_key
from recorder.accounts.people import People, PeopleCatalog
from recorder.errors import CatalogUnavailable, NotFound, RequestError
from recorder.model.keys import check_name
from recorder.model.places import PARENT, parse_place
from recorder.ports import Clock, Credential, Peer, Peers, Sites
from recorder.sites.documents import sites_through
from recorder.sites.remote import RemoteSite

log = logging.getLogger("recorder.sites")


class JoiningCatalog(PeopleCatalog, Protocol):
    """The parts of the catalog that know people and peers."""

    peers: Peers


def invite(people: People, own: str, site: str) -> tuple[str, Credential]:
    """Make the word by which a site of a name may join, within a day and once.

    Raises: ``RequestError``.
    """
    if check_name(site, "site") == own:
        raise RequestError(f"{site} is this site itself", hint="name the one that is to join")
    return people.give(JOINING, site, people.limits.invitation_ns)


def take_in(
    people: People, peers: Peers, clock: Clock, word: object, site: object, key: object
) -> None:
    """Let a site in that shows the word it was given, for its own name alone.

    Raises: ``NotKnown``; ``RequestError``.
    """
    public, name = check_public_key(key), check_name(site, "site")
    known = peers.get(public)
    if known is not None and (known.kind != CHILD or known.name != name or known.ended):
        raise RequestError(
            "public_key: is known here as another's, or was cast out",
            hint="put node.key aside at the site that joins, then try again",
        )
    invitations.joins(people, word, name)
    peers.add(Peer(public, CHILD, name, clock.now()))
    log.warning("a site has joined", extra={"site": name})


def node_keys(peers: Peers) -> list[str]:
    """Return the keys of this site's nodes."""
    return [one.public_key for one in peers.all() if one.kind == NODE and one.ended is None]


def join(
    catalog: JoiningCatalog, clock: Clock, signer: Signer, parent: str, site: str, word: str
) -> str:
    """Join the parent; return its name.

    Raises: ``NotKnown``, ``RequestError``, ``SiteUnreachable``.
    """
    answer = RemoteSite("parent", parent).join(word, site, signer.public_key)
    name = check_name(answer.get("site"), "site")
    learn_parent(catalog.peers, clock, name, answer.get("public_keys"))
    return name


def learn_parent(peers: Peers, clock: Clock, name: str, keys: object) -> None:
    """Know the keys of the parent's nodes; those of another parent count no more."""
    now = clock.now()
    for other in {one.name for one in peers.all() if one.kind == PARENT_SITE} - {name}:
        peers.end(PARENT_SITE, other, now)
    for key in keys if isinstance(keys, list) else ():
        with contextlib.suppress(RequestError):  # of another kind, of a newer release
            peers.add(Peer(check_public_key(key), PARENT_SITE, name, now))


def cast_out(peers: Peers, clock: Clock, site: str) -> int:
    """Cast a site below out: its keys count no more; return how many there were.

    Raises: ``NotFound``.
    """
    count = peers.end(CHILD, site, clock.now())
    if not count:
        raise NotFound(f"no site {site!r} has joined", hint="recorder site shows those there are")
    log.warning("a site was cast out", extra={"site": site})
    return count


class SitesCatalog(Protocol):
    """The parts of the catalog that know sites and their keys."""

    peers: Peers
    sites: Sites


def signatures_of(catalog: SitesCatalog, clock: Clock, site: str, node: str) -> Signatures:
    """Make what knows who has signed a request to a node of a site."""
    own = (site, f"{site}/{node}")
    return Signatures(catalog.peers, clock, own, lambda one: sites_through(catalog.sites, one))


def sign_for(
    own: str, name: str, made: Callable[[], tuple[Peers, Signer]]
) -> Callable[[str, str, int], str]:
    """Return what signs requests of ``own`` to another; ``made`` gives keys when they are needed.

    It signs nothing for a site that no key of ours was shown to.
    """
    place = parse_place(name)

    def audience(peers: Peers) -> str:
        if place.own_spool:
            return f"{own}/{place.name}"
        kind = PARENT_SITE if name == PARENT else CHILD
        names = [one.name for one in peers.all() if (one.kind, one.ended) == (kind, None)]
        if kind == PARENT_SITE:
            return names[-1] if names else ""
        return name if name in names else ""

    def sign(method: str, path: str, ahead_ns: int) -> str:
        try:
            peers, signer = made()
            to = audience(peers)
            return signer.sign(to, method, path, ahead_ns) if to else ""
        except CatalogUnavailable:  # whose keys are known nobody can say
            return ""

    return sign
