"""Verifying a bundle: what is proven, what is not, what is broken.

Nothing that a bundle says of itself is believed: sums are worked out anew, the signature is
checked, and each segment's own words are held to what the manifest says of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from recorder.errors import RecorderError
from recorder.evidence.camera_signed import Finder, verify_camera_signed
from recorder.evidence.chained import verify_chains
from recorder.evidence.included import verify_log
from recorder.evidence.manifest import (
    C2PA,
    CLIPS,
    NAME,
    NATIVE,
    ONVIF,
    ONVIF_CHAIN,
    PICTURES,
    SEAM_NS,
    SIGNATURE,
    SIGNER,
    SUMS,
    UNSUMMED,
    BadManifest,
    Manifest,
    Native,
    Part,
    read,
    time,
)
from recorder.evidence.opened import Bundle
from recorder.evidence.referenced import verify_copies
from recorder.evidence.signed import verify_signed
from recorder.evidence.sums import fingerprint, is_signed, read_sums
from recorder.evidence.trust import Anchors
from recorder.evidence.verdict import Fault, Verdict
from recorder.evidence.words import gaps_words
from recorder.model.counting import number_of
from recorder.model.timebase import SECOND, TimeRange, subtract
from recorder.segment.meta import segment_from_footer
from recorder.segment.tail import of_file, own_footer

BLOCK = 1 << 20
MOST_SMALL = 64 << 20
"""Bytes of a manifest or of sums; a year of one camera has 50 MB of them."""


@dataclass(slots=True)
class Looked:
    """What was read of a bundle so far."""

    sums: dict[str, str] = field(default_factory=dict)
    manifest: Manifest | None = None
    manifest_sha256: str = ""
    signer: bytes = b""
    bytes: int = 0
    signatures: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of cameras, in each segment."""


def verify(
    bundle: Bundle,
    trusted: str = "",
    step: Callable[[int], object] = lambda _: None,
    anchors: Anchors = Anchors(),  # noqa: B008 - is frozen
) -> Verdict:
    """Verify a bundle.

    ``trusted``: fingerprint of the key that is to have signed it; empty where nobody told.
    ``step`` is called with how many more bytes were read.  ``anchors``: whom else to trust.
    """
    verdict, looked = Verdict(), Looked()
    verdict.faults += _signature(bundle, trusted, looked, verdict)
    verdict.faults += _files(bundle, looked, verdict, step)
    verdict.faults += _manifest(bundle, looked)
    if looked.manifest is not None:
        verdict.about = looked.manifest
        verdict.faults += verify_signed(bundle, looked.manifest, anchors, verdict, _small)
        verdict.faults += _parts(bundle, looked.manifest, verdict)
        if looked.manifest.copies:
            verdict.faults += verify_copies(looked.manifest, verdict)
        else:
            verdict.faults += verify_camera_signed(looked.manifest, looked.signatures, verdict)
        verdict.faults += verify_chains(bundle, looked.manifest, verdict, _small)
        verdict.faults += verify_log(bundle, looked.manifest_sha256, looked.signer, verdict, _small)
    verdict.unproven += (
        "That the camera filmed what was before it, and that the recorder's clock was right: the "
        "manifest says what was measured of both clocks.",
    )
    return verdict


def _small(bundle: Bundle, name: str) -> bytes:
    """Read a small file.  Raises: ``OSError``."""
    if bundle.size(name) > MOST_SMALL:
        raise OSError(f"{name}: has {bundle.size(name)} bytes, which is no size for it")
    with bundle.open(name) as file:
        return file.read()


def _signature(bundle: Bundle, trusted: str, looked: Looked, verdict: Verdict) -> Iterator[Fault]:
    """Check who signed the sums."""
    try:
        raw, signature = _small(bundle, SUMS), _small(bundle, SIGNATURE)
        looked.signer = _small(bundle, SIGNER)
        verdict.signer = fingerprint(looked.signer)
        signed = is_signed(looked.signer, raw, signature)
        looked.sums = read_sums(raw)
    except (OSError, ValueError) as exc:
        yield Fault("signature", f"nothing in it is signed: {exc}")
        return
    if not signed:
        yield Fault("signature", f"{SUMS} is not what the key in {SIGNER} signed")
    elif trusted and trusted != verdict.signer:
        yield Fault("signer", f"it is signed by key {verdict.signer}, not by {trusted}")
    elif trusted:
        verdict.proven.append(f"It is signed by the key that you named, {trusted}.")
    else:
        verdict.unproven.append(
            f"Who signed it: the key's fingerprint is {verdict.signer}. Compare it with the one "
            "that the site has told you some other way, or give it with --key."
        )


def _files(
    bundle: Bundle, looked: Looked, verdict: Verdict, step: Callable[[int], object]
) -> Iterator[Fault]:
    """Work out every sum anew; name what is missing, changed, or nobody's."""
    there = set(bundle.names())
    broken = 0
    for name, expected in sorted(looked.sums.items()):
        if name not in there:
            yield Fault("missing", f"{name}: is not there")
        elif _digest(bundle, name, looked, step) != expected:
            yield Fault("changed", f"{name}: is not, byte for byte, what was signed")
        else:
            continue
        broken += 1
    for name in sorted(there - set(looked.sums) - UNSUMMED):
        broken += 1
        yield Fault("extra", f"{name}: is not part of what was signed")
    if looked.sums and not broken:
        many = f"All {number_of(len(looked.sums), 'file')} ({looked.bytes} bytes)"
        verdict.proven.append(f"{many} are, byte for byte, those that were signed.")


def _digest(bundle: Bundle, name: str, looked: Looked, step: Callable[[int], object]) -> str:
    digest, finder, is_native = hashlib.sha256(), Finder(), name.startswith(NATIVE)
    try:
        with bundle.open(name) as file:
            while block := file.read(BLOCK):
                digest.update(block)
                if is_native:
                    finder.feed(block)
                looked.bytes += len(block)
                step(len(block))
    except OSError:
        return "unreadable"
    looked.signatures[name] = finder.found
    return digest.hexdigest()


def _manifest(bundle: Bundle, looked: Looked) -> Iterator[Fault]:
    """Read the manifest, and hold it to the sums."""
    try:
        raw = _small(bundle, NAME)
        manifest = read(raw)
    except (OSError, BadManifest) as exc:
        yield Fault("manifest", str(exc))
        return
    looked.manifest, looked.manifest_sha256 = manifest, hashlib.sha256(raw).hexdigest()
    named = {one.name: one for one in manifest.files}
    if len(named) != len(manifest.files):
        yield Fault("manifest", "a file stands in it twice")
    for one in manifest.files:
        if looked.sums.get(one.name) != one.sha256:
            yield Fault(
                "manifest", f"{one.name}: the manifest has another digest of it than {SUMS}"
            )
    for name in sorted(set(looked.sums) - set(named)):
        if name.startswith((NATIVE, CLIPS, PICTURES, ONVIF, C2PA)) and name != ONVIF_CHAIN:
            yield Fault("manifest", f"{name}: the manifest does not say what it is")


def _parts(bundle: Bundle, manifest: Manifest, verdict: Verdict) -> Iterator[Fault]:
    found = [fault for part in manifest.parts for fault in _part(bundle, manifest, part)]
    yield from found
    if found:
        return
    for part in manifest.parts if not manifest.copies else ():
        many, gaps = number_of(len(part.natives), "segment"), gaps_words(len(part.gaps))
        verdict.proven.append(
            f"{part.title}: {many}, each of which says itself that it is "
            f"of this camera and of this time; {gaps}, between {time(manifest.asked.start)} and "
            f"{time(manifest.asked.end)}."
        )


def _part(bundle: Bundle, manifest: Manifest, part: Part) -> Iterator[Fault]:
    for native in part.natives:
        if not manifest.copies:
            yield from _native(bundle, part, native)
        if not native.range.overlaps(manifest.asked):
            yield Fault("segment", f"{native.file.name}: is not of the time that was asked for")
    for one, two in pairwise(part.natives):
        if (two.range.start, two.writer) <= (one.range.start, one.writer):
            yield Fault("order", f"{two.file.name}: stands in the wrong place, or twice")
    for hidden in _hidden(manifest.asked, part):
        yield Fault(
            "gap",
            f"{part.title}: no footage from {time(hidden.start)} to {time(hidden.end)} "
            f"({hidden.duration_ns / SECOND:.3f} s), and the manifest names no gap there",
        )


def _native(bundle: Bundle, part: Part, native: Native) -> Iterator[Fault]:
    """Hold what a segment's own footer says to what the manifest says of it."""
    name = native.file.name
    try:
        with bundle.open(name) as file:
            footer = own_footer(of_file(file), bundle.size(name), name)
        frames = footer.frames()
        own = segment_from_footer(footer.meta, frames, native.key, native.file.size, "")
    except OSError:
        return  # said already
    except (RecorderError, ArithmeticError, LookupError, TypeError, ValueError) as exc:
        yield Fault("segment", f"{name}: cannot be read: {exc}")
        return
    said = {
        "camera": (str(own.stream), str(part.stream)),
        "time": (_shown(own.range), _shown(native.range)),
        "writer": (own.writer, native.writer),
        "frames": (str(own.frames), str(native.frames)),
        "codecs": (own.codecs, native.codecs),
        "holes": (_shown(*own.holes), _shown(*native.holes)),
        "size": (str(bundle.size(name)), str(native.file.size)),
    }
    for what, (its, told) in said.items():
        if its != told:
            yield Fault("segment", f"{name}: its own {what} is {its}; the manifest says {told}")


def _shown(*ranges: TimeRange) -> str:
    return ", ".join(f"{time(one.start)} to {time(one.end)}" for one in ranges) or "none"


def _hidden(asked: TimeRange, part: Part) -> Sequence[TimeRange]:
    """Return stretches that are neither footage nor a gap that is named."""
    covered = [piece for native in part.natives for piece in subtract(native.range, native.holes)]
    left = subtract(asked, [*covered, *(gap.range for gap in part.gaps)])
    return [one for one in left if one.duration_ns > SEAM_NS]
