"""Signed notes, and checkpoints in them: what a log says of itself, and who vouches for it.

Source: C2SP signed-note, tlog-checkpoint, tlog-cosignature.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

LOG, COSIGNATURE = 0x01, 0x04
"""What a key signs: notes as they are, or cosignature/v1 with the time."""
MOST_NOTE = 64 * 1024

Sign = Callable[[bytes], bytes]

_NAME = re.compile(r"[^\s+]{1,255}")


class BadNote(ValueError):
    """A note or key that is none; says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public Ed25519 key of somebody: ``kind`` says what it signs."""

    name: str
    public: bytes
    kind: int = LOG

    @property
    def id(self) -> bytes:
        """The four bytes that name it in a signature."""
        said = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(said).digest()[:4]

    def __str__(self) -> str:
        shown = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{shown}"

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Tell whether a signature of a note is this key's; of its name and id nothing is asked."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        said = text
        if self.kind == COSIGNATURE:
            if len(signature) != 72:
                return False
            said, signature = _cosigned(text, int.from_bytes(signature[:8], "big")), signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, said)
        except InvalidSignature:
            return False
        return True


def read_key(text: str) -> Key:
    """Read a key as ``recorder audit key`` prints it.

    Raises: ``BadNote``.
    """
    name, _, rest = text.strip().partition("+")
    said, _, shown = rest.partition("+")
    try:
        raw = base64.b64decode(shown, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadNote(f"{text[:80]!r} is no key") from exc
    if _NAME.fullmatch(name) is None or len(raw) != 33 or raw[0] not in (LOG, COSIGNATURE):
        raise BadNote(f"{text[:80]!r} is no key")
    key = Key(name, raw[1:], raw[0])
    if key.id.hex() != said.lower():
        raise BadNote(f"key {name}: its id is {key.id.hex()}, not {said[:16]}")
    return key


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below a note: who, which key, the signature."""

    name: str
    key_id: bytes
    body: bytes

    def __str__(self) -> str:
        return f"— {self.name} {base64.b64encode(self.key_id + self.body).decode()}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a tree is at a size: ``text`` is what is signed."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    signatures: tuple[Signature, ...] = ()

    @property
    def text(self) -> bytes:
        """What is signed."""
        shown = base64.b64encode(self.root).decode()
        lines = [self.origin, str(self.size), shown, *self.extensions]
        return ("\n".join(lines) + "\n").encode()

    @property
    def note(self) -> str:
        """The whole note."""
        lines = "".join(f"{one}\n" for one in self.signatures)
        return f"{self.text.decode()}\n{lines}"

    def signed(self, key: Key, sign: Sign) -> Checkpoint:
        """Return it with the log's signature."""
        line = Signature(key.name, key.id, sign(self.text))
        return replace(self, signatures=(*self.signatures, line))

    def by(self, key: Key) -> bool:
        """Tell whether it has a valid signature of a key."""
        return any(
            one.name == key.name and one.key_id == key.id and key.verifies(self.text, one.body)
            for one in self.signatures
        )

    def joined(self, line: Signature) -> Checkpoint:
        """Return it with another's signature, in place of an earlier one of the same key."""
        kept = [
            one for one in self.signatures if (one.name, one.key_id) != (line.name, line.key_id)
        ]
        return replace(self, signatures=(*kept, line))


def cosign(checkpoint: Checkpoint, key: Key, sign: Sign, seconds: int) -> Signature:
    """Vouch for a checkpoint, at a time in Unix seconds."""
    body = seconds.to_bytes(8, "big") + sign(_cosigned(checkpoint.text, seconds))
    return Signature(key.name, key.id, body)


def _cosigned(text: bytes, seconds: int) -> bytes:
    return b"cosignature/v1\ntime " + str(seconds).encode() + b"\n" + text


def read_checkpoint(note: str) -> Checkpoint:
    """Read a checkpoint with its signatures; none of them is checked.

    Raises: ``BadNote``.
    """
    if len(note) > MOST_NOTE:
        raise BadNote("checkpoint: too long")
    text, blank, below = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3:
        raise BadNote("checkpoint: is not a signed note")
    if re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]) is None:
        raise BadNote("checkpoint: its second line is no size")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadNote("checkpoint: its third line is no hash") from exc
    if len(root) != 32 or not lines[0]:
        raise BadNote("checkpoint: its third line is no hash")
    signatures = tuple(read_signature(line) for line in below.rstrip("\n").split("\n"))
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]), signatures)


def read_signature(line: str) -> Signature:
    """Read a line of a signature.

    Raises: ``BadNote``.
    """
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or _NAME.fullmatch(parts[1]) is None:
        raise BadNote(f"checkpoint: {line[:80]!r} is no signature")
    try:
        raw = base64.b64decode(parts[2], validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadNote(f"checkpoint: {line[:80]!r} is no signature") from exc
    if len(raw) <= 4:
        raise BadNote(f"checkpoint: {line[:80]!r} is no signature")
    return Signature(parts[1], raw[:4], raw[4:])
