"""Settings by what they are about: a class each, and a line for each setting."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from recorder.errors import ConfigError
from recorder.limits import LimitsPart
from recorder.model.sizes import parse_size
from recorder.model.timebase import DAY, parse_duration
from recorder.oidc import OidcPart


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpoolPart(_Part):
    """The node's local disk of segments."""

    path: Path | None = Field(None, description="Folder; by default <data>/spool.")
    max_size: int = Field(
        200_000_000_000,
        description="The spool never grows beyond this; what it holds is how long a store may "
        "be away: 200 GB is 11 h of ten 4 Mbit/s streams.",
    )
    floor: int = Field(
        2_000_000_000, description="Free space left to others on the disk; room is made below it."
    )
    shed: Literal["oldest-least-important", "never"] = Field(
        "oldest-least-important",
        description="What goes when the spool is full of footage no store has yet: the oldest of "
        "the least important streams, or nothing (then new footage is lost).",
    )

    _sizes = field_validator("max_size", "floor", mode="before")(parse_size)


class StorePart(_Part):
    """One store."""

    name: str = Field(description="A name of your choice; it stands in the catalog.")
    kind: Literal["directory", "s3"] = Field("directory", description="What it is.")
    path: Path | None = Field(None, description="Folder of a directory store.")
    endpoint: str = Field("", description="URL of an S3 service, http:// or https://.")
    bucket: str = Field("", description="Bucket of the S3 service; it must be there.")
    region: str = Field("", description="Region of the bucket, where the service has any.")
    access_key: str = Field("", description="env:NAME or file:/path")
    secret_key: str = Field("", description="env:NAME or file:/path")
    ca_file: str = Field("", description="CA certificates to trust, PEM.")
    readonly: bool = Field(False, description="Read from it, never write or delete.")


class ShipPart(_Part):
    """From spool to store."""

    store: str = Field("", description="Name of the store; by default the first writable one.")
    order: Literal["oldest-first", "newest-first"] = Field(
        "oldest-first", description="What goes first when much waits."
    )
    workers: int = Field(4, ge=1, le=64, description="Uploads at once.")
    budget: int = Field(0, description="Bytes per second to upload at most; 0 is no limit.")
    event_wait: str = Field(
        "5m", description="How long footage of event mode waits for a late event, then it goes."
    )
    verify: Literal["head", "read-back"] = Field(
        "head", description="Check size and stored digest, or read every object again."
    )

    _sizes = field_validator("budget", mode="before")(parse_size)


class CapturePart(_Part):
    """Recording."""

    ffmpeg: str = Field("", description="Program; by default the one in imageio-ffmpeg.")
    segment: int = Field(
        60, ge=1, le=3600, description="Seconds per segment; cut at the next clean point."
    )
    connect_timeout: float = Field(10, ge=1, le=120, description="Seconds to reach a camera.")
    synthetic: bool = Field(
        False, description="Allow lavfi: sources, pictures that are made: for tests and demos."
    )
    files: Path | None = Field(
        None, description="Folder below which file sources may lie; by default none are allowed."
    )


class UplinkPart(_Part):
    """Footage on its way to the parent site."""

    budget: int = Field(0, description="Bytes per second at most; 0 is no limit.")
    windows: dict[Literal["urgent", "normal", "idle"], dict[str, object]] = Field(
        default_factory=dict,
        description="When a class may travel, as a timetable; always, where none is given.",
    )

    _sizes = field_validator("budget", mode="before")(parse_size)


class JanitorPart(_Part):
    """Keeping what policy says, and proving that it is kept."""

    deletes: int = Field(500, ge=1, le=100_000, description="Objects deleted per second at most.")
    rate: int = Field(
        20_000_000,
        description="Bytes per second read to check copies, to repair and to thin; 0 is no limit. "
        "20 MB/s reads 51 TB in 30 days.",
    )
    scrub: str = Field(
        "30d", description="Every stored copy is read and digested again within it; 0s is never."
    )
    uploads: str = Field(
        "1d",
        description="Uploads that broke off so long ago are ended where they are ours: to a "
        "bucket in parts, to a directory files without their name yet; 0s is never.",
    )

    _sizes = field_validator("rate", mode="before")(parse_size)


class AuditPart(_Part):
    """The log of who looked at what and changed what."""

    required: bool = Field(
        True,
        description="Nothing is shown or changed without an entry: while none can be written the "
        "answer is 503. With false it goes on, and what is not written is counted and logged.",
    )
    key: Path | None = Field(
        None,
        description="File of the key that signs the log, the same on all nodes of a site; by "
        "default <data>/audit.key, made the first time.",
    )
    store: str = Field(
        "",
        description="A second store for the log, beside the one that footage goes to. What both "
        "have, old and proven, leaves the catalog, and is read there; without it nothing does.",
    )
    keep_rows: str = Field(
        "90d",
        description="How long entries stay in the catalog at least, once audit.store is named; 7d "
        "or more; 0s is for ever.",
    )

    @property
    def keep_rows_ns(self) -> int:
        """How long entries stay in the catalog, in ns; 0 is for ever.

        Raises: ``ConfigError``.
        """
        keep = parse_duration(self.keep_rows, "audit.keep_rows")
        if 0 < keep < 7 * DAY:
            raise ConfigError(
                f"settings: audit.keep_rows: {self.keep_rows}: the janitor looks back so far",
                hint="write 7d at least; 0s is for ever",
            )
        return keep


class SecretsPart(_Part):
    """What secrets of cameras in the catalog are encrypted under."""

    key: str = Field(
        "",
        description="Where the keys are, a line each, the same on all nodes of a site: env:NAME or "
        "file:/path; by default <data>/secrets.key, made the first time.",
    )


class ApiPart(_Part):
    """The HTTP door."""

    listen: str = Field(
        "127.0.0.1:8600",
        description="Address and port. Beyond loopback it takes api.certificate, or api.proxies.",
    )
    access: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether callers are asked who they are: auto: as soon as there is a user, or "
        "others than this machine reach api.listen; off: never, on loopback alone.",
    )
    certificate: Path | None = Field(
        None, description="TLS certificate with its chain, PEM; read anew when it changes."
    )
    key: Path | None = Field(
        None, description="Its private key, PEM; by default in the same file as the certificate."
    )
    proxies: tuple[str, ...] = Field(
        (),
        description="Addresses of proxies in front that add TLS; nobody else is answered beyond "
        "loopback, and they alone may say whom they ask for (X-Forwarded-For, -Proto).",
    )
    hosts: tuple[str, ...] = Field(
        (),
        description="Names this node is asked under, besides localhost, addresses, and those in "
        "url and node_url: what a proxy in front sends as Host.",
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Pages that may ask, and change, what the token they show may: "
        "https://console.example.org; * is all pages, and reading alone.",
    )
    oidc: OidcPart = OidcPart()
    limits: LimitsPart = LimitsPart()
    wait: float = Field(
        50,
        ge=0,
        le=600,
        description="Seconds that a request may wait for footage at most; with 0 none waits. "
        "Proxies in front give up after a minute, if they are not told otherwise.",
    )

    @property
    def scheme(self) -> str:
        """How it is spoken to."""
        return "https" if self.certificate is not None else "http"
