"""Signing in on a machine without a browser: a code that a person types in on another.

Source: RFC 8628.  Nothing is kept here: whoever began holds the code that it is asked for by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recorder.accounts.provider import HINT, Provider, is_safe
from recorder.errors import NotKnown, ProviderUnreachable

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
STEP_S = 5
"""Between two questions where the provider says nothing, and by so much more if it is too often.
Source: RFC 8628, 3.2 and 3.5."""
LONGEST_S = 3600
MOST_TEXT = 1024


@dataclass(frozen=True, slots=True)
class Begun:
    """What a person is shown, and what whoever waits for the person asks by.

    Units: ``lasts_s`` and ``step_s`` are seconds: how long it counts, between two questions.
    """

    device: str
    code: str
    address: str
    whole_address: str
    lasts_s: int
    step_s: int


def begin(provider: Provider) -> Begun:
    """Ask the provider for a code that somebody may type in there.  Source: RFC 8628, 3.1, 3.2.

    Raises: ``ProviderUnreachable``; ``NotFound`` where it knows no such way.
    """
    from authlib.common.urls import url_encode

    own = provider.part
    asked = {"client_id": own.client_id, "scope": " ".join(own.scopes)}
    status, said = provider.post("device_authorization_endpoint", url_encode(asked.items()))
    if status != 200:
        why = str(said.get("error", status))[:64]
        raise ProviderUnreachable(
            f"the provider gives this client no code for a device: {why!r}",
            hint="the client needs the device code grant there; or: recorder login --oidc",
        )
    texts = [said.get(one) for one in ("device_code", "user_code", "verification_uri")]
    if not all(isinstance(one, str) and 0 < len(one) <= MOST_TEXT for one in texts):
        raise ProviderUnreachable("the provider's answer is no code for a device", hint=HINT)
    device, code, address = map(str, texts)
    whole = said.get("verification_uri_complete", "")
    if not is_safe(address, own.issuer):
        raise ProviderUnreachable("the provider: verification_uri is no https URL", hint=HINT)
    return Begun(
        device,
        code,
        address,
        str(whole) if is_safe(whole, own.issuer) else "",
        _seconds(said, "expires_in", LONGEST_S),
        _seconds(said, "interval", STEP_S),
    )


def _seconds(said: Mapping[str, object], name: str, least: int) -> int:
    found = said.get(name)
    return found if isinstance(found, int) and 0 < found <= LONGEST_S else least


def claims(provider: Provider, device: str, wanted: tuple[str, ...]) -> dict[str, object] | int:
    """Return what the provider says of who typed the code in; or how long to wait more, in seconds.

    Source: RFC 8628, 3.4, 3.5.
    Raises: ``ProviderUnreachable``; ``NotKnown`` when nobody did, or something does not hold.
    """
    from authlib.oauth2.rfc6749.parameters import prepare_token_request

    status, said = provider.post("token_endpoint", prepare_token_request(GRANT, device_code=device))
    why = str(said.get("error", status))[:64]
    if status == 200:
        return provider.told(said, "", wanted)
    if why == "authorization_pending":
        return 0
    if why == "slow_down":
        return STEP_S
    if status != 400 or why in ("unauthorized_client", "unsupported_grant_type"):
        raise ProviderUnreachable(f"the provider gives this client no token: {why!r}", hint=HINT)
    raise NotKnown(
        f"the provider signed nobody in: {why!r}", hint="begin again: recorder login --device"
    )
