"""What came out of verifying a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field

from recorder.evidence.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a bundle.

    ``kind``: ``signature``, ``signer`` (another key), ``missing``, ``changed``, ``extra``,
    ``manifest``, ``segment`` (says itself something else), ``order``, ``gap`` (hidden), ``chain``
    (not what was sealed), ``log``, ``certificate`` (of an organisation: it does not count),
    ``stamp`` (does not show when it was signed),
    ``onvif`` (a clip in that form that is not sealed, or not the clip), ``c2pa``
    (a manifest beside a clip that is not of it).
    """

    kind: str
    detail: str


@dataclass(slots=True)
class Verdict:
    """What is proven, what is not, what is broken: sentences for people.

    ``signer``: fingerprint of the key in the bundle.
    """

    proven: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    signer: str = ""
    about: Manifest | None = None

    @property
    def whole(self) -> bool:
        """Tell whether nothing is broken."""
        return not self.faults
