"""The OpenID provider that people sign in with, as a client: urllib3, errors translated once.

Nothing is asked of it before somebody signs in: one that is away keeps no recorder from starting.
What waits for it has threads of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import urllib3

from recorder.access.flow import Flow, challenge_of
from recorder.accounts.id_token import Expected, is_of_unknown_key, read_keys, read_token
from recorder.errors import NotFound, NotKnown, ProviderUnreachable
from recorder.model.urls import split_url
from recorder.oidc import HERE, OidcPart
from recorder.pointers import secret
from recorder.ports import Clock
from recorder.threads import Pool

POOL = Pool("oidc", 4)
MOST_WAITING = 32
TIMEOUT = urllib3.Timeout(connect=3, read=5)
PATIENCE_S = 10.0
"""For one answer, however slowly it comes."""
RESTS_S = 5.0
"""So long nobody waits again for what did not answer."""
KEPT_S = 3600.0
RENEWED_S = 2.0
"""Keys are not asked for more often, whatever key a token names."""
MOST_BYTES = 1 << 20
WELL_KNOWN = "/.well-known/openid-configuration"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def is_safe(url: object, issuer: str) -> bool:
    """Tell whether an address may be asked: by TLS; on this machine without, if the issuer is.

    >>> is_safe("https://a.example/x", "https://a.example"), is_safe("http://a.example/x", "https:")
    (True, False)
    """
    if not isinstance(url, str):
        return False
    parts = split_url(url)
    plain = split_url(issuer).scheme == "http" and parts.scheme == "http"
    return bool(parts.hostname) and (parts.scheme == "https" or (plain and parts.hostname in HERE))


class Provider:
    """One provider; every call may wait, so it is made in a thread."""

    def __init__(self, part: OidcPart, redirect: str, clock: Clock) -> None:
        """``redirect``: where it sends people back to."""
        self.part, self._redirect, self._clock = part, redirect, clock
        self._pool = urllib3.PoolManager(
            maxsize=4, retries=False, timeout=TIMEOUT, ca_certs=part.ca_file or None
        )
        self._kept: dict[str, tuple[float, object]] = {}
        self._failed: tuple[float, str] = (float("-inf"), "")

    # -- the way there and back ----------------------------------------------------------------

    def begin(self, flow: Flow) -> str:
        """Return the address at which somebody signs in.

        Raises: ``ProviderUnreachable``.
        """
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri

        own = self.part
        return str(
            prepare_grant_uri(
                self._metadata()["authorization_endpoint"],
                own.client_id,
                "code",
                redirect_uri=self._redirect,
                scope=list(own.scopes),
                state=flow.state,
                nonce=flow.nonce,
                code_challenge=challenge_of(flow.verifier),
                code_challenge_method="S256",
            )
        )

    def check_issuer(self, said: str) -> None:
        """Refuse an answer that another provider sent.  Source: RFC 9207, 2.4.

        Raises: ``NotKnown``; ``ProviderUnreachable``.
        """
        always = self._metadata().get("authorization_response_iss_parameter_supported") is True
        if (said or always) and said != self.part.issuer:
            raise NotKnown("the answer is not of the provider that was asked: iss is another's")

    def claims(self, code: str, flow: Flow, wanted: tuple[str, ...]) -> dict[str, object]:
        """Return what the provider says of who signed in; ``wanted``: claims that should be in it.

        Raises: ``ProviderUnreachable``; ``NotKnown`` when something of it does not hold.
        """
        return self.told(self._exchange(code, flow), flow.nonce, wanted)

    def told(
        self, tokens: Mapping[str, object], nonce: str, wanted: tuple[str, ...]
    ) -> dict[str, object]:
        """Return the claims that tokens hold; ``nonce``: empty where a sign-in has none.

        Raises: ``ProviderUnreachable``; ``NotKnown`` when something of it does not hold.
        """
        own = self.part
        token, access = tokens.get("id_token"), tokens.get("access_token")
        keys = self._keys(token)
        expected = Expected(own.issuer, own.client_id, nonce)
        claims = read_token(token, keys, expected, self._clock.now(), access)
        if isinstance(access, str) and any(one.partition(".")[0] not in claims for one in wanted):
            claims = {**self._user_info(access, claims), **claims}
        return claims

    # -- questions -----------------------------------------------------------------------------

    def _exchange(self, code: str, flow: Flow) -> Mapping[str, object]:
        """Change the code for tokens.  Source: RFC 6749, 4.1.3; RFC 7636, 4.5."""
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        body = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=self._redirect,
            code_verifier=flow.verifier,
        )
        status, answer = self.post("token_endpoint", body)
        if status == 400:  # of nobody's making but that of who came with the code
            raise NotKnown(
                f"the provider does not take the code: {str(answer.get('error', ''))[:64]!r}",
                hint="begin again; a code counts once, for a minute",
            )
        if status != 200:
            said = str(answer.get("error", status))[:64]
            raise ProviderUnreachable(
                f"the provider gives this client no token: {said!r}", hint=HINT
            )
        return answer

    def post(self, endpoint: str, body: str) -> tuple[int, Mapping[str, object]]:
        """Ask something as this client, of an endpoint that the provider names.

        Raises: ``ProviderUnreachable``; ``NotFound`` where it names none that may be asked.
        """
        from authlib.oauth2.auth import ClientAuth

        own, about = self.part, self._metadata()
        url = about.get(endpoint)
        if not is_safe(url, own.issuer):
            raise NotFound(
                f"the provider at {own.issuer} names no {endpoint}", hint="recorder login --oidc"
            )
        word = secret(own.client_secret, "api.oidc.client_secret")
        offered = about.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        way = "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"
        auth = ClientAuth(own.client_id, word, way if word else "none")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", *auth.prepare("POST", str(url), headers, body))

    def _keys(self, token: object) -> object:
        """Return the provider's keys: anew, if it has signed with one that is not among them."""
        keys = self._cached("keys", KEPT_S, self._fetch_keys)
        if isinstance(token, str) and is_of_unknown_key(token, keys):
            keys = self._cached("keys", RENEWED_S, self._fetch_keys)
        return keys

    def _fetch_keys(self) -> object:
        return read_keys(self._get(self._metadata()["jwks_uri"]))

    def _user_info(self, access: str, claims: Mapping[str, object]) -> Mapping[str, object]:
        """Ask for claims that do not stand in the token.  Source: OpenID Connect Core 1.0, 5.3."""
        url = self._metadata().get("userinfo_endpoint")
        if not is_safe(url, self.part.issuer):
            return {}
        found = self._get(str(url), {"Authorization": f"Bearer {access}"})
        if found.get("sub") != claims["sub"]:
            raise NotKnown("the provider tells of another than who signed in: sub is another's")
        return found

    def _metadata(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._cached("metadata", KEPT_S, self._discover)
        return found

    def _discover(self) -> Mapping[str, object]:
        """Source: OpenID Connect Discovery 1.0, 4."""
        issuer = self.part.issuer
        found = self._get(issuer.rstrip("/") + WELL_KNOWN)
        if found.get("issuer") != issuer:
            said = str(found.get("issuer", ""))[:200]
            raise ProviderUnreachable(
                f"the provider at {issuer} says that it is {said!r}", hint=HINT
            )
        for name in ENDPOINTS:
            if not is_safe(found.get(name), issuer):
                raise ProviderUnreachable(
                    f"the provider at {issuer}: {name} is no https URL", hint=HINT
                )
        return found

    def _cached(self, name: str, kept_s: float, fetch: Callable[[], object]) -> Any:
        """Return what was fetched so lately, else fetch it; old is better than none."""
        at, found = self._kept.get(name, (float("-inf"), None))
        if self._clock.monotonic() - at < kept_s:
            return found
        try:
            found = fetch()
        except ProviderUnreachable:
            if found is None:
                raise
            return found
        self._kept[name] = (self._clock.monotonic(), found)
        return found

    # -- one question --------------------------------------------------------------------------

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Mapping[str, object]:
        status, found = self._ask("GET", url, {**(headers or {})})
        if status != 200:
            raise ProviderUnreachable(f"the provider answers {status} at {_bare(url)}", hint=HINT)
        return found

    def _ask(
        self, method: str, url: str, headers: dict[str, str], body: str | None = None
    ) -> tuple[int, Mapping[str, object]]:
        """Ask once, and read a JSON object of bounded size in bounded time."""
        failed_at, why = self._failed
        if self._clock.monotonic() - failed_at < RESTS_S:
            raise ProviderUnreachable(why, hint=HINT)
        until = self._clock.monotonic() + PATIENCE_S
        headers = {"Accept": "application/json", **headers}
        try:
            answer = self._pool.request(
                method, url, body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                raw = self._read(answer, until)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self.gave_up(
                f"the provider does not answer at {_bare(url)}: {type(exc).__name__}"
            ) from exc
        try:
            found = json.loads(raw)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ProviderUnreachable(
                f"the provider's answer at {_bare(url)} ({answer.status}) is no JSON", hint=HINT
            )
        return answer.status, found

    def _read(self, answer: urllib3.BaseHTTPResponse, until: float) -> bytes:
        raw = bytearray()
        while block := answer.read1(1 << 16):
            raw += block
            if len(raw) > MOST_BYTES:
                raise OSError("too much")
            if self._clock.monotonic() > until:
                raise TimeoutError
        return bytes(raw)

    def gave_up(self, why: str) -> ProviderUnreachable:
        """Note that it does not answer: for a while nobody waits for it."""
        self._failed = (self._clock.monotonic(), why)
        return ProviderUnreachable(why, hint=HINT)


HINT = "try again in a moment; who has a password here signs in with it: recorder login"


def _bare(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = split_url(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
