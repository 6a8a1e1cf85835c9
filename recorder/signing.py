"""Settings of what signs bundles of evidence besides the site's own key."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from recorder.errors import ConfigError
from recorder.model.secrets import mask
from recorder.model.urls import split_url


class EvidencePart(BaseModel):
    """What signs bundles of evidence, besides the site's own key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: Path | None = Field(
        None,
        description="X.509 certificate of the organisation that hands footage over, with those of "
        "its issuers after it, PEM; its key is ECDSA P-256.",
    )
    key: str = Field("", description="Where its private key is, PEM: env:NAME or file:/path.")
    onvif_certificate: Path | None = Field(
        None,
        description="Certificate that seals clips in ONVIF Export File Format, with those of its "
        "issuers after it, PEM; its key is RSA of 2048 bits or more.",
    )
    onvif_key: str = Field("", description="Its private key, PEM: env:NAME or file:/path.")
    timestamp_url: str = Field(
        "",
        description="URL of an authority for time stamps (RFC 3161): its stamp shows when a "
        "bundle was signed. Without its answer no bundle is made, but for --no-timestamp.",
    )
    timestamp_ca: Path | None = Field(
        None, description="Certificates of the CAs that vouch for the authority, PEM."
    )


def check_evidence(part: EvidencePart) -> None:
    """Look at what the settings say of signing; no file is read.

    Raises: ``ConfigError``.
    """
    pairs = (("", part.certificate, part.key), ("onvif_", part.onvif_certificate, part.onvif_key))
    for prefix, certificate, key in pairs:
        if (certificate is None) != (not key):
            missing = "key" if certificate is not None else "certificate"
            raise ConfigError(
                f"settings: evidence.{prefix}{missing}: missing",
                hint="a certificate signs with its key: give both, or neither",
            )
    if bool(part.timestamp_url) != (part.timestamp_ca is not None):
        missing = "timestamp_ca" if part.timestamp_url else "timestamp_url"
        raise ConfigError(
            f"settings: evidence.{missing}: missing",
            hint="a stamp counts by who vouches for its authority: give both, or neither",
        )
    parts = split_url(part.timestamp_url)
    known = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if part.timestamp_url and not known:
        raise ConfigError(
            f"settings: evidence.timestamp_url: {mask(part.timestamp_url)!r} is no http URL, or "
            "holds credentials, which the bundle would tell"
        )
