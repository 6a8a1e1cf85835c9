"""Settings: how this node runs.  From a YAML file, ``RECORDER_*`` and flags; frozen at start.

Secrets are not written here but pointed to (:mod:`recorder.pointers`).
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from policies.law import Law, Limit
from recorder.door import check_door
from recorder.errors import BadDocument, ConfigError, RequestError
from recorder.limits import ExportsPart, LimitsPart, check_limits
from recorder.model.keys import check_name
from recorder.model.moments import read_zone
from recorder.model.schedule import parse_timetable
from recorder.model.secrets import mask
from recorder.model.sizes import parse_size
from recorder.model.timebase import parse_duration
from recorder.model.yaml_text import read_yaml
from recorder.oidc import CALLBACK, OidcPart, check_oidc
from recorder.pointers import filled
from recorder.signing import EvidencePart, check_evidence


def _address(listen: str, scheme: str = "http") -> str:
    """Return the URL of an address that is listened on; one that stands for all of them is none.

    >>> _address("10.1.2.3:8600"), _address("0.0.0.0:8600"), _address("[::]:8600")
    ('http://10.1.2.3:8600', '', '')
    """
    host = listen.rpartition(":")[0]
    return "" if host in ("", "0.0.0.0", "[::]", "::", "*") else f"{scheme}://{listen}"  # noqa: S104


POINTING = ("catalog", "parent")
"""Settings that are URLs and may point to secrets within them."""


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
    windows: dict[Literal["urgent", "normal", "idle"], dict[str, Any]] = Field(
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


def load_settings(path: Path | None = None, **flags: Any) -> Settings:
    """Read settings from a file, the environment and flags (flags win).

    Raises: ``ConfigError`` naming the path of every mistake.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = read_yaml(path.read_text(), f"settings {path}") or {}
        except OSError as exc:
            raise ConfigError(f"settings {path}: {exc.strerror}") from exc
        except BadDocument as exc:
            raise ConfigError(str(exc), hint=exc.hint) from exc
        if not isinstance(values, dict):
            raise ConfigError(f"settings {path}: must be a mapping")
    try:
        settings = Settings(**values)
        given = {key: value for key, value in flags.items() if value is not None}
        for name in POINTING:
            given[name] = filled(given.get(name) or getattr(settings, name), f"settings: {name}")
        settings = settings.model_copy(update=given)
        _check(settings)
    except ValidationError as exc:
        said = "; ".join(
            f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
            for error in exc.errors()
        )
        raise ConfigError(
            f"settings: {said}", hint="`recorder settings sample` shows every setting"
        ) from exc
    except RequestError as exc:
        raise ConfigError(f"settings: {exc}", hint=exc.hint) from exc
    return settings


def _check(settings: Settings) -> None:
    check_name(settings.site, "site")
    check_name(settings.node, "node")
    names = [check_name(store.name, "store") for store in settings.all_stores]
    if len(set(names)) != len(names):
        raise ConfigError("settings: stores: two have the same name")
    for store in settings.all_stores:
        if store.kind == "directory" and store.path is None:
            raise ConfigError(f"settings: stores.{store.name}.path: missing")
        if store.kind == "s3" and not (store.endpoint and store.bucket):
            raise ConfigError(f"settings: stores.{store.name}: needs endpoint and bucket")
    _check_places(settings)
    writable = {store.name for store in settings.all_stores if not store.readonly}
    if settings.ship.store and settings.ship.store not in writable:
        raise ConfigError(f"settings: ship.store: no writable store {settings.ship.store!r}")
    api = settings.api
    check_door(
        api.listen,
        tls=api.certificate is not None,
        key=api.key is not None,
        proxies=api.proxies,
        access=api.access,
    )
    check_limits(settings.api.limits)
    check_oidc(settings.api.oidc, settings.oidc_redirect)
    check_evidence(settings.evidence)
    for name, table in settings.uplink.windows.items():
        parse_timetable(table, f"uplink.windows.{name}")
    _check_urls(settings)
    for origin in settings.api.cors_origins:
        parts = urlsplit(origin)
        if origin != "*" and (parts.scheme not in ("http", "https") or parts.path.strip("/")):
            raise ConfigError(
                f"settings: api.cors_origins: {mask(origin)!r} is not an origin",
                hint="write it like https://console.example.org",
            )
    _ = (
        read_zone(settings.zone or "UTC"),
        settings.grace_ns,
        settings.event_wait_ns,
        settings.scrub_ns,
        settings.exports.keep_ns,
        settings.exports.wait_ns,
    )  # raise when they are none


def _check_places(settings: Settings) -> None:
    """Refuse one folder or bucket under two names, as far as the settings alone tell."""
    seen: dict[str, str] = {}
    for store in settings.all_stores:
        place = _place_of(store)
        if place in seen:
            raise ConfigError(
                f"settings: stores {seen[place]} and {store.name} are one and the same: {place}",
                hint="what one name lets go, the other still counts on: take one of them out",
            )
        seen[place] = store.name


def _place_of(store: StorePart) -> str:
    """Say where a store's objects lie, whatever way that is written."""
    if store.path is not None and store.kind == "directory":
        return str(store.path.resolve())
    parts = urlsplit(store.endpoint)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        raise ConfigError(f"settings: stores.{store.name}.endpoint: has no such port") from exc
    return f"{(parts.hostname or '').rstrip('.')}:{port}/{store.bucket}"


def _check_urls(settings: Settings) -> None:
    for what in ("parent", "url", "node_url"):
        text = getattr(settings, what)
        if text and urlsplit(text).scheme not in ("http", "https"):
            raise ConfigError(f"settings: {what}: {mask(text)!r} is not an http URL")
        if what != "parent" and "@" in text:
            raise ConfigError(f"settings: {what}: is told to others, and must hold no credentials")
