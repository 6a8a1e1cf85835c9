"""Sites and nodes prove who they are: each request of theirs is signed with a key of their own.

What is signed: who is asked, for what (method and path), when, and a number used once.  So a
signature that somebody reads off the line is of no use: not later, not elsewhere, not twice, not
for another request.  Ed25519 (RFC 8032); the private key never leaves the node it was made on.
"""

from __future__ import annotations

import binascii
import json
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from recorder.access.decide import Grant, Subject
from recorder.access.permissions import Permission
from recorder.accounts.known import Known
from recorder.clock import chance
from recorder.durable import make_once
from recorder.errors import BadDocument, ConfigError, NotKnown
from recorder.model.caller import Caller, CallerKind
from recorder.model.checks import read_json
from recorder.model.timebase import MINUTE, SECOND, Instant, format_duration
from recorder.ports import Clock, Peer, Peers
from recorder.private import OTHERS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger("recorder.accounts")

SIGNED = "x-spanstore-signed"
LASTS_NS = MINUTE
SKEW_NS = 2 * MINUTE
"""So far another site's clock may be off; further, it learns by how much from our answer."""
MOST_SEEN = 200_000
"""Signatures remembered, that none is shown twice: 600 a second."""
MOST_SIGNED = 4096
CHILD, PARENT_SITE, NODE = "child", "parent", "node"
OWN_KEY = (
    "put this node's own back from its backup; or put the file aside, and a new one is made: then "
    "recorder site invite at the parent, recorder site join here"
)


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_public_key(text: object) -> str:
    """Return a public key as it is written here.

    Raises: ``BadDocument``.
    """
    try:
        raw = _decode(str(text))
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != 32 or _encode(raw) != text:
        raise BadDocument("public_key: is no Ed25519 key in base64url")
    return str(text)


class Signer:
    """The key of this node, made when first used; every request has a signature of its own.

    The file says whose it is: one that was copied from elsewhere would let that site in here.
    """

    def __init__(
        self,
        path: Path,
        peers: Peers,
        clock: Clock,
        node: str,
        chance: Callable[[int], bytes] = chance,
        site: str = "",
    ) -> None:
        self._path, self._peers, self._clock, self._node = path, peers, clock, node
        self._site = site
        self._chance = chance
        self._key: Ed25519PrivateKey | None = None
        self._public = ""

    @property
    def public_key(self) -> str:
        """The key that others know this node by.

        Raises: ``ConfigError`` when the file of the private one cannot be read, or is another's.
        """
        self._load()
        return self._public

    def sign(self, audience: str, method: str, path: str, ahead_ns: int = 0) -> str:
        """Sign a request to another; ``ahead_ns``: how far its clock is ahead of ours."""
        key = self._load()
        body = {
            "k": self._public,
            "a": audience,
            "m": method,
            "p": path,
            "t": self._clock.now() + ahead_ns,
            "n": _encode(self._chance(12)),
        }
        said = json.dumps(body, separators=(",", ":")).encode()
        return f"{_encode(said)}.{_encode(key.sign(said))}"

    def seen(self) -> str:
        """Return the key that is there, empty where there is none yet: none is made.

        Raises: ``ConfigError`` as :attr:`public_key`.
        """
        return self.public_key if self._path.exists() else ""

    def _load(self) -> Ed25519PrivateKey:
        if self._key is None:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

            made = _read_key(self._path) or _make_key(
                self._path, self._chance, f"{self._site}/{self._node}"
            )
            key = Ed25519PrivateKey.from_private_bytes(made.raw)
            public = _encode(key.public_key().public_bytes_raw())
            self._see_whose(made.whose, public)
            self._public = public
            self._peers.add(Peer(self._public, NODE, self._node, self._clock.now()))
            self._key = key
        return self._key

    def _see_whose(self, whose: str, public: str) -> None:
        """See that a key is this node's, by what its file says and what the catalog knows."""
        own, known = f"{self._site}/{self._node}", self._peers.get(public)
        other = whose if self._site and whose and whose.split("/")[0] != self._site else ""
        if known is not None and known.kind != NODE:
            other = (
                f"{'the parent' if known.kind == PARENT_SITE else 'the site below'} {known.name}"
            )
        if other:
            said = f"{self._path}: is the key of {other}, and this is {own}"
            raise ConfigError(said, hint=OWN_KEY)
        if known is not None and known.name != self._node:
            log.warning("node.key is that of another node, too", extra={"node": known.name})
        if known is None and any(
            (one.kind, one.name) == (NODE, self._node) for one in self._peers.all()
        ):
            log.warning("another node.key than before", extra={"hint": OWN_KEY})


class _Made(NamedTuple):
    """What a file of a key has; ``whose``: site and node, empty in one of before."""

    raw: bytes
    whose: str


def _read_key(path: Path) -> _Made | None:
    try:
        if path.stat().st_mode & OTHERS:
            raise ConfigError(
                f"{path}: others may read this node's key",
                hint=f"chmod 600 {path}; a file system without modes is mounted with umask=077",
            )
        text, _, whose = path.read_text().strip().partition("\n")
        raw = _decode(text.strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: this node's key cannot be read", hint=OWN_KEY) from exc
    if len(raw) != 32:
        raise ConfigError(f"{path}: is no key of a node", hint=OWN_KEY)
    return _Made(raw, whose.strip())


def _make_key(path: Path, chance: Callable[[int], bytes], whose: str) -> _Made:
    """Make a key that is there whole, or not at all; of two who do it at once one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_once(path, f"{_encode(chance(32))}\n{whose}\n".encode())
    made = _read_key(path)
    assert made is not None  # noqa: S101 - it was written a line ago
    return made


class Signatures:
    """Who has signed a request; asks the catalog, so it is called from threads."""

    def __init__(
        self,
        peers: Peers,
        clock: Clock,
        own: Collection[str],
        below: Callable[[str], Collection[str]],
    ) -> None:
        """``own``: what this site and node are called; ``below``: a child, and all below it."""
        self._peers, self._clock, self._own, self._below = peers, clock, own, below
        self._seen: OrderedDict[str, Instant] = OrderedDict()

    def check(self, signed: str, method: str, path: str) -> Known:
        """Return who signed a request, and may as much as its kind.

        Raises: ``NotKnown``, saying why.
        """
        body, public = self._read(signed)
        peer = self._peers.get(public)
        if peer is None:
            raise NotKnown(
                "signed with a key that is not known here",
                hint="let the site join: recorder site invite; if it had joined, its node.key is "
                "another now: put the old one back there",
            )
        if peer.ended is not None:
            raise NotKnown(f"{peer.kind} {peer.name} was cast out")
        if (body.get("m"), body.get("p")) != (method, path):
            raise NotKnown("signed for another request")
        if body.get("a") not in self._own:
            raise NotKnown(f"signed for {str(body.get('a'))[:64]!r}, and this is another")
        self._check_time(body, public)
        return self._known(peer)

    def _read(self, signed: str) -> tuple[dict[str, object], str]:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            if len(signed) > MOST_SIGNED:
                raise ValueError
            said, _, signature = signed.partition(".")
            raw = _decode(said)
            body = read_json(raw, "signature")
            public = check_public_key(body["k"])
            Ed25519PublicKey.from_public_bytes(_decode(public)).verify(_decode(signature), raw)
        except (ValueError, KeyError, TypeError, BadDocument, InvalidSignature) as exc:
            raise NotKnown("the signature is none, or not of what was signed") from exc
        return body, public

    def _check_time(self, body: dict[str, object], public: str) -> None:
        now, at, once = self._clock.now(), body.get("t"), body.get("n")
        if not isinstance(at, int) or not isinstance(once, str) or len(once) > 64:
            raise NotKnown("the signature does not say when")
        if not -(LASTS_NS + SKEW_NS) <= at - now <= SKEW_NS:
            off = format_duration(abs(at - now) // SECOND * SECOND)
            side = "ahead" if at > now else "old"
            raise NotKnown(f"the signature is {off} {side}", hint="one of the clocks is wrong")
        while self._seen and next(iter(self._seen.values())) < now:
            self._seen.popitem(last=False)
        name = f"{public}{once}"
        if name in self._seen or len(self._seen) >= MOST_SEEN:
            raise NotKnown("the signature was shown before")
        self._seen[name] = now + 2 * (LASTS_NS + SKEW_NS)

    def _known(self, peer: Peer) -> Known:
        until = self._clock.now() + LASTS_NS
        if peer.kind == NODE:
            caller = Caller(CallerKind.NODE, peer.name, session=peer.public_key)
            grants: tuple[Grant, ...] = (Grant("a node of this site", _READS),)
        else:
            caller = Caller(CallerKind.SITE, peer.name, session=peer.public_key)
            grants = (Grant("the parent site", _READS),)
            if peer.kind == CHILD:
                below = frozenset(self._below(peer.name))
                grants = (Grant("a site below", _SPEAKS), Grant("a site below", _READS, below))
        return Known(caller, Subject(str(caller), grants, relays=True), until)


_READS = frozenset({Permission.FOOTAGE_VIEW})
_SPEAKS = frozenset({Permission.SITE_SPEAK})
