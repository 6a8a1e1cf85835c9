"""One sign-in at a provider, between a browser's leaving and its coming back.  Pure.

All of it follows from one secret word that the browser keeps in a cookie: what the provider is
told (``state``, ``nonce``, the PKCE challenge) are digests of it.  So whoever comes back with a
``state`` is the browser that left, nothing is kept here, and any node of the site can go on.

Source: OpenID Connect Core 1.0, 3.1.2.1; RFC 6749, 10.12; RFC 7636.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import asdict, dataclass

from recorder.errors import NotKnown, RequestError
from recorder.model.checks import read_json
from recorder.model.timebase import MINUTE, Instant

LASTS_NS = 10 * MINUTE
"""A password, a second factor, and a telephone that was left in the other room."""
MOST_COOKIE = 3000
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_PATH = re.compile(r"/(?![/\\])[!-~]{0,1023}")


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in that has begun.

    ``word``: the secret; ``begun``: when; ``next``: the path of ours that a browser goes on to;
    ``port`` and ``challenge``: of a command on the person's own machine, which waits there for a
    code and then shows what the challenge is the digest of.
    """

    word: str
    begun: Instant
    next: str = ""
    port: int = 0
    challenge: str = ""

    def _derived(self, what: str) -> str:
        return _base64(hmac.digest(self.word.encode(), what.encode(), "sha256"))

    @property
    def state(self) -> str:
        """What the provider sends back with the browser."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """What the ID token must hold."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What is shown when the code is changed for the token."""
        return self._derived("verifier")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier.  Source: RFC 7636, appendix B.

    >>> challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    return _base64(hashlib.sha256(verifier.encode()).digest())


def check_next(text: str) -> str:
    """Return a path of this very host, that a browser may be sent on to.

    Raises: ``RequestError`` for whatever may lead elsewhere.

    >>> check_next("/console/?camera=gate")
    '/console/?camera=gate'
    """
    if text and (_PATH.fullmatch(text) is None or "\\" in text):
        raise RequestError("next: must be a path here, such as /console/")
    return text


def check_command(port: int, challenge: str) -> None:
    """Look at what a command says of itself, which waits on its own machine.

    Raises: ``RequestError``.
    """
    if bool(port) != bool(challenge):
        raise RequestError("port: goes with challenge")
    if port and (not 1024 <= port <= 65535 or CHALLENGE.fullmatch(challenge) is None):
        raise RequestError("port and challenge: must be 1024 to 65535, and an S256 challenge")


def write_flow(flow: Flow) -> str:
    """Write a flow as a cookie's value."""
    return _base64(json.dumps(asdict(flow), separators=(",", ":")).encode())


def read_flow(text: str, now: Instant) -> Flow:
    """Read a cookie of a flow that still counts.

    Raises: ``NotKnown``.
    """
    try:
        if len(text) > MOST_COOKIE:
            raise ValueError
        body = read_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "cookie")
        port = body["port"]
        words = {name: str(body[name]) for name in ("word", "next", "challenge")}
        flow = Flow(begun=int(body["begun"]), port=int(port), **words)
        check_next(flow.next)
        check_command(flow.port, flow.challenge)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RequestError) as exc:
        raise NotKnown(
            "this browser did not begin to sign in here", hint="begin again: api/v1/access/oidc"
        ) from exc
    if len(flow.word) < 43 or not 0 <= now - flow.begun < LASTS_NS:
        raise NotKnown("it took too long to sign in", hint="begin again: within 10 minutes")
    return flow


def check_state(flow: Flow, state: str) -> None:
    """Refuse an answer of the provider that another browser, or another try, has asked for.

    Raises: ``NotKnown``.
    """
    if not hmac.compare_digest(flow.state.encode(), state.encode()):
        raise NotKnown(
            "this answer belongs to another sign-in than the one that this browser began",
            hint="begin again, in one window",
        )
