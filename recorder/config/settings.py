"""All settings of a node, and what follows from them."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from policies.law import Law, Limit
from recorder.config.parts import (
    ApiPart,
    AuditPart,
    CapturePart,
    JanitorPart,
    SecretsPart,
    ShipPart,
    SpoolPart,
    StorePart,
    UplinkPart,
)
from recorder.errors import ConfigError
from recorder.limits import ExportsPart
from recorder.model.timebase import HOUR, parse_duration
from recorder.oidc import CALLBACK
from recorder.signing import EvidencePart


def _address(listen: str, scheme: str = "http") -> str:
    """Return the URL of an address that is listened on; one that stands for all of them is none.

    >>> _address("10.1.2.3:8600"), _address("0.0.0.0:8600"), _address("[::]:8600")
    ('http://10.1.2.3:8600', '', '')
    """
    host = listen.rpartition(":")[0]
    return "" if host in ("", "0.0.0.0", "[::]", "::", "*") else f"{scheme}://{listen}"  # noqa: S104


class Settings(BaseSettings):
    """All settings of a node."""

    model_config = SettingsConfigDict(
        env_prefix="RECORDER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    site: str = Field("default", description="Name of the site; first part of every key.")
    level: str = Field(
        "post", description="Level of the site in the policy's levels: post, sub-centre, centre."
    )
    zone: str = Field(
        "",
        description="Zone in which people here read the clock, such as Europe/Berlin: of times "
        "that the command line is given without one, and that it shows on a terminal.",
    )
    parent: str = Field(
        "",
        description="URL of the parent site's API; none for the top. A secret in it is pointed to: "
        "https://post1:{file:/etc/recorder/parent}@centre.example.org.",
    )
    url: str = Field(
        "",
        description="URL at which the parent reaches this site's API; by default api.listen, if "
        "that names one address.",
    )
    node_url: str = Field(
        "",
        description="URL at which other nodes of the site reach this one's API; by default "
        "api.listen, if that names one address.",
    )
    uplink: UplinkPart = UplinkPart()
    node: str = Field(
        default_factory=lambda: re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:40] or "node",
        description="Name of this node, unique in its site; stands in every key it writes. By "
        "default the host's name.",
    )
    weight: float = Field(
        1.0, gt=0, le=1000, description="Share of the site's streams, next to other nodes'."
    )
    data: Path = Field(
        Path("recorder-data"), description="Folder for what has no place of its own."
    )
    roles: tuple[Literal["capture", "ship", "api", "janitor"], ...] = Field(
        ("capture", "ship", "api", "janitor"), description="What this process does."
    )
    catalog: str = Field(
        "",
        description="Database; by default sqlite in <data>/catalog.db. A secret in it is pointed "
        "to: postgresql://recorder:{env:DB_PASSWORD}@db.example.org/recorder.",
    )
    spool: SpoolPart = SpoolPart()
    stores: tuple[StorePart, ...] = Field(
        (), description="By default one directory store, main, in <data>/store."
    )
    ship: ShipPart = ShipPart()
    capture: CapturePart = CapturePart()
    api: ApiPart = ApiPart()
    janitor: JanitorPart = JanitorPart()
    audit: AuditPart = AuditPart()
    exports: ExportsPart = ExportsPart()
    secrets: SecretsPart = SecretsPart()
    retention: tuple[Limit, ...] = Field(
        (),
        description="Limits that the law sets to keeping footage: {name, match, min, max}, the "
        "first that matches counts. A policy that passes one is refused, also from above.",
    )
    evidence: EvidencePart = EvidencePart()
    grace: str = Field("24h", description="From marking footage for deletion to deleting it.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged, on standard error."
    )
    log_format: Literal["text", "json"] = Field("text", description="For people or for machines.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment wins over the file (which comes in as init values)."""
        return env_settings, init_settings

    @property
    def spool_path(self) -> Path:
        """Where the spool is."""
        return self.spool.path or self.data / "spool"

    @property
    def catalog_url(self) -> str:
        """Which database."""
        return self.catalog or f"sqlite:///{self.data / 'catalog.db'}"

    @property
    def shared(self) -> bool:
        """Whether several nodes may share the site: they share a PostgreSQL."""
        return self.catalog.startswith("postgres")

    @property
    def law(self) -> Law:
        """What policies are held to here."""
        return Law(self.retention, self.level)

    @property
    def grace_ns(self) -> int:
        """The grace, in ns."""
        return parse_duration(self.grace, "grace")

    @property
    def scrub_ns(self) -> int:
        """Within what time every copy is read again, in ns; 0 is never."""
        return parse_duration(self.janitor.scrub, "janitor.scrub")

    @property
    def uploads_ns(self) -> int:
        """After what time an upload that broke off is ended, in ns; 0 is never.

        Raises: ``ConfigError``.
        """
        after = parse_duration(self.janitor.uploads, "janitor.uploads")
        if 0 < after < HOUR:
            raise ConfigError(
                f"settings: janitor.uploads: {self.janitor.uploads}: one may take so long",
                hint="write 1h at least; 0s is never",
            )
        return after

    @property
    def own_url(self) -> str:
        """Where this site's API answers, empty where nobody said."""
        return self.url or _address(self.api.listen, self.api.scheme)

    @property
    def own_node_url(self) -> str:
        """Where other nodes reach this node's API, empty where nobody said."""
        return self.node_url or _address(self.api.listen, self.api.scheme)

    @property
    def oidc_redirect(self) -> str:
        """Where the provider sends people back to, empty where nobody said."""
        own = self.own_url.rstrip("/")
        return self.api.oidc.redirect or (own and own + CALLBACK)

    @property
    def audit_key(self) -> Path:
        """Where the key of the audit log is."""
        return self.audit.key or self.data / "audit.key"

    @property
    def event_wait_ns(self) -> int:
        """How long untouched footage of event mode stays, in ns."""
        return parse_duration(self.ship.event_wait, "ship.event_wait")

    @property
    def all_stores(self) -> tuple[StorePart, ...]:
        """The stores, or the embedded default."""
        default = StorePart(name="main", kind="directory", path=self.data / "store")
        return self.stores or (default,)

    @property
    def ship_store(self) -> str:
        """Name of the store this node ships to."""
        return self.ship.store or next(
            (store.name for store in self.all_stores if not store.readonly), ""
        )
