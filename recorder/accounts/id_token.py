"""What a provider signed about somebody: believed only when all of it holds."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recorder.errors import NotKnown, ProviderUnreachable
from recorder.model.timebase import SECOND, Instant

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Of key pairs alone: ``none`` is no signature, and one by the client's secret anybody with it
could have made."""
SKEW_S = 120
"""As far as clocks may be apart, as between sites."""
MOST_TOKEN = 64 * 1024


def read_keys(body: Mapping[str, Any]) -> Any:
    """Read a JWK set; keys of kinds that nobody here knows are left out.

    Raises: ``ProviderUnreachable``.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        known = [one for one in body["keys"] if one.get("use", "sig") == "sig"]
        return KeySet.import_key_set({"keys": known})
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ProviderUnreachable(f"the provider's keys are none: {type(exc).__name__}") from exc


def is_of_unknown_key(token: str, keys: Any) -> bool:
    """Tell whether a token names a key that is not among those that are known: one that is new."""
    head = token.partition(".")[0]
    try:
        named = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))).get("kid")
    except (ValueError, AttributeError):
        return False
    return named is not None and all(one.kid != named for one in keys)


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose word an ID token must be, and for whom: client and sign-in.

    ``nonce``: empty for a sign-in that has none (RFC 8628).
    """

    issuer: str
    client_id: str
    nonce: str


def read_token(
    token: object, keys: Any, expected: Expected, now: Instant, access_token: object = None
) -> dict[str, Any]:
    """Return the claims of an ID token that is meant for this client and this sign-in.

    Source: OpenID Connect Core 1.0, 3.1.3.7.
    Raises: ``NotKnown``, saying what does not hold.
    """
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError

    if not isinstance(token, str) or len(token) > MOST_TOKEN:
        raise NotKnown("the provider gave no ID token", hint="does api.oidc.scopes have openid?")
    wanted = {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client_id},
    }
    params = {"client_id": expected.client_id, "access_token": access_token}
    if expected.nonce:
        wanted["nonce"] = {"essential": True, "value": expected.nonce}
        params["nonce"] = expected.nonce
    try:
        found = jwt.decode(token, keys, algorithms=ALGORITHMS)
        claims = CodeIDToken(found.claims, found.header, wanted, params)
        claims.validate(now=now // SECOND, leeway=SKEW_S)
    except (JoseError, ValueError, TypeError, AttributeError, KeyError) as exc:
        raise _refused(exc) from exc
    return dict(claims)


def _refused(exc: Exception) -> NotKnown:
    kind, claim = type(exc).__name__, str(getattr(exc, "claim", "") or "")
    if kind in ("ExpiredTokenError", "InsecureClaimError") or claim in ("exp", "iat", "nbf"):
        why = "has expired, or is not valid yet"
        return NotKnown(f"the ID token {why}", hint="is one of the clocks wrong?")
    if claim:
        return NotKnown(f"the ID token is not for this sign-in here: {claim} is not as it must be")
    if kind == "InvalidKeyIdError":
        return NotKnown("the ID token is signed by a key that the provider does not have")
    return NotKnown(f"the ID token's signature does not hold: {kind}")
