"""Secrets encrypted under a key of the site, each bound to the place that it is of.  Pure.

``spanstore:1:KEY_ID:…``: AES-256-GCM (NIST SP 800-38D), a nonce of 96 bits before the ciphertext,
all in base64url.  Where it is of is authenticated with it, so it cannot be read elsewhere.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

HEAD = "spanstore:1:"
KEY_HEAD = "spanstore_k_"
"""How a key begins: whoever looks for leaked secrets can tell one."""
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
PAD = 64
"""Lengths are rounded up to it: they say little about how long a password is."""


def write_key(key: bytes) -> str:
    """Write a key as a line of a key file."""
    return KEY_HEAD + urlsafe_b64encode(key).decode().rstrip("=")


def read_key(line: str) -> bytes | None:
    """Read a line of a key file; ``None`` when it is no key.

    >>> read_key(write_key(bytes(32))) == bytes(32), read_key("spanstore_k_short")
    (True, None)
    """
    if not line.startswith(KEY_HEAD):
        return None
    raw = _decode(line.removeprefix(KEY_HEAD))
    return raw if raw is not None and len(raw) == KEY_BYTES else None


def key_id(key: bytes) -> str:
    """Name a key; its name tells nothing of it.

    >>> key_id(bytes(32))
    '7c47d3ef71bf'
    """
    return hashlib.sha256(b"spanstore secrets key\0" + key).hexdigest()[:12]


def encrypt(key: bytes, nonce: bytes, secrets: Mapping[str, str], of: str) -> str:
    """Encrypt secrets by name; ``of``: what they are of, which is needed to read them again."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    text = json.dumps(dict(secrets), sort_keys=True).encode()
    text += b" " * (-len(text) % PAD)
    body = nonce + AESGCM(key).encrypt(nonce, text, of.encode())
    return f"{HEAD}{key_id(key)}:{urlsafe_b64encode(body).decode().rstrip('=')}"


def key_id_of(cipher: str) -> str:
    """Name the key that something is encrypted under; empty when it is not of this form."""
    parts = cipher.removeprefix(HEAD).split(":") if cipher.startswith(HEAD) else []
    return parts[0] if len(parts) == 2 else ""


def decrypt(key: bytes, cipher: str, of: str) -> dict[str, str] | None:
    """Decrypt secrets; ``None`` when they are of something else, under another key, or changed.

    >>> cipher = encrypt(bytes(32), bytes(12), {"credentials": "u:p"}, "camera gate main")
    >>> decrypt(bytes(32), cipher, "camera gate main"), decrypt(bytes(32), cipher, "camera b main")
    ({'credentials': 'u:p'}, None)
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    body = _decode(cipher.rpartition(":")[2]) if key_id_of(cipher) == key_id(key) else None
    if body is None or len(body) < NONCE_BYTES + TAG_BYTES:
        return None
    try:
        text = AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], of.encode())
    except InvalidTag:
        return None
    return {str(name): str(one) for name, one in json.loads(text).items()}


def _decode(text: str) -> bytes | None:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
