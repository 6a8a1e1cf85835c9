"""What a bundle is made of: who asked for what, and who vouches for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from recorder.export.copier import Copier
from recorder.export.signing import Signing
from recorder.model.about import About
from recorder.model.keys import CameraId
from recorder.model.media import Segment
from recorder.model.timebase import TimeRange
from recorder.reading.named import Named


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be in a bundle, and why.

    ``made``: who makes it, where, for what: as the manifest has it.  ``about``: what people call
    its cameras, and where they are.  ``copier``: makes masked or marked copies, which are in it
    instead of the segments.  ``signing``: what signs it besides the site's key.  ``url``: where the
    site answers, if that is known.
    """

    id: str
    streams: Sequence[Named]
    asked: TimeRange
    made: dict[str, object]
    policy: Callable[[Named], dict[str, object]] = lambda _: {}
    about: Mapping[CameraId, About] = field(default_factory=dict)
    copier: Copier | None = None
    url: str = ""
    signing: Signing = Signing()  # noqa: RUF009 - is frozen


class Voucher(Protocol):
    """Who signs a bundle, and writes it into the log."""

    @property
    def public_pem(self) -> bytes:
        """The public key."""

    def sign(self, text: bytes) -> bytes:
        """Sign."""

    def log(self, manifest_sha256: str, streams: Sequence[Sequence[Segment]]) -> dict[str, bytes]:
        """Write into the log that a bundle was made of segments; return the files that prove it."""
