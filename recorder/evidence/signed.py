"""What signs a bundle besides the site's key: an organisation's certificate, a time stamp.

The manifest says what there is to be, so that none of it can be taken away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from recorder.evidence.certificate import (
    has_signed,
    issuer_of,
    name_of,
    out_of_time,
    read_chain,
    show,
    unfit,
    untrusted,
)
from recorder.evidence.exported import verify_exported
from recorder.evidence.manifest import CHAIN, P256_SIGNATURE, SUMS, Manifest, time
from recorder.evidence.opened import Bundle
from recorder.evidence.provenance import verify_provenance
from recorder.evidence.stamp import verify_stamp
from recorder.evidence.trust import Anchors, Read, When
from recorder.evidence.verdict import Fault, Verdict

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def verify_signed(
    bundle: Bundle, manifest: Manifest, anchors: Anchors, verdict: Verdict, read: Read
) -> Iterator[Fault]:
    """Check what signs a bundle besides the site's key, as its manifest says."""
    said = manifest.body.get("signed", {})
    named = said if isinstance(said, Mapping) else {"certificate": ""}
    certificate, stamp = named.get("certificate"), named.get("timestamp")
    if not isinstance(certificate, Mapping | None) or not isinstance(stamp, Mapping | None):
        yield Fault("manifest", "what it says of its signatures makes no sense")
        return
    when = yield from verify_stamp(bundle, manifest, stamp, anchors, verdict, read)
    yield from _organisation(bundle, certificate, anchors, when, verdict, read)
    yield from verify_exported(bundle, manifest, anchors, when, verdict, read)
    yield from verify_provenance(bundle, manifest, verdict, read)


def _organisation(
    bundle: Bundle,
    said: Mapping[str, object] | None,
    anchors: Anchors,
    when: When,
    verdict: Verdict,
    read: Read,
) -> Iterator[Fault]:
    """Check whether an organisation has signed, if one is to have."""
    if said is not None:
        try:
            yield from _certificate(bundle, said, anchors, when, verdict, read)
        except (OSError, ValueError, TypeError) as exc:
            yield Fault("certificate", f"{CHAIN} or {P256_SIGNATURE} cannot be read: {exc}")
        return
    if P256_SIGNATURE in bundle.names():
        yield Fault("extra", f"{P256_SIGNATURE}: the manifest does not say that it is to be there")
    if anchors.organisation:
        yield Fault("signer", "no certificate signs it, of the CA that you named or any other")


def _certificate(
    bundle: Bundle,
    said: Mapping[str, object],
    anchors: Anchors,
    when: When,
    verdict: Verdict,
    read: Read,
) -> Iterator[Fault]:
    """Check an organisation's signature, and its certificate."""
    chain = read_chain(read(bundle, CHAIN))
    leaf = chain[0]
    if show(leaf) != said:
        yield Fault("certificate", f"{CHAIN} is not of the certificate that the manifest names")
    if not has_signed(leaf, read(bundle, SUMS), read(bundle, P256_SIGNATURE)):
        yield Fault(
            "signature",
            f"{P256_SIGNATURE}: {SUMS} is not what the key of the certificate in {CHAIN} signed",
        )
        return
    faults = list(_faults(chain, anchors, when))
    yield from faults
    if not faults:
        _told(leaf, anchors, when, verdict)


def _faults(chain: list[Certificate], anchors: Anchors, when: When) -> Iterator[Fault]:
    leaf = chain[0]
    trusted = read_chain(anchors.organisation) if anchors.organisation else []
    why = untrusted(chain, trusted, when.at) if trusted else out_of_time(leaf, when.at)
    if why:
        said = "that was proven" if when.proven else "as the bundle itself says"
        yield Fault(
            "certificate",
            f"that of {name_of(leaf)} {why} (it was signed at {time(when.at)}, {said})",
        )
    why = unfit(leaf)
    if why:
        yield Fault("certificate", f"that of {name_of(leaf)} may not sign this: {why}")


def _told(leaf: Certificate, anchors: Anchors, when: When, verdict: Verdict) -> None:
    """Say what a certificate without fault proves, and what it does not."""
    who = name_of(leaf)
    if not anchors.organisation:
        verdict.unproven.append(
            f"Whose certificate has signed it: it says {who}, issued by {issuer_of(leaf)}. Give "
            "the certificate of a CA that you trust, had some other way than with this, with --ca."
        )
        return
    if when.proven:
        verdict.proven.append(
            f"It is signed with the certificate of {who}, which a CA that you named vouches for, "
            f"and which was valid at {time(when.at)}, when it was stamped."
        )
    else:
        verdict.proven.append(
            f"It is signed with the certificate of {who}, which a CA that you named vouches for."
        )
        verdict.unproven.append(
            f"That the certificate of {who} was valid when it signed: at {time(when.at)} it was, "
            "but that time is the word of the bundle itself."
        )
    verdict.unproven.append(f"That the certificate of {who} was not revoked: ask its issuer.")
