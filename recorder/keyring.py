"""The keys that secrets in the catalog are encrypted under: lines of a file, or of a variable.

A file of our own is made the first time, for its owner alone; what a setting points to is made
and changed by whoever wrote the setting.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from recorder.clock import chance
from recorder.durable import make_once, write_durably
from recorder.errors import ConfigError, KeyMissing
from recorder.model.ciphers import (
    KEY_BYTES,
    NONCE_BYTES,
    decrypt,
    encrypt,
    key_id,
    key_id_of,
    read_key,
    write_key,
)
from recorder.pointers import secret
from recorder.private import make_folder

WHAT = "secrets.key"


class Keyring:
    """A :class:`recorder.ports.Keys`.

    ``pointer``: ``env:NAME`` or ``file:/path``; empty: ``path`` is ours.  A key that was read once
    stays known for as long as the process lives.
    """

    def __init__(self, pointer: str, path: Path) -> None:
        self._pointer, self._path = pointer, path
        self._known: dict[str, bytes] = {}
        self._parsed: tuple[str, dict[str, bytes]] = ("", {})
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """Say where they are, for people."""
        return self._pointer or str(self._path)

    def ids(self) -> tuple[str, ...]:
        """Name the keys that are there now, in the order of their lines."""
        keys = self._read()
        with self._lock:
            self._known |= keys
        return tuple(keys)

    def has(self, name: str) -> bool:
        """Tell whether a key is here; one that is not known is looked for."""
        return self._key(name) is not None

    def _key(self, name: str) -> bytes | None:
        if name and name not in self._known:
            with contextlib.suppress(KeyMissing):  # of what cannot be read nothing is known
                self.ids()  # somebody may have put it there
        return self._known.get(name)

    def encrypt(self, name: str, secrets: Mapping[str, str], of: str) -> str:
        """Encrypt under a key that is here."""
        key = self._key(name)
        if key is None:
            raise KeyMissing(f"secrets: key {name} is not in {self.place}")
        return encrypt(key, chance(NONCE_BYTES), secrets, of)

    def decrypt(self, cipher: str, of: str) -> dict[str, str] | None:
        """Decrypt; ``None`` when the key is not here, or they are not of that, or were changed."""
        key = self._key(key_id_of(cipher))
        return decrypt(key, cipher, of) if key is not None else None

    def add(self) -> str:
        """Make a key beside those that are there, durably; return its name."""
        if self._pointer:
            raise KeyMissing(
                f"secrets: {self.place} is not the recorder's to write, and has no other key",
                hint="add the line that `recorder secrets new` prints to it, on every node",
            )
        try:
            make_folder(self._path.parent)
            with _alone(self._path.parent):
                made, keys = chance(KEY_BYTES), self._read()
                text = "".join(f"{write_key(one)}\n" for one in (*keys.values(), made))
                if keys:
                    write_durably(self._path, text.encode(), mode=0o600)
                else:
                    make_once(self._path, text.encode())
        except OSError as exc:
            raise KeyMissing(f"secrets: {self._path}: {exc.strerror or exc}") from exc
        return self.ids()[-1]

    def _read(self) -> dict[str, bytes]:
        text = self._pointed() if self._pointer else self._own()
        if text == self._parsed[0]:  # it is looked at every two seconds
            return dict(self._parsed[1])
        lines = [line for line in map(str.strip, text.splitlines()) if line and line[0] != "#"]
        keys = [read_key(line) for line in lines]
        if None in keys:
            number = keys.index(None) + 1
            raise KeyMissing(
                f"secrets: {self.place}: line {number} is no key",
                hint="put it back from your copy; each line is one that `recorder secrets new` "
                "prints",
            )
        found = {key_id(one): one for one in keys if one is not None}
        self._parsed = (text, found)
        return dict(found)

    def _pointed(self) -> str:
        try:
            return secret(self._pointer, WHAT)
        except ConfigError as exc:
            raise KeyMissing(str(exc), hint=exc.hint) from exc

    def _own(self) -> str:
        try:
            return self._path.read_text()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is no text"
            raise KeyMissing(f"secrets: {self._path} cannot be read: {why}") from exc


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time add a key, so that none takes another's out again."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
