"""TLS of our own: the certificate, read anew when its files change, without a connection lost."""

from __future__ import annotations

import logging
import ssl
import stat
from pathlib import Path

from recorder import telemetry
from recorder.door import certificate_ends
from recorder.errors import ConfigError
from recorder.model.timebase import SECOND

log = logging.getLogger("recorder.api")

Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A server's certificate and key; new connections get the one that is there."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """Raises ``ConfigError`` when they cannot be read, or are not of one another."""
        self._files = (certificate, key or certificate)
        self._stamp = self._look()
        if self._files[1].stat().st_mode & stat.S_IROTH:
            raise ConfigError(
                f"api.key: everybody may read {self._files[1]}",
                hint=f"chmod o-rwx {self._files[1]}",
            )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        _load(self.context, *self._files)
        self._tell()

    def refresh(self) -> bool:
        """Take the files if they have changed; what cannot be read leaves what there was."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return False
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), *self._files)  # else half of it is new
            _load(self.context, *self._files)
        except ConfigError as exc:  # the other file may come in a moment
            log.warning("the certificate stays as it was", extra={"reason": str(exc)})
            return False
        self._stamp = stamp
        self._tell()
        log.warning("the certificate is read anew", extra={"file": str(self._files[0])})
        return True

    def _tell(self) -> None:
        try:
            telemetry.CERTIFICATE_ENDS.set(certificate_ends(self._files[0]) / SECOND)
        except ConfigError as exc:  # OpenSSL has taken it: it serves, and its end is not known
            log.warning("nobody knows when the certificate ends", extra={"reason": str(exc)})

    def _look(self) -> Stamp:
        try:
            facts = [one.stat() for one in self._files]
        except OSError as exc:
            raise ConfigError(
                f"api.certificate: {exc.filename}: {exc.strerror}", hint="give certificate and key"
            ) from exc
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in facts)


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, OSError) as exc:
        raise ConfigError(
            f"api.certificate: {certificate} and {key}: {exc.strerror or exc}",
            hint="both in PEM, of one another, the key without a password",
        ) from exc


def _no_password() -> str:
    """Answer what OpenSSL would ask the terminal."""
    return ""
