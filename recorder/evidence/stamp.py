"""Time stamps of RFC 3161: that a bundle's signatures were there at a time, says an authority.

What is stamped is the file ``SIGNATURES``: the digests of the sums, of each signature of them, and
of the site's key.  So the stamp shows when each signature was there at the latest, not just one.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from recorder.evidence.certificate import EPOCH, name_of, read_chain
from recorder.evidence.manifest import (
    P256_SIGNATURE,
    SIGNATURE,
    SIGNER,
    STAMP,
    STAMP_CA,
    STAMPED,
    SUMS,
    File,
    Manifest,
    time,
)
from recorder.evidence.opened import Bundle
from recorder.evidence.ordered import ordered
from recorder.evidence.sums import write_sums
from recorder.evidence.trust import Anchors, Read, When
from recorder.evidence.verdict import Fault, Verdict
from recorder.model.timebase import SECOND, Instant

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

COVERED = (SUMS, SIGNATURE, P256_SIGNATURE, SIGNER)
CLOSE_NS = 2 * SECOND
"""A stamp has whole seconds, as a rule; so far a right clock may be ahead of it."""
MISSING = (
    "When it was signed: it has a time stamp; rfc3161-client, which would check it, is not "
    "installed here; `openssl ts -verify` does, as VERIFY.txt says."
)


class BadStamp(ValueError):
    """A time stamp that does not show what it should; says why."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When an authority saw something."""

    at: Instant
    authority: str


def stamped_text(files: Mapping[str, bytes]) -> bytes:
    """Write what is stamped of a bundle's signatures: their digests, as ``sha256sum`` does."""
    return write_sums(
        File(name, len(raw), sha256(raw).hexdigest())
        for name, raw in files.items()
        if name in COVERED
    )


def read_stamp(
    raw: bytes, text: bytes, anchors: Sequence[Certificate], nonce: int | None = None
) -> Stamp:
    """Read an authority's answer, which is to be a stamp of a text.

    Chains are held to the time of the stamp: it stays good after certificates have expired.
    Raises: ``BadStamp``; ``ImportError`` where the package that checks it is missing.
    """
    import rfc3161_client
    from cryptography import x509

    try:
        answer = rfc3161_client.decode_timestamp_response(ordered(raw))
        if answer.status != rfc3161_client.PKIStatus.GRANTED:
            said = "; ".join(answer.status_string)
            raise BadStamp(f"the authority refuses: {said or f'status {answer.status}'}")
        verifier = rfc3161_client.VerifierBuilder(roots=list(anchors), nonce=nonce).build()
        verifier.verify_message(answer, text)
        signed = answer.signed_data
        (signer,) = signed.signer_infos
        there = [x509.load_der_x509_certificate(one) for one in signed.certificates]
        named = signer.issuer, signer.serial_number
        who = next(one for one in there if (one.issuer, one.serial_number) == named)
        at = answer.tst_info.gen_time - EPOCH
    except BadStamp:
        raise
    except (rfc3161_client.VerificationError, ValueError, StopIteration) as exc:
        raise BadStamp(_plain(str(exc))) from exc
    micros = (at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds
    return Stamp(micros * (SECOND // 1_000_000), name_of(who))


def _plain(said: str) -> str:
    """Say in a few words what the package says in many."""
    if "Mismatch between messages" in said:
        return "it is of something else"
    if "Nonce mismatch" in said:
        return "it answers another question"
    if "local issuer" in said or "self-signed" in said or "self signed" in said:
        return "its authority is not one that a CA named here vouches for"
    found = re.search(r"certificate (has expired|is not yet valid)", said)
    if found:
        return f"the certificate of its authority {found[1]} at its time"
    if "signature failure" in said or "digest failure" in said:
        return "it was changed, or its authority has not signed it"
    return f"it cannot be read, or does not hold: {said[:160]}"


def verify_stamp(
    bundle: Bundle,
    manifest: Manifest,
    said: Mapping[str, object] | None,
    anchors: Anchors,
    verdict: Verdict,
    read: Read,
) -> Generator[Fault, None, When]:
    """Check the time stamp that a manifest says there is; return when the bundle was signed."""
    own = When(manifest.at)
    if said is None:
        for name in sorted({STAMPED, STAMP} & set(bundle.names())):
            yield Fault("extra", f"{name}: the manifest does not say that it is to be there")
        if anchors.timestamp:
            yield Fault("stamp", "no time stamp is in it, of the authority named or any other")
        else:
            verdict.unproven.append("That it was signed when it says: no time stamp is in it.")
        return own
    try:
        text = read(bundle, STAMPED)
        names = [one for one in COVERED if one in bundle.names()]
        if text != stamped_text({name: read(bundle, name) for name in names}):
            yield Fault("stamp", f"{STAMPED} is not of the signatures that are here")
            return own
        trusted = read_chain(anchors.timestamp or read(bundle, STAMP_CA))
        stamp = read_stamp(read(bundle, STAMP), text, trusted)
    except ImportError:
        verdict.unproven.append(MISSING)
        return own
    except (OSError, ValueError) as exc:
        yield Fault("stamp", f"{STAMP}: {exc}")
        return own
    return _told(stamp, manifest, anchors, verdict)


def _told(stamp: Stamp, manifest: Manifest, anchors: Anchors, verdict: Verdict) -> When:
    """Say what a stamp without fault proves, and what it does not."""
    if not anchors.timestamp:
        verdict.unproven.append(
            f"When it was signed: a stamp says before {time(stamp.at)}, by {stamp.authority}. Give "
            "the certificate of a CA that you trust with such, had some other way than with this, "
            "with --timestamp-ca."
        )
        return When(manifest.at)
    verdict.proven.append(
        f"It was signed before {time(stamp.at)}: {stamp.authority}, which a CA that you named "
        "vouches for, has stamped its signatures then."
    )
    ahead = manifest.at - stamp.at
    if ahead > CLOSE_NS:
        verdict.unproven.append(
            f"That the recorder's clock was right when the bundle was made: it was "
            f"{ahead / SECOND:.1f} s ahead of the time stamp."
        )
    return When(stamp.at, proven=True)
