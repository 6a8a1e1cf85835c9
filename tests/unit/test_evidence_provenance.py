"""C2PA manifests beside clips: a reader of others takes them; another clip's is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from recorder.errors import ConfigError, MissingProgram
from recorder.evidence import manifest
from recorder.evidence.verdict import Verdict
from tests.support.bundles import kinds, lie, look
from tests.support.exhibit import Exhibit
from tests.support.issuer import DOCUMENTS, Issued, Issuer, pem

c2pa = pytest.importorskip("c2pa")

BESIDE = {"c2pa": True}


@pytest.fixture(scope="module")
def exhibit(exhibit: Exhibit, issued: Issued, tmp_path_factory: pytest.TempPathFactory) -> Exhibit:
    certificate, key = issued.write(tmp_path_factory.mktemp("keys"), "desk")
    exhibit.sign_with(certificate=certificate, key=f"file:{key}")
    return exhibit


def files(bundle: Path) -> list[Path]:
    return sorted((bundle / "c2pa").iterdir())


def read(clip: Path, beside: Path, root: bytes = b"") -> tuple[str, dict[str, object]]:
    """Read with the reader of c2pa, told to trust a CA."""
    trust = {"trust_anchors": root.decode(), "trust_config": "1.3.6.1.5.5.7.3.4\n"}
    settings = c2pa.Settings.from_json(json.dumps({"trust": trust} if root else {}))
    context = c2pa.Context(settings)
    with clip.open("rb") as file:
        one = c2pa.Reader("video/mp4", file, manifest_data=beside.read_bytes(), context=context)
        return one.get_validation_state(), json.loads(one.json())


def test_a_reader_of_others_takes_them_and_trusts_who_is_trusted(
    exhibit: Exhibit, whole: Path, issuer: Issuer, tmp_path: Path
) -> None:
    plain = exhibit.bundle(tmp_path / "plain")
    for beside in files(whole):
        clip = whole / "clips" / beside.stem
        assert clip.read_bytes() == (plain / "clips" / beside.stem).read_bytes(), "unchanged"
        state, body = read(clip, beside, pem(issuer.root))
        assert state == "Trusted"
        assert "Evidence Desk" in json.dumps(body)
        assert "north" in json.dumps(body)
        assert read(clip, beside)[0] == "Valid"
        changed = tmp_path / "changed.mp4"
        raw = bytearray(clip.read_bytes())
        raw[-1000] ^= 1
        changed.write_bytes(raw)
        assert read(changed, beside)[0] == "Invalid"


def test_manifests_are_proven_to_be_of_the_clips(whole: Path, exhibit: Exhibit) -> None:
    verdict = look(whole)
    assert verdict.whole
    assert any("2 C2PA manifests: of the clips" in one for one in verdict.proven)
    assert "C2PA" in (whole / manifest.REPORT).read_text()


def test_a_manifest_of_another_clip_changed_or_cut_off_is_named(
    exhibit: Exhibit, bundle: Path, issued: Issued
) -> None:
    one, two = files(bundle)
    good = one.read_bytes()
    told = good.replace(b"cam07", b"cam08")
    assert told != good
    for raw in (two.read_bytes(), told, good[:-200], b""):
        one.write_bytes(raw)
        assert "changed" in kinds(look(bundle))
        assert "c2pa" in kinds(signed_anew(exhibit, bundle, one, issued)), len(raw)


def signed_anew(exhibit: Exhibit, bundle: Path, path: Path, issued: Issued) -> Verdict:
    import hashlib

    raw, name = path.read_bytes(), path.relative_to(bundle).as_posix()

    def edit(body: dict[str, list[dict[str, list[dict[str, object]]]]]) -> None:
        for one in body["cameras"][0]["c2pa"]:
            if one["file"] == name:
                one.update(bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())

    return lie(bundle, exhibit, edit, issued)


def test_a_manifest_signed_with_another_certificate_is_named(
    exhibit: Exhibit, bundle: Path, issuer: Issuer, issued: Issued, tmp_path: Path
) -> None:
    before = exhibit.app.settings
    certificate, key = issuer.issue().write(tmp_path, "other")
    exhibit.sign_with(certificate=certificate, key=f"file:{key}")
    try:
        other = exhibit.bundle(tmp_path / "other", c2pa=True)
    finally:
        exhibit.app.settings = before
    one = files(bundle)[0]
    one.write_bytes(files(other)[0].read_bytes())
    verdict = signed_anew(exhibit, bundle, one, issued)
    assert any("another certificate than the bundle" in fault.detail for fault in verdict.faults)


def test_where_the_package_is_missing_that_is_said_and_none_is_made(
    exhibit: Exhibit, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    verdict = look(whole)
    assert verdict.whole
    assert any("c2pa-python, which would check it" in one for one in verdict.unproven)
    monkeypatch.setattr("recorder.export.provenance.find_spec", lambda _: None)
    with pytest.raises(MissingProgram, match="c2pa-python is not installed"):
        exhibit.bundle(tmp_path / "bundle", c2pa=True)


def test_a_zip_has_them_too(exhibit: Exhibit, tmp_path: Path) -> None:
    verdict = look(exhibit.bundle(tmp_path / "b.zip", c2pa=True))
    assert verdict.whole
    assert any("2 C2PA manifests" in one for one in verdict.proven)


def test_what_cannot_sign_them_is_refused_in_one_sentence(
    exhibit: Exhibit, issuer: Issuer, tmp_path: Path
) -> None:
    def refused(**evidence: object) -> str:
        before = exhibit.app.settings
        exhibit.sign_with(**evidence)
        try:
            with pytest.raises(ConfigError) as caught:
                exhibit.bundle(tmp_path / "bundle", c2pa=True)
        finally:
            exhibit.app.settings = before
        return str(caught.value)

    assert "evidence.certificate: is not set" in refused()
    for usages in ((), [DOCUMENTS]):
        certificate, key = issuer.issue(usages=usages).write(tmp_path, "one")
        assert "cannot sign C2PA" in refused(certificate=certificate, key=f"file:{key}")
    one = issuer.issue(usages=[Usage.EMAIL_PROTECTION, Usage.SERVER_AUTH, Usage.OCSP_SIGNING])
    certificate, key = one.write(tmp_path, "one")
    assert "no manifest is made" in refused(certificate=certificate, key=f"file:{key}")
