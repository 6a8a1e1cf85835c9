"""Settings of what signs bundles of evidence besides the site's own key."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from recorder.errors import ConfigError


class EvidencePart(BaseModel):
    """What signs bundles of evidence, besides the site's own key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: Path | None = Field(
        None,
        description="X.509 certificate of the organisation that hands footage over, with those of "
        "its issuers after it, PEM; its key is ECDSA P-256.",
    )
    key: str = Field("", description="Where its private key is, PEM: env:NAME or file:/path.")


def check_evidence(part: EvidencePart) -> None:
    """Look at what the settings say of signing; no file is read.

    Raises: ``ConfigError``.
    """
    if (part.certificate is None) != (not part.key):
        missing = "key" if part.certificate is not None else "certificate"
        raise ConfigError(
            f"settings: evidence.{missing}: missing",
            hint="a certificate signs with its key: give both, or neither",
        )
