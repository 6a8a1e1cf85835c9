"""Where the API listens, and who reaches it there."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from recorder.errors import ConfigError
from recorder.evidence.certificate import lasts, read_chain
from recorder.model.timebase import Instant


def is_loopback(listen: str) -> bool:
    """Tell whether only this machine reaches an address that is listened on.

    >>> is_loopback("127.0.0.1:8600"), is_loopback("[::1]:1"), is_loopback("10.0.0.5:8600")
    (True, True, False)
    """
    return listen.rpartition(":")[0].strip("[]") in ("127.0.0.1", "::1", "localhost")


def check_door(listen: str, *, tls: bool, key: bool, proxies: Sequence[str], access: str) -> None:
    """Refuse a door that others reach and that has no lock.

    ``tls``, ``key``: whether there is a certificate, and a key; ``proxies``: who adds TLS else.
    Raises: ``ConfigError``.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise ConfigError(
            f"settings: api.listen: {listen[:64]!r} is not an address and port",
            hint="write it like 127.0.0.1:8600, or 0.0.0.0:8600 for all addresses",
        )
    if key and not tls:
        raise ConfigError("settings: api.key: goes with api.certificate")
    for one in proxies:
        try:
            ipaddress.ip_network(one)
        except ValueError as exc:
            raise ConfigError(f"settings: api.proxies: {one!r} is no IP address") from exc
    if is_loopback(listen):
        return
    if not tls and not proxies:
        raise ConfigError(
            f"settings: api.listen: {listen} is reached from elsewhere, and has no TLS",
            hint="give api.certificate and api.key; or name the proxy that adds TLS in "
            "api.proxies; or listen on 127.0.0.1",
        )
    if access == "off":
        raise ConfigError(
            f"settings: api.access: off, and {listen} is reached from elsewhere",
            hint="leave api.access out; or listen on 127.0.0.1",
        )


def certificate_ends(path: Path) -> Instant:
    """Return when the certificate of the API ends.

    Raises: ``ConfigError`` when it cannot be read.
    """
    try:
        return lasts(read_chain(path.read_bytes())[0])[1]
    except (OSError, ValueError) as exc:
        raise ConfigError(f"api.certificate: {path}: {exc}") from exc
