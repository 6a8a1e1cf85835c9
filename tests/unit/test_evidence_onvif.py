"""Clips in ONVIF Export File Format: sealed, playable, the clips themselves; and what is not."""

from __future__ import annotations

import datetime
import io
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from recorder.bmff.boxes import box
from recorder.bmff.oeff import Source, Unit, read_seal, seal_box
from recorder.errors import ConfigError, MalformedMedia
from recorder.evidence import manifest
from recorder.evidence.certificate import show
from recorder.export.clip import Clip
from recorder.export.onvif import Exporter
from recorder.model.timebase import TimeRange
from tests.support import oeff
from tests.support.bundles import kinds, lie, look, sign_again
from tests.support.exhibit import Exhibit
from tests.support.issuer import DAY, NOW, Issued, Issuer, pem

BESIDE = {"onvif": True}


def strong(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@pytest.fixture(scope="module")
def issued(issuer: Issuer) -> Issued:
    return issuer.issue("Exports", strong())


@pytest.fixture(scope="module")
def exhibit(exhibit: Exhibit, issued: Issued, tmp_path_factory: pytest.TempPathFactory) -> Exhibit:
    certificate, key = issued.write(tmp_path_factory.mktemp("keys"), "exports")
    exhibit.sign_with(onvif_certificate=certificate, onvif_key=f"file:{key}")
    return exhibit


def files(bundle: Path) -> list[Path]:
    return sorted((bundle / "onvif").glob("*.mp4"))


def test_a_reader_written_from_the_specification_finds_all_of_it_and_openssl_the_seal(
    exhibit: Exhibit, whole: Path, tmp_path: Path
) -> None:
    body = json.loads((whole / manifest.NAME).read_bytes())
    first, second = files(whole)
    found = oeff.read(first.read_bytes())
    assert found.unit == ("north/n1", exhibit.app.settings.own_url, "")
    made = datetime.datetime.fromisoformat(body["made"]["at"][:19] + "+00:00")
    assert found.at == made
    assert found.operator == "user:ana"
    assert found.tracks == {
        1: ("north/cam07", "", "", "main"),
        2: ("north/cam07", "", "", "main"),
    }
    start = datetime.datetime(2026, 1, 5, 14, 3, 8, tzinfo=datetime.UTC)
    assert found.starts == {1: start, 2: start}
    assert oeff.openssl_says(found, tmp_path) == "Verified OK\n"
    again = oeff.read(second.read_bytes())
    assert again.starts[1] == start + datetime.timedelta(seconds=18.92)
    assert oeff.openssl_says(again, tmp_path) == "Verified OK\n"
    found.signed += b"\0"
    assert oeff.openssl_says(found, tmp_path) != "Verified OK\n"


def frames(path: Path) -> str:
    return subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_entries",
         "stream=codec_name,nb_read_frames", "-of", "csv", str(path)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_a_player_that_knows_nothing_of_it_plays_the_same_pictures(whole: Path) -> None:
    for path in files(whole):
        shown = frames(path)
        assert "h264" in shown
        assert shown == frames(whole / "clips" / path.name)


def test_sealed_clips_are_proven_to_be_the_clips(whole: Path, issuer: Issuer) -> None:
    alone = look(whole)
    assert alone.whole
    assert any("2 files in ONVIF" in one for one in alone.proven)
    assert any("has sealed them" in one for one in alone.unproven)
    certificate = look(whole, organisation=pem(issuer.root))
    assert kinds(certificate) == {"signer"}, "nobody has signed the bundle with a certificate"
    assert any("Exports" in one for one in certificate.proven)
    assert kinds(look(whole, organisation=pem(Issuer().root))) == {"signer", "certificate"}


@pytest.mark.parametrize("where", [40, -2000, -1400, -1300, -900, -100, -5])
def test_a_file_with_another_byte_that_the_site_signs_anew_is_named(
    exhibit: Exhibit, bundle: Path, where: int
) -> None:
    path = files(bundle)[0]
    raw = bytearray(path.read_bytes())
    raw[where] ^= 0x01
    path.write_bytes(raw)
    assert "changed" in kinds(look(bundle))
    resigned(exhibit, bundle, path)
    assert "onvif" in kinds(look(bundle))


def resigned(exhibit: Exhibit, bundle: Path, path: Path) -> None:
    """Have the site sign whatever a file is now."""
    import hashlib

    raw, name = path.read_bytes(), path.relative_to(bundle).as_posix()

    def edit(body: dict[str, list[dict[str, list[dict[str, object]]]]]) -> None:
        for one in body["cameras"][0]["onvif"]:
            if one["file"] == name:
                one.update(bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())

    lie(bundle, exhibit, edit)


@pytest.mark.parametrize("cut", [1, 300, 5000])
def test_a_file_that_is_cut_off_or_goes_on_is_named(
    exhibit: Exhibit, bundle: Path, cut: int
) -> None:
    path = files(bundle)[0]
    raw = path.read_bytes()
    for odd in (raw[:-cut], raw + bytes(cut), raw + raw[-2048:]):
        path.write_bytes(odd)
        resigned(exhibit, bundle, path)
        assert "onvif" in kinds(look(bundle))


def test_a_seal_of_another_clip_is_named(exhibit: Exhibit, bundle: Path) -> None:
    first, second = files(bundle)
    first.write_bytes(second.read_bytes())
    resigned(exhibit, bundle, first)
    (fault,) = [one for one in look(bundle).faults if one.kind == "onvif"]
    assert "is not the clip" in fault.detail


def test_another_certificate_in_place_of_the_one_named_is_named(
    exhibit: Exhibit, bundle: Path, issuer: Issuer
) -> None:
    other = issuer.issue("Exports", strong())
    (bundle / manifest.ONVIF_CHAIN).write_bytes(other.chain)
    sign_again(bundle, exhibit.app.press.signer())
    verdict = look(bundle)
    assert kinds(verdict) == {"certificate", "onvif"}


def test_a_seal_that_brings_another_certificate_than_the_one_named_is_named(
    exhibit: Exhibit, bundle: Path, issuer: Issuer, issued: Issued
) -> None:
    path = files(bundle)[0]
    assert isinstance(issued.key, rsa.RSAPrivateKey)
    other = Exporter((issuer.issue("Exports", strong()).certificate,), issued.key)
    plain = bundle / "clips" / path.name
    path.write_bytes(b"".join(other.seal(AsClip(plain.read_bytes()), UNIT)))
    resigned(exhibit, bundle, path)
    (fault,) = [one for one in look(bundle).faults if one.kind == "onvif"]
    assert "another certificate" in fault.detail


def test_a_certificate_that_is_not_for_signing_is_named_though_its_seal_holds(
    exhibit: Exhibit, bundle: Path, issuer: Issuer
) -> None:
    server = issuer.issue("Exports", strong(), usages=[Usage.SERVER_AUTH])
    assert isinstance(server.key, rsa.RSAPrivateKey)
    (bundle / manifest.ONVIF_CHAIN).write_bytes(server.chain)
    other = Exporter((server.certificate,), server.key)
    for path in files(bundle):
        plain = bundle / "clips" / path.name
        path.write_bytes(b"".join(other.seal(AsClip(plain.read_bytes()), UNIT)))
        resigned(exhibit, bundle, path)
    told = show(server.certificate)
    verdict = lie(bundle, exhibit, lambda body: body["signed"].update(onvif=told))
    assert kinds(verdict) == {"certificate", "log"}


UNIT = Unit("north/n1", "", 0, "ana")


class AsClip(Clip):
    """A clip that is made already."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        stream = SimpleNamespace(site="north", camera="cam07", stream="main")
        segment = SimpleNamespace(stream=stream)
        self.file = SimpleNamespace(header=raw[: raw.index(b"mdat") + 12], segments=[segment])  # type: ignore[assignment]
        self.parts = [SimpleNamespace(range=TimeRange(0, 1))]  # type: ignore[list-item]

    def read(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        yield self.raw[start:end]


def odd(change: Callable[[bytes], bytes]) -> str:
    source = Source(1, "north/cam07", "main", 0)
    raw = change(seal_box(UNIT, [source], bytes(256), b"certificate"))
    with pytest.raises(MalformedMedia) as caught:
        read_seal(io.BytesIO(raw), len(raw))
    return str(caught.value)


def test_a_seal_that_is_not_as_the_specification_says_is_none() -> None:
    good = seal_box(UNIT, [Source(1, "north/cam07", "main", 0)], bytes(256), b"certificate")
    assert read_seal(io.BytesIO(good), len(good)).certificate == b"certificate"
    sinf = good[good.index(b"sinf") - 4 :]
    assert "does not seal" in odd(lambda raw: raw + box("free"))
    assert "another scheme" in odd(lambda raw: raw.replace(b"oeff", b"cenc"))
    assert "2 'sinf'" in odd(lambda raw: twice(raw, sinf))
    assert "has hdlr, suep" in odd(lambda raw: raw.replace(b"ipro", b"iprx"))
    assert "claims" in odd(lambda raw: raw[:-1])
    assert "claims" in odd(lambda raw: bytes(4) + raw[4:])


def twice(raw: bytes, sinf: bytes) -> bytes:
    """Append a second signature, as repeated signing does."""
    ipro = raw.index(b"ipro") - 4
    sizes = ((0, len(raw) + len(sinf)), (ipro, len(raw) - ipro + len(sinf)))
    out = bytearray(raw + sinf)
    for at, size in sizes:
        out[at : at + 4] = size.to_bytes(4, "big")
    return bytes(out)


def test_a_key_of_another_kind_has_sealed_nothing(
    exhibit: Exhibit, bundle: Path, issuer: Issuer
) -> None:
    (bundle / manifest.ONVIF_CHAIN).write_bytes(issuer.issue("Exports").chain)
    sign_again(bundle, exhibit.app.press.signer())
    assert "onvif" in kinds(look(bundle))


def test_a_certificate_that_had_expired_when_it_sealed_is_named(
    exhibit: Exhibit, bundle: Path
) -> None:
    verdict = lie(bundle, exhibit, lambda body: body["made"].update(at="2031-01-01T00:00:00Z"))
    assert "certificate" in kinds(verdict)


def test_without_being_asked_for_there_is_none(exhibit: Exhibit, tmp_path: Path) -> None:
    plain = exhibit.bundle(tmp_path / "plain")
    assert not (plain / "onvif").exists()
    assert look(plain).whole


def test_a_clip_goes_by_block_by_block(issued: Issued) -> None:
    assert isinstance(issued.key, rsa.RSAPrivateKey)
    taken = []

    class Counting(AsClip):
        def read(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
            for number in range(1000):
                taken.append(number)
                yield bytes(10)

    raw = box("ftyp") + box("moov", box("trak")) + box("mdat") + bytes(8)
    sealing = Exporter((issued.certificate,), issued.key).seal(Counting(raw), UNIT)
    for wanted in range(1, 900):
        assert len(next(sealing)) == 10
        assert len(taken) == wanted


def test_a_zip_has_them_too(exhibit: Exhibit, whole: Path, tmp_path: Path) -> None:
    path = exhibit.bundle(tmp_path / "b.zip", onvif=True)
    assert look(path).whole
    assert len(look(path).proven) == len(look(whole).proven)


def test_what_cannot_seal_is_refused_in_one_sentence(
    exhibit: Exhibit, issuer: Issuer, tmp_path: Path
) -> None:
    def refused(one: Issued | None) -> str:
        before = exhibit.app.settings
        if one is None:
            exhibit.sign_with()
        else:
            certificate, key = one.write(tmp_path, "one")
            exhibit.sign_with(onvif_certificate=certificate, onvif_key=f"file:{key}")
        try:
            with pytest.raises(ConfigError) as caught:
                exhibit.bundle(tmp_path / "bundle", onvif=True)
        finally:
            exhibit.app.settings = before
        return str(caught.value)

    assert "is not set" in refused(None)
    assert "no RSA key of 2048" in refused(issuer.issue())
    assert "no RSA key of 2048" in refused(issuer.issue(key=strong(1024)))
    one, other = issuer.issue(key=strong()), issuer.issue(key=strong())
    assert "is not of the key" in refused(Issued(one.certificate, other.key, one.above))
    assert "expired at" in refused(issuer.issue(key=strong(), end=NOW - DAY))
