"""Settings of how long what people show counts, how much one may ask for, and of exports."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from recorder.errors import ConfigError
from recorder.model.sizes import parse_size
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, format_duration, parse_duration


class LimitsPart(BaseModel):
    """How long what people and services show counts, and how much each may ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session: str = Field("12h", description="A sign-in, of a browser or a command; 5m to 30d.")
    invitation: str = Field(
        "24h", description="The word of an invitation, of a user or a site; 5m to 30d."
    )
    token: str = Field("400d", description="The longest that a service's token may be; 1h to 400d.")
    approval: str = Field("7d", description="The longest that an approval may be; 1m to 30d.")
    mistakes: int = Field(
        4,
        ge=1,
        le=100,
        description="Wrong passwords of one name from one address that cost no time.",
    )
    longest_wait: str = Field(
        "5m", description="The longest wait after a wrong password: it doubles up to it; 1s to 24h."
    )
    rate: float = Field(50, ge=1, le=10_000, description="Requests a second of one caller.")
    burst: float = Field(
        400,
        ge=10,
        le=100_000,
        description="Requests of one caller at once: a wall of 16 players begins with 320.",
    )

    @property
    def session_ns(self) -> int:
        """How long a sign-in counts."""
        return parse_duration(self.session, "api.limits.session")

    @property
    def invitation_ns(self) -> int:
        """How long an invitation counts."""
        return parse_duration(self.invitation, "api.limits.invitation")

    @property
    def token_ns(self) -> int:
        """How long a token may count."""
        return parse_duration(self.token, "api.limits.token")

    @property
    def approval_ns(self) -> int:
        """How long an approval may count."""
        return parse_duration(self.approval, "api.limits.approval")

    @property
    def longest_wait_ns(self) -> int:
        """How long somebody waits at most, who gave wrong passwords."""
        return parse_duration(self.longest_wait, "api.limits.longest_wait")


class ExportsPart(BaseModel):
    """Bundles of evidence that are asked for, and made by a node with the role api."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(None, description="Folder; by default <data>/exports.")
    keep: str = Field(
        "30d", description="How long a bundle lies there to be fetched; 0s is until it is removed."
    )
    wait: str = Field(
        "1d",
        description="How long one goes on waiting for footage to come, or for a store or site that "
        "is away, where whoever asks says nothing else.",
    )
    max_size: int = Field(
        200_000_000_000, description="All bundles together take no more than this on a node."
    )
    floor: int = Field(2_000_000_000, description="Free space left to others on the disk.")
    at_once: int = Field(1, ge=1, le=16, description="So many are made at once on a node.")

    _sizes = field_validator("max_size", "floor", mode="before")(parse_size)

    @property
    def keep_ns(self) -> int:
        """How long a bundle lies there, in ns; 0 is until it is removed."""
        return parse_duration(self.keep, "exports.keep")

    @property
    def wait_ns(self) -> int:
        """How long one goes on waiting, in ns."""
        return parse_duration(self.wait, "exports.wait")


BOUNDS = {
    "session": (5 * MINUTE, 30 * DAY),
    "invitation": (5 * MINUTE, 30 * DAY),
    "token": (HOUR, 400 * DAY),
    "approval": (MINUTE, 30 * DAY),
    "longest_wait": (SECOND, DAY),
}


def check_limits(part: LimitsPart) -> None:
    """Refuse limits under which nobody could work, or that are none.

    Raises: ``ConfigError``; ``RequestError``.
    """
    for name, (low, high) in BOUNDS.items():
        if not low <= getattr(part, f"{name}_ns") <= high:
            raise ConfigError(
                f"settings: api.limits.{name}: must be from {format_duration(low)} to "
                f"{format_duration(high)}"
            )
