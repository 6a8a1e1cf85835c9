"""Settings of the OpenID provider that people sign in with."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from recorder.access.grants import parse_grants
from recorder.errors import BadDocument, ConfigError
from recorder.model.secrets import mask
from recorder.model.urls import split_url

CALLBACK = "/api/v1/access/oidc/callback"
HERE = ("127.0.0.1", "::1", "localhost")


class OidcPart(BaseModel):
    """An OpenID provider that people sign in with, besides those with a password here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(
        "", description="URL of the provider, exactly as it names itself; none: nobody does."
    )
    client_id: str = Field("", description="Name of this recorder at the provider.")
    client_secret: str = Field(
        "", description="env:NAME or file:/path; none for a client without one."
    )
    scopes: tuple[str, ...] = Field(
        ("openid", "profile"),
        description="What is asked for; openid among it, and what makes it say groups.",
    )
    name: str = Field(
        "preferred_username", description="Claim that names the person; the account is oidc:NAME."
    )
    groups: str = Field(
        "groups",
        description="Claim that lists the person's groups; realm_access.roles goes inside.",
    )
    grants: dict[str, list[dict[str, object]]] = Field(
        default_factory=dict,
        description="What each group is given, as grants: {guards: [{role: viewer}]}; * is "
        "everybody whom the provider signs in. Who is of none of them is refused.",
    )
    redirect: str = Field(
        "",
        description="Address that the provider sends people back to; by default url and "
        "/api/v1/access/oidc/callback. The provider must know it.",
    )
    ca_file: str = Field("", description="CA certificates to trust, PEM.")


def check_oidc(part: OidcPart, redirect: str) -> None:
    """Look at what the settings say of a provider; nothing is asked of it.

    Raises: ``ConfigError``.
    """
    if not part.issuer:
        if part.client_id or part.grants:
            raise ConfigError("settings: api.oidc.issuer: missing")
        return
    how = "write it like https://login.example.org/realms/county"
    _check_url("issuer", part.issuer, how)
    _check_url("redirect", redirect, "say url, or where else people reach this API")
    if not part.client_id or "openid" not in part.scopes or not part.grants:
        raise ConfigError(
            "settings: api.oidc: needs client_id, openid among scopes, and grants of some group",
            hint="such as grants: {guards: [{role: viewer}]}",
        )
    for group, grants in part.grants.items():
        try:
            parse_grants(grants)
        except BadDocument as exc:
            raise ConfigError(f"settings: api.oidc.grants.{group}: {exc}", hint=exc.hint) from exc


def _check_url(what: str, url: str, hint: str) -> None:
    parts = split_url(url)
    plain = parts.scheme == "http" and parts.hostname in HERE
    if not parts.hostname or (parts.scheme != "https" and not plain) or "@" in parts.netloc:
        said = f"{mask(url)!r} is no https URL" if url else "missing"
        raise ConfigError(f"settings: api.oidc.{what}: {said}", hint=hint)
