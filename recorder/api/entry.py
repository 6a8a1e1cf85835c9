"""Who comes in: every request's caller, and how much each may ask for.  A middleware.

What was shown (a session's cookie, a token, a site's signature) is looked up by a thread and
remembered for some seconds; what the caller may is decided at the route (:mod:`recorder.api.gate`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie

from starlette.types import ASGIApp, Receive, Scope, Send

from recorder.access.decide import NOBODY, OPEN, Subject
from recorder.accounts.known import Known
from recorder.accounts.peers import SIGNED
from recorder.api.guard import headers_of
from recorder.api.web import is_same
from recorder.app import App
from recorder.errors import CatalogUnavailable, NotKnown, TooMany
from recorder.limits import LimitsPart
from recorder.model.caller import Caller, CallerKind
from recorder.model.checks import check_text
from recorder.threads import QuickPool

LOOKS = QuickPool("access", 2)
PATIENCE_S = 2.0
"""So long the catalog may take to say who it is."""
BRIEFLY_S = 0.2
"""So long who asks how a node does waits for its disk to say whether anybody is asked."""
COOKIE, SECURE_COOKIE = "spanstore", "__Host-spanstore"
"""A name with ``__Host-`` is taken by browsers only over TLS, and for this host alone."""
PURPOSE = "x-purpose"
NEEDLESS = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
"""Where nobody is looked up who shows nothing: they answer while the catalog hangs."""

MOST_CALLERS = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """Who came in.  ``on``: whether access is; ``bad``: why what was shown does not count, and
    ``advice`` what helps, where that is known.
    """

    caller: Caller
    subject: Subject
    on: bool
    bad: str = ""
    advice: str = ""


class Access:
    """Finds out who asks: ``scope["caller"]``, and for the gate ``scope["access"]``."""

    def __init__(self, inner: ASGIApp, app: App) -> None:
        self.inner, self.app = inner, app
        self.rates = Rates(app.clock.monotonic, app.settings.api.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            entry = await self._enter(scope)
            scope["caller"], scope["access"] = entry.caller, entry
        await self.inner(scope, receive, send)

    async def _enter(self, scope: Scope) -> Entry:
        headers = headers_of(scope)
        address = scope["client"][0] if scope.get("client") else ""
        nobody = Caller(CallerKind.NOBODY, address=address)
        word, signed = word_of(headers), headers.get(SIGNED, "")
        if not word and not signed:
            needless = scope["path"] in NEEDLESS
            if needless and self.app.knower.sure:
                on = self.app.knower.on
            else:
                on = await self._is_on(BRIEFLY_S if needless else PATIENCE_S)
            if on and not needless:
                self.rates.check(address)
            if not on and PURPOSE in headers:  # nobody says who he is, and may be asked what for
                nobody = replace(nobody, purpose=_purpose(headers))
            return Entry(nobody, NOBODY if on else OPEN, on)
        on = await self._is_on(PATIENCE_S)
        bad, advice, known = "", "", None
        try:
            known = await (self._by_signature(scope, signed) if signed else self._by_word(word))
        except NotKnown as exc:
            bad, advice = str(exc), exc.hint
        if known is None:
            if on:
                self.rates.check(address)
            said = bad or "what was shown is not known, or counts no more"
            return Entry(nobody, NOBODY if on else OPEN, on, said, advice)
        caller = replace(known.caller, address=address, purpose=_purpose(headers))
        if on and caller.kind in (CallerKind.USER, CallerKind.SERVICE):
            self.rates.check(str(caller))
        return Entry(caller, known.subject if on else OPEN, on)

    async def _is_on(self, patience_s: float) -> bool:
        said = self.app.knower.said()
        if said is not None:
            return said
        try:
            async with asyncio.timeout(patience_s):
                return await LOOKS.run(self.app.knower.look_whether)
        except TimeoutError:  # as it was, for now
            self.app.knower.put_off()
            return self.app.knower.on

    async def _by_word(self, word: str) -> Known | None:
        there, known = self.app.knower.remembered(word)
        if there:
            return known
        return await self._ask(self.app.knower.look_up, word)

    async def _by_signature(self, scope: Scope, signed: str) -> Known | None:
        return await self._ask(self.app.signatures.check, signed, scope["method"], scope["path"])

    @staticmethod
    async def _ask(look: Callable[..., Known | None], *said: str) -> Known | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await LOOKS.run(look, *said)
        except TimeoutError as exc:
            raise CatalogUnavailable("the catalog does not say who asks") from exc


def _purpose(headers: Mapping[str, str]) -> str:
    return check_text(headers.get(PURPOSE, ""), "header x-purpose", 256)


def word_of(headers: Mapping[str, str]) -> str:
    """Return the token or session that a request shows.

    A cookie counts only where a browser says that a page of ours, or a person, sends it.
    """
    scheme, _, word = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return word.strip()
    origin = headers.get("origin")
    if origin is not None and not is_same(origin, headers.get("host", "")):
        return ""
    if "cookie" not in headers or headers.get("sec-fetch-site", "none") not in (
        "same-origin",
        "none",
    ):
        return ""
    try:
        cookies = SimpleCookie(headers["cookie"])
    except CookieError:
        return ""
    found = cookies.get(SECURE_COOKIE) or cookies.get(COOKIE)
    return found.value if found is not None else ""


class Rates:
    """How much each caller asks for: a bucket of requests that fills again."""

    def __init__(self, now: Callable[[], float], limits: LimitsPart) -> None:
        self._now, self._rate, self._burst = now, limits.rate, limits.burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, caller: str) -> None:
        """Count a request.

        Raises: ``TooMany``.
        """
        now = self._now()
        left, at = self._left.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate) - 1
        self._left[caller] = (max(left, -1.0), now)
        while len(self._left) > MOST_CALLERS:
            self._left.popitem(last=False)
        if left < 0:
            said = f"more than {self._rate:g} requests a second"
            raise TooMany(said, hint="ask for less at a time")
