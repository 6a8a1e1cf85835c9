"""C2PA manifests beside clips: that each is of its clip, and signed by who signs the bundle.

The package c2pa-python reads them.  What it says of the certificate alone (expired by now, not on
its lists) does not count here: that certificate signs the bundle, and is checked there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from recorder.evidence.certificate import read_chain
from recorder.evidence.manifest import CHAIN, Manifest
from recorder.evidence.opened import Bundle
from recorder.evidence.trust import Read
from recorder.evidence.verdict import Fault, Verdict
from recorder.model.counting import number_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MIME = "video/mp4"
OF_CERTIFICATE = frozenset(
    {"signingCredential.untrusted", "signingCredential.expired", "claimSignature.outsideValidity"}
)
MISSING = (
    "That the C2PA manifests are of the clips: c2pa-python, which would check it, is not installed "
    "here; any C2PA validator does."
)


def verify_provenance(
    bundle: Bundle, manifest: Manifest, verdict: Verdict, read: Read
) -> Iterator[Fault]:
    """Check the manifest beside each clip."""
    listed = [one for camera in manifest.body["cameras"] for one in camera.get("c2pa", ())]
    if not listed:
        return
    faults: list[Fault] = []
    try:
        leaf = read_chain(read(bundle, CHAIN))[0]
        for one in listed:
            faults += _one(bundle, one, leaf, read)
    except ImportError:
        verdict.unproven.append(MISSING)
        return
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as exc:
        yield Fault("c2pa", f"a C2PA manifest cannot be read: {exc}")
        return
    yield from faults
    if not faults:
        verdict.proven.append(
            f"{number_of(len(listed), 'C2PA manifest')}: of the clips, signed with the same "
            "certificate."
        )


def _one(
    bundle: Bundle, said: Mapping[str, object], leaf: Certificate, read: Read
) -> Iterator[Fault]:
    import c2pa
    from cryptography.hazmat.primitives.serialization import Encoding

    name, raw = str(said["file"]), read(bundle, str(said["file"]))
    with bundle.open(str(said["clip"])) as file:
        try:
            body = json.loads(c2pa.Reader(MIME, file, manifest_data=raw).json())
        except c2pa.C2paError as exc:
            yield Fault("c2pa", f"{name}: cannot be read: {str(exc)[:160]}")
            return
    active = body["validation_results"]["activeManifest"]
    codes = {str(one["code"]) for one in active["failure"]} - OF_CERTIFICATE
    if codes:
        yield Fault("c2pa", f"{name}: does not hold for {said['clip']}: {', '.join(sorted(codes))}")
        return
    signed = body["manifests"][body["active_manifest"]]["signature_info"]
    own = int(signed["cert_serial_number"]) == leaf.serial_number
    if not own or leaf.public_bytes(Encoding.DER) not in raw:
        yield Fault("c2pa", f"{name}: is signed with another certificate than the bundle")
