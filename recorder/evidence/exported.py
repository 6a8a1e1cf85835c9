"""Clips in ONVIF Export File Format: that their seals hold, and that they are the clips.

Source: ONVIF Export File Format Spec. 26.06, annex A: the digest is of all boxes, the signature's
bytes zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from recorder.bmff.oeff import Seal, read_seal
from recorder.errors import RecorderError
from recorder.evidence.certificate import name_of, out_of_time, read_chain, show, unfit, untrusted
from recorder.evidence.manifest import ONVIF_CHAIN, Manifest
from recorder.evidence.opened import Bundle
from recorder.evidence.trust import Anchors, Read, When
from recorder.evidence.verdict import Fault, Verdict
from recorder.model.counting import number_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

BLOCK = 1 << 20
SALT_BYTES = 20
LEAST_BITS = 2048


def verify_exported(
    bundle: Bundle, manifest: Manifest, anchors: Anchors, when: When, verdict: Verdict, read: Read
) -> Iterator[Fault]:
    """Check every clip in ONVIF's form, and the certificate that they are sealed with."""
    listed = [one for camera in manifest.body["cameras"] for one in camera.get("onvif", ())]
    if not listed:
        return
    digests = {one.name: one.sha256 for one in manifest.files}
    try:
        chain = read_chain(read(bundle, ONVIF_CHAIN))
        faults = list(_certificate(manifest, chain, anchors, when))
        for one in listed:
            faults += _sealed(bundle, one, chain[0], digests)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecorderError) as exc:
        yield Fault("onvif", f"what is in ONVIF's form cannot be read: {exc}")
        return
    yield from faults
    if faults:
        return
    who = name_of(chain[0])
    many = number_of(len(listed), "file") + " in ONVIF Export File Format"
    if anchors.organisation:
        verdict.proven.append(f"{many}: the clips, sealed with the certificate of {who}.")
    else:
        verdict.proven.append(f"{many}: the clips, and their seals hold.")
        verdict.unproven.append(f"Whose certificate has sealed them: it says {who}; see --ca.")


def _certificate(
    manifest: Manifest, chain: Sequence[Certificate], anchors: Anchors, when: When
) -> Iterator[Fault]:
    leaf = chain[0]
    if manifest.body["signed"].get("onvif") != show(leaf):
        yield Fault("certificate", f"{ONVIF_CHAIN} is not of the certificate the manifest names")
    trusted = read_chain(anchors.organisation) if anchors.organisation else []
    why = untrusted(chain, trusted, when.at) if trusted else out_of_time(leaf, when.at)
    why = why or unfit(leaf)
    if why:
        yield Fault("certificate", f"{ONVIF_CHAIN}: that of {name_of(leaf)} {why}")


def _sealed(
    bundle: Bundle, said: Mapping[str, object], leaf: Certificate, digests: Mapping[str, str]
) -> Iterator[Fault]:
    """Check one file."""
    from cryptography.hazmat.primitives.serialization import Encoding

    name, size = str(said["file"]), bundle.size(str(said["file"]))
    with bundle.open(name) as file:
        seal = read_seal(file, size)
        before, all_of_it = _digests(file, size, seal)
    if seal.certificate != leaf.public_bytes(Encoding.DER):
        yield Fault("onvif", f"{name}: is sealed with another certificate than {ONVIF_CHAIN} has")
    elif not _has_sealed(leaf, all_of_it, seal.signature):
        yield Fault("onvif", f"{name}: is not what was sealed")
    if before != digests.get(str(said["clip"])):
        yield Fault("onvif", f"{name}: is not the clip {said['clip']}")


def _digests(file: Any, size: int, seal: Seal) -> tuple[str, bytes]:
    """Return the digest of what is before the seal, and that of all, the signature zero."""
    file.seek(0)
    whole, before = hashlib.sha256(), ""
    for start, end in pairwise((0, seal.meta, seal.at, seal.at + len(seal.signature), size)):
        if start == seal.meta:
            before = whole.hexdigest()
        left = end - start
        while left:
            block = file.read(min(BLOCK, left))
            if not block:
                raise OSError("ends too early")
            whole.update(bytes(len(block)) if start == seal.at else block)
            left -= len(block)
    return before, whole.digest()


def _has_sealed(leaf: Certificate, digest: bytes, signature: bytes) -> bool:
    """Tell whether the key of a certificate has signed a digest: RSASSA-PSS, salt of 20 bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256

    key = leaf.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < LEAST_BITS:
        raise ValueError(f"the key of {name_of(leaf)} is no RSA key of {LEAST_BITS} bits or more")
    way = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=SALT_BYTES)
    try:
        key.verify(signature, digest, way, Prehashed(SHA256()))
    except InvalidSignature:
        return False
    return True
