"""A site's own Ed25519 keys, in files for their owner alone from their first byte on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.audit.note import LOG, Key
from recorder.durable import make_once
from recorder.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key."""

    private: Ed25519PrivateKey

    def key(self, name: str, kind: int = LOG) -> Key:
        """Return its public half, under a name."""
        return Key(name, self.private.public_key().public_bytes_raw(), kind)

    def sign(self, text: bytes) -> bytes:
        """Sign bytes."""
        return self.private.sign(text)


def own_signer(path: Path) -> Signer:
    """Read a key, or make it the first time.

    Raises: ``ConfigError`` when what is there is no key of ours.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return _make(path)
    except OSError as exc:
        raise ConfigError(f"audit key {path}: {exc.strerror}") from exc
    try:
        private = serialization.load_pem_private_key(raw, None)
    except (ValueError, TypeError) as exc:
        raise _no_key(path) from exc
    if not isinstance(private, Ed25519PrivateKey):
        raise _no_key(path)
    return Signer(private)


def _no_key(path: Path) -> ConfigError:
    return ConfigError(
        f"audit key {path}: is no Ed25519 key in PEM",
        hint="put it back from your backup; a new one needs: recorder audit begin",
    )


def _make(path: Path) -> Signer:
    """Make a key; whoever comes second takes the first one's."""
    private = Ed25519PrivateKey.generate()
    body = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        make_once(path, body)
    except OSError as exc:
        raise ConfigError(f"audit key {path}: {exc.strerror or exc}") from exc
    return own_signer(path)
