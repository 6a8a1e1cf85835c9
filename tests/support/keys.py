"""Keys for secrets that live as long as a test."""

from __future__ import annotations

from pathlib import Path

from recorder.clock import chance
from recorder.keyring import Keyring
from recorder.model.ciphers import KEY_BYTES, key_id


class PassingKeys(Keyring):
    """A keyring in memory."""

    def __init__(self) -> None:
        super().__init__("", Path("memory"))
        self.there: dict[str, bytes] = {}

    def add(self) -> str:
        """Make a key."""
        key = chance(KEY_BYTES)
        self.there[key_id(key)] = key
        return key_id(key)

    def lose(self) -> None:
        """Forget all."""
        self.there, self._known = {}, {}

    def _read(self) -> dict[str, bytes]:
        return dict(self.there)
