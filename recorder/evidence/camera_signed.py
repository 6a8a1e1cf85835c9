"""Signatures that cameras put into their streams: how many are there.

A camera signs what it sends in SEI of the kind ``user_data_unregistered``, under a UUID of the
scheme.  Nothing here says that they hold: that takes the camera maker's certificates and a
validator of the scheme.  Source: ONVIF Media Signing Spec. 26.06, 5; Axis Signed Video; ITU-T
H.264 and H.265, 7.3.2.3 (SEI), annex D (payload 5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from recorder.evidence.manifest import Manifest
from recorder.evidence.search import find
from recorder.evidence.verdict import Fault, Verdict

SCHEMES: Mapping[str, bytes] = {
    "onvif-media-signing": bytes.fromhex("005bc93f2d715e95ada4796f90877a6f"),
    "axis-signed-video": b"Signed Video...0",
}
"""UUIDs.  None has two zero bytes in a row, nor begins so that it would have with those before it:
bytes that keep start codes away are never put into them."""
NAMES: Mapping[str, str] = {
    "onvif-media-signing": "ONVIF Media Signing",
    "axis-signed-video": "Axis Signed Video",
}
LONGEST = 16
KEPT = 512
"""Bytes of the last block that are looked at again: a UUID, and how long a payload of 100 kB is."""


class Finder:
    """Counts signatures in a file as its blocks go by."""

    def __init__(self) -> None:
        self._tail = b""
        self._found: Counter[str] = Counter()

    def feed(self, block: bytes) -> None:
        """Look at the next block.  It is not copied: at the seam alone both are looked at."""
        seam, before = self._tail + block[: KEPT + LONGEST], len(self._tail)
        self._count(seam, max(0, before - LONGEST + 1), before + KEPT)
        self._count(block, KEPT, len(block))
        self._tail = (self._tail + block[-KEPT:])[-KEPT:]

    def _count(self, text: bytes, start: int, end: int) -> None:
        """Count those that begin in ``[start, end)``."""
        for scheme, uuid in SCHEMES.items():
            at = find(text, uuid, start)
            while 0 <= at < end:
                self._found[scheme] += _is_payload(text, at)
                at = find(text, uuid, at + len(uuid))

    @property
    def found(self) -> dict[str, int]:
        """How many there are of each scheme; schemes that are not there are left out."""
        return {scheme: count for scheme, count in sorted(self._found.items()) if count}


def _is_payload(text: bytes, at: int) -> bool:
    """Tell whether what begins there is a payload of kind 5: kind and length stand before it."""
    at -= 1
    if at < 1 or text[at] == 0xFF:
        return False
    while at > 0 and text[at - 1] == 0xFF:
        at -= 1
    return at > 0 and text[at - 1] == 5


def total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add counts of files."""
    found: Counter[str] = Counter()
    for one in counts:
        found.update(one)
    return dict(sorted(found.items()))


def words(counts: Mapping[str, int]) -> str:
    """Say what was found.

    >>> words({"onvif-media-signing": 9})
    '9 of ONVIF Media Signing'
    """
    said = (f"{count} of {NAMES.get(scheme, scheme)}" for scheme, count in counts.items())
    return ", ".join(said) or "none"


def verify_camera_signed(
    manifest: Manifest, found: Mapping[str, Mapping[str, int]], verdict: Verdict
) -> Iterator[Fault]:
    """Hold what a manifest says of cameras' signatures to what is in the segments."""
    for part, body in zip(manifest.parts, manifest.body["cameras"], strict=True):
        own = total(found.get(one.file.name, {}) for one in part.natives)
        faults = list(_faults(body["segments"], found))
        yield from faults
        if own and not faults:
            verdict.proven.append(
                f"{part.title}: the camera's own signatures are in the segments: {words(own)}."
            )
            verdict.unproven.append(
                f"{part.title}: that the camera's own signatures hold: a validator of their "
                "scheme says that, with the certificate of the camera's maker."
            )


def _faults(
    segments: Iterable[Mapping[str, object]], found: Mapping[str, Mapping[str, int]]
) -> Iterator[Fault]:
    for one in segments:
        name, said = str(one["file"]), one.get("media_signatures")
        its = found.get(name)
        if said is not None and its is not None and said != its:
            yield Fault(
                "segment", f"{name}: has other signatures of the camera ({words(its)}) than told"
            )
