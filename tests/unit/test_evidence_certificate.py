"""An organisation's certificate signs a bundle, too: what it proves, and what does not count."""

from __future__ import annotations

import base64
import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from recorder.cli import recorder
from recorder.config import load_settings
from recorder.doctor import Finding, examine
from recorder.errors import ConfigError, IntegrityError, NotFound, RequestError
from recorder.evidence import manifest
from recorder.evidence.certificate import show, unfit, untrusted
from recorder.evidence.verdict import Verdict
from recorder.model.timebase import SECOND, format_instant
from recorder.signing import EvidencePart
from tests.support.bundles import follow, kinds, lie, look, sign_again
from tests.support.exhibit import Exhibit
from tests.support.issuer import DAY, NOW, Issued, Issuer, key_pem, p256, pem


@pytest.fixture(scope="module")
def exhibit(exhibit: Exhibit, issued: Issued, tmp_path_factory: pytest.TempPathFactory) -> Exhibit:
    certificate, key = issued.write(tmp_path_factory.mktemp("keys"), "desk")
    exhibit.sign_with(certificate=certificate, key=f"file:{key}")
    return exhibit


def said(verdict: Verdict, text: str) -> bool:
    return any(re.search(text, one) for one in verdict.proven)


def test_who_signed_is_proven_by_a_ca_that_the_verifier_names_and_not_before(
    whole: Path, issuer: Issuer
) -> None:
    alone = look(whole)
    assert alone.whole
    assert any("Whose certificate" in one and "Evidence Desk" in one for one in alone.unproven)
    assert not said(alone, "Evidence Desk")
    named = look(whole, organisation=pem(issuer.root))
    assert named.whole
    assert said(named, "certificate of CN=Evidence Desk,O=County Police")
    assert any("was valid when it signed" in one for one in named.unproven), "no stamp proves when"
    assert any("not revoked" in one for one in named.unproven)


def test_a_certificate_may_be_trusted_itself(whole: Path, issued: Issued) -> None:
    assert said(look(whole, organisation=pem(issued.certificate)), "Evidence Desk")


def test_another_ca_of_the_same_name_does_not_vouch_for_it(whole: Path) -> None:
    verdict = look(whole, organisation=pem(Issuer().root))
    assert kinds(verdict) == {"certificate"}
    assert "not vouched for by the CA" in verdict.faults[0].detail


def test_a_bundle_without_a_certificate_is_not_what_who_names_a_ca_asks_for(
    exhibit: Exhibit, issuer: Issuer, tmp_path: Path
) -> None:
    before = exhibit.app.settings
    exhibit.sign_with()
    try:
        plain = exhibit.bundle(tmp_path / "plain")
    finally:
        exhibit.app.settings = before
    assert look(plain).whole
    assert kinds(look(plain, organisation=pem(issuer.root))) == {"signer"}
    (plain / manifest.P256_SIGNATURE).write_bytes(b"x")
    assert kinds(look(plain)) == {"extra"}


@pytest.mark.parametrize("where", [0, 20, -1])
def test_a_signature_with_another_byte_or_cut_off_is_named(bundle: Path, where: int) -> None:
    path = bundle / manifest.P256_SIGNATURE
    raw = bytearray(path.read_bytes())
    raw[where] ^= 1
    path.write_bytes(raw)
    assert kinds(look(bundle)) == {"signature"}
    path.write_bytes(raw[:-3])
    assert kinds(look(bundle)) == {"signature"}


def test_a_signature_that_was_taken_away_is_missed(bundle: Path) -> None:
    (bundle / manifest.P256_SIGNATURE).unlink()
    assert kinds(look(bundle)) == {"certificate"}


def test_a_signature_of_other_sums_is_named(exhibit: Exhibit, bundle: Path) -> None:
    (bundle / manifest.HELP).write_bytes(b"other help")
    sign_again(bundle, exhibit.app.press.signer())
    assert kinds(look(bundle)) == {"signature"}


def test_a_certificate_in_place_of_the_one_named_is_named(
    exhibit: Exhibit, bundle: Path, issuer: Issuer
) -> None:
    other = issuer.issue()
    (bundle / manifest.CHAIN).write_bytes(other.chain)
    assert kinds(look(bundle)) == {"changed", "certificate", "signature"}
    sign_again(bundle, exhibit.app.press.signer())
    assert kinds(look(bundle)) == {"certificate", "signature"}


def test_a_manifest_that_names_another_certificate_or_none_is_named(
    exhibit: Exhibit, bundle: Path
) -> None:
    verdict = lie(bundle, exhibit, lambda body: body["signed"]["certificate"].update(serial="1"))
    assert "certificate" in kinds(verdict)
    assert "extra" in kinds(lie(bundle, exhibit, lambda body: body.update(signed={})))


@pytest.mark.parametrize("odd", [[], "x", None, {"certificate": "x"}])
def test_signatures_that_make_no_sense_are_named(
    exhibit: Exhibit, bundle: Path, odd: object
) -> None:
    assert "manifest" in kinds(lie(bundle, exhibit, lambda body: body.update(signed=odd)))


def test_a_certificate_that_had_expired_when_it_signed_is_named(
    exhibit: Exhibit, bundle: Path, issued: Issued
) -> None:
    late = format_instant(exhibit.app.clock.now() + 400 * 86400 * 10**9, 9)
    verdict = lie(bundle, exhibit, lambda body: body["made"].update(at=late), issued)
    (fault,) = [one for one in verdict.faults if one.kind == "certificate"]
    assert "expired at" in fault.detail
    assert "as the bundle itself says" in fault.detail


def ns(at: datetime.datetime) -> int:
    return int(at.timestamp()) * SECOND


def test_a_chain_is_held_to_the_time_and_to_who_may_issue(issuer: Issuer) -> None:
    one, now = issuer.issue(), ns(NOW)
    chain, roots = [one.certificate, *one.above], [issuer.root]
    assert untrusted(chain, roots, now) == ""
    assert "expired" in untrusted(chain, roots, ns(NOW + 400 * DAY))
    assert "expired" in untrusted(chain, [one.certificate], ns(NOW + 400 * DAY))
    assert "from" in untrusted(chain, roots, ns(NOW - 31 * DAY))
    assert "not vouched for" in untrusted(chain[:1], roots, now)
    forged = issuer.issue_by(one)
    assert "basicConstraints" in untrusted([forged, *chain], roots, now)
    weak = Issuer(issues=False)
    other = weak.issue()
    said = untrusted([other.certificate, *other.above], [weak.root], now)
    assert "may not issue" in said


def test_a_certificate_for_something_else_is_none_to_sign_with(issuer: Issuer) -> None:
    assert unfit(issuer.issue().certificate) == ""
    assert unfit(issuer.issue(usages=()).certificate) == ""
    assert "extendedKeyUsage" in unfit(issuer.issue(usages=[Usage.TIME_STAMPING]).certificate)
    assert "keyUsage" in unfit(issuer.root)


def test_a_certificate_that_is_not_for_signing_is_named_though_its_key_has_signed(
    exhibit: Exhibit, bundle: Path, issuer: Issuer
) -> None:
    server = issuer.issue(usages=[Usage.SERVER_AUTH])
    (bundle / manifest.CHAIN).write_bytes(server.chain)
    told = show(server.certificate)
    verdict = lie(bundle, exhibit, lambda body: body["signed"].update(certificate=told), server)
    (fault,) = [one for one in verdict.faults if one.kind == "certificate"]
    assert "may not sign this" in fault.detail


def test_a_certificate_that_makes_no_sense_is_named(
    exhibit: Exhibit, bundle: Path, issued: Issued
) -> None:
    der = issued.certificate.public_bytes(serialization.Encoding.DER)
    p256_oid, odd_oid = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177")
    subject_key, authority_key = bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23")
    third, fourth = bytes.fromhex("a003020102"), bytes.fromhex("a003020103")
    for old, new in ((p256_oid, odd_oid), (subject_key, authority_key), (third, fourth)):
        raw = der.replace(old, new)
        assert raw != der
        text = base64.encodebytes(raw).decode()
        (bundle / manifest.CHAIN).write_text(
            f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"
        )
        sign_again(bundle, exhibit.app.press.signer(), issued)
        (fault,) = look(bundle).faults
        assert fault.kind == "certificate"
        assert "makes no sense" in fault.detail


def test_the_command_says_what_is_wrong_with_a_ca_that_it_is_given(
    whole: Path, issuer: Issuer, tmp_path: Path
) -> None:
    def run(path: Path) -> Any:
        return CliRunner().invoke(recorder, ["verify", str(whole), "--ca", str(path)])

    root = tmp_path / "root.pem"
    root.write_bytes(pem(issuer.root))
    done = run(root)
    assert done.exit_code == 0
    assert "which a CA that you named vouches for" in done.output
    root.write_bytes(pem(Issuer().root))
    assert isinstance(run(root).exception, IntegrityError)
    root.write_text("odd")
    assert isinstance(run(root).exception, RequestError)
    assert isinstance(run(tmp_path / "none").exception, NotFound)


# -- refused before anything is written ----------------------------------------------------------


def refused(exhibit: Exhibit, target: Path, part: EvidencePart) -> str:
    before = exhibit.app.settings
    exhibit.app.settings = before.model_copy(update={"evidence": part})
    try:
        with pytest.raises(ConfigError) as caught:
            exhibit.bundle(target)
    finally:
        exhibit.app.settings = before
    assert not target.exists()
    return str(caught.value)


def test_what_would_not_count_is_refused_in_one_sentence(
    exhibit: Exhibit, issuer: Issuer, tmp_path: Path
) -> None:
    def why(one: Issued, key: bytes | None = None) -> str:
        certificate, path = one.write(tmp_path, "one")
        if key is not None:
            path.write_bytes(key)
        part = EvidencePart(certificate=certificate, key=f"file:{path}")
        return refused(exhibit, tmp_path / "bundle", part)

    assert "is not of the key" in why(issuer.issue(), key_pem(p256()))
    assert "expired at" in why(issuer.issue(end=NOW - DAY))
    assert "is valid from" in why(issuer.issue(start=NOW + DAY))
    assert "not for signing documents" in why(issuer.issue(usages=[Usage.SERVER_AUTH]))
    strong = rsa.generate_private_key(65537, 2048)
    assert "no ECDSA P-256 key" in why(issuer.issue(key=strong))
    assert "no private key in PEM" in why(issuer.issue(), b"nonsense")
    one = issuer.issue()
    swapped = Issued(one.certificate, one.key, (Issuer("Other").below,))
    assert "has not issued" in why(swapped)
    part = EvidencePart(certificate=tmp_path / "none.pem", key="file:x")
    assert "No such file" in refused(exhibit, tmp_path / "bundle", part)
    (tmp_path / "odd.pem").write_text("odd")
    part = EvidencePart(certificate=tmp_path / "odd.pem", key="file:x")
    assert "no certificate in PEM" in refused(exhibit, tmp_path / "bundle", part)


def test_settings_give_a_certificate_with_its_key_or_neither(tmp_path: Path) -> None:
    for text in ("certificate: /x.pem", "key: env:X"):
        path = tmp_path / "r.yaml"
        path.write_text(f"evidence: {{{text}}}\n")
        with pytest.raises(ConfigError, match="missing"):
            load_settings(path)


def test_the_doctor_says_how_long_a_certificate_is_valid_yet(
    exhibit: Exhibit, issuer: Issuer, tmp_path: Path
) -> None:
    def found(**evidence: Any) -> Finding:
        before = exhibit.app.settings
        exhibit.sign_with(**evidence)
        try:
            return next(one for one in examine(exhibit.app) if one.subject == "evidence")
        finally:
            exhibit.app.settings = before

    assert found().detail == "bundles are signed with the site's key alone"
    assert examine(exhibit.app)
    for days, level in ((29, "note"), (31, "ok"), (-1, "bad")):
        certificate, key = issuer.issue(end=NOW + days * DAY).write(tmp_path, "one")
        seen = found(certificate=certificate, key=f"file:{key}")
        assert seen.level == level, days
        assert "Evidence Desk" in seen.detail


# -- with standard tools -------------------------------------------------------------------------


def test_openssl_checks_signature_and_chain_as_the_help_says(
    bundle: Path, issuer: Issuer, tmp_path: Path
) -> None:
    anchor, other = tmp_path / "root.pem", tmp_path / "other.pem"
    anchor.write_bytes(pem(issuer.root))
    other.write_bytes(pem(Issuer().root))
    *_, whose, _, signed, trusted = follow(bundle, CA=anchor)
    body = json.loads((bundle / manifest.NAME).read_bytes())
    assert "Evidence Desk" in whose[1]
    assert signed == (0, "Verified OK\n")
    assert trusted == (0, f"{manifest.CHAIN}: OK\n")
    assert follow(bundle, CA=other)[-1][0] != 0
    assert body["signed"]["certificate"]["subject"] in (bundle / manifest.REPORT).read_text()
    sums = bundle / manifest.SUMS
    sums.write_bytes(sums.read_bytes() + b"\n")
    assert follow(bundle, CA=anchor)[-2][0] != 0
