"""Time stamps: what they prove, what is no stamp, and that no bundle is silently without one."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.cli import recorder
from recorder.clock import SystemClock
from recorder.config import load_settings
from recorder.errors import ConfigError, MissingProgram, NotStamped
from recorder.evidence import manifest
from recorder.evidence.certificate import read_chain
from recorder.evidence.ordered import ordered
from recorder.evidence.stamp import BadStamp, read_stamp, stamped_text
from recorder.evidence.verdict import Verdict
from recorder.export import stamping
from recorder.export.signing import Signing
from recorder.export.stamping import StampAuthority as Asked
from recorder.ports import AskedEntries
from tests.support.bundles import follow, kinds, lie, look, sign_again
from tests.support.exhibit import Exhibit
from tests.support.issuer import DAY, NOW, Issued, Issuer, pem
from tests.support.stamps import Answer, Lasts, StampAuthority, answering


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> StampAuthority:
    return StampAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def exhibit(
    exhibit: Exhibit, issued: Issued, authority: StampAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Exhibit]:  # fmt: skip
    certificate, key = issued.write(tmp_path_factory.mktemp("keys"), "desk")
    with answering(lambda query: (200, authority.stamp(query))) as url:
        exhibit.sign_with(
            certificate=certificate, key=f"file:{key}",
            timestamp_url=url, timestamp_ca=authority.root,
        )  # fmt: skip
        yield exhibit


def test_a_bundle_does_not_tell_the_token_that_an_authority_is_asked_with() -> None:
    authority = Asked("https://tsa.example.org/x?apikey=hunter2", b"", [], SystemClock())
    said = Signing(authority=authority).show()
    assert said["timestamp"] == {"authority": "https://tsa.example.org/x?apikey=********"}


def told(lines: list[str], text: str) -> bool:
    return any(re.search(text, one) for one in lines)


def detail(verdict: Verdict) -> str:
    (one,) = [fault.detail for fault in verdict.faults if fault.kind == "stamp"]
    return one


def test_a_stamp_proves_when_it_was_signed_by_an_authority_that_the_verifier_names(
    whole: Path, authority: StampAuthority, issuer: Issuer
) -> None:
    alone = look(whole)
    assert alone.whole
    assert told(alone.unproven, "When it was signed: a stamp says before 20..-.*Time Stamps")
    named = look(whole, timestamp=authority.anchors)
    assert told(named.proven, "It was signed before 20.*CN=Time Stamps")
    assert not told(named.unproven, "When it was signed")
    both = look(whole, timestamp=authority.anchors, organisation=pem(issuer.root))
    assert both.whole
    assert told(both.proven, "which was valid at .*, when it was stamped")
    assert not told(both.unproven, "was valid when it signed")


def test_a_stamp_covers_every_signature_and_the_key(bundle: Path) -> None:
    text = (bundle / manifest.STAMPED).read_text()
    assert [line[66:] for line in text.splitlines()] == [
        manifest.SUMS, manifest.P256_SIGNATURE, manifest.SIGNATURE, manifest.SIGNER,
    ]  # fmt: skip


def test_without_a_stamp_that_is_said_and_is_not_what_who_names_an_authority_asks_for(
    exhibit: Exhibit, authority: StampAuthority, tmp_path: Path
) -> None:
    plain = exhibit.bundle(tmp_path / "plain", timestamp=False)
    assert json.loads((plain / manifest.NAME).read_bytes())["signed"]["timestamp"] is None
    verdict = look(plain)
    assert verdict.whole
    assert told(verdict.unproven, "no time stamp is in it")
    assert kinds(look(plain, timestamp=authority.anchors)) == {"stamp"}
    (plain / manifest.STAMP).write_bytes(b"x")
    assert kinds(look(plain)) == {"extra"}
    found = exhibit.app.catalog.audit_log.search(AskedEntries(action="footage.export"), 1)
    assert '"timestamp":"none, as asked"' in found[0].raw.decode()


def test_an_authority_that_another_ca_vouches_for_proves_nothing(whole: Path) -> None:
    verdict = look(whole, timestamp=pem(Issuer("Stamps").root))
    assert "not one that a CA named here vouches for" in detail(verdict)


@pytest.mark.parametrize("where", [0.1, 0.3, 0.5, 0.75, 0.99])
def test_a_stamp_with_another_byte_or_cut_off_is_named(bundle: Path, where: float) -> None:
    path = bundle / manifest.STAMP
    raw = bytearray(path.read_bytes())
    path.write_bytes(raw[: int(len(raw) * where)])
    assert kinds(look(bundle)) == {"stamp"}
    raw[int(len(raw) * where)] ^= 0x01
    path.write_bytes(raw)
    assert kinds(look(bundle)) == {"stamp"}


def test_a_stamp_of_another_bundle_is_named(exhibit: Exhibit, bundle: Path, tmp_path: Path) -> None:
    other = exhibit.bundle(tmp_path / "other", end_s=8)
    shutil.copyfile(other / manifest.STAMP, bundle / manifest.STAMP)
    assert "it is of something else" in detail(look(bundle))
    shutil.copyfile(other / manifest.STAMPED, bundle / manifest.STAMPED)
    assert "is not of the signatures that are here" in detail(look(bundle))


@pytest.mark.parametrize("name", [manifest.STAMP, manifest.STAMPED])
def test_a_stamp_that_was_taken_away_is_missed(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    assert "is no file of the bundle" in detail(look(bundle))


def test_a_bundle_signed_anew_has_no_stamp(exhibit: Exhibit, bundle: Path, issued: Issued) -> None:
    (bundle / manifest.HELP).write_bytes(b"other help")
    sign_again(bundle, exhibit.app.press.signer(), issued)
    assert kinds(look(bundle)) == {"stamp"}


def test_a_certificate_that_expires_later_was_valid_when_it_was_stamped(
    exhibit: Exhibit, bundle: Path, issuer: Issuer, authority: StampAuthority, issued: Issued
) -> None:
    """The manifest's word for the time counts no more once a stamp proves one."""
    verdict = lie(
        bundle, exhibit, lambda body: body["made"].update(at="2031-01-01T00:00:00Z"), issued
    )
    assert {"certificate", "stamp"} <= kinds(verdict)
    files = [bundle / one for one in (
        manifest.SUMS, manifest.SIGNATURE, manifest.P256_SIGNATURE, manifest.SIGNER
    )]  # fmt: skip
    text = stamped_text({one.name: one.read_bytes() for one in files})
    (bundle / manifest.STAMPED).write_bytes(text)
    url = exhibit.app.settings.evidence.timestamp_url
    anchors = read_chain(authority.anchors)
    raw = Asked(url, authority.anchors, anchors, SystemClock()).stamp(text)
    (bundle / manifest.STAMP).write_bytes(raw)
    verdict = look(bundle, timestamp=authority.anchors, organisation=pem(issuer.root))
    assert kinds(verdict) == {"log"}
    assert told(verdict.unproven, "was .* s ahead of the time stamp")
    assert told(verdict.proven, "when it was stamped")


def test_where_the_package_is_missing_a_stamp_is_not_checked_and_that_is_said(
    whole: Path, authority: StampAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    verdict = look(whole, timestamp=authority.anchors)
    assert verdict.whole
    assert told(verdict.unproven, "is not installed here")
    monkeypatch.setattr("recorder.evidence.command.find_spec", lambda _: None)
    words = ["verify", str(whole), "--timestamp-ca", str(authority.root)]
    assert isinstance(CliRunner().invoke(recorder, words).exception, MissingProgram)


def test_the_command_proves_by_the_authority_that_it_is_given(
    whole: Path, authority: StampAuthority
) -> None:
    words = ["verify", str(whole), "--timestamp-ca", str(authority.root)]
    done = CliRunner().invoke(recorder, words)
    assert done.exit_code == 0
    assert "It was signed before" in done.output


# -- the authority --------------------------------------------------------------------------------


def asked(text: bytes, nonce: bool = True) -> bytes:
    import rfc3161_client as package

    kind = package.HashAlgorithm.SHA256
    builder = package.TimestampRequestBuilder(data=text, hash_algorithm=kind, nonce=nonce)
    return builder.build().as_bytes()


def why(authority: StampAuthority, answer: Answer) -> str:
    with answering(answer) as url:
        one = Asked(url, authority.anchors, read_chain(authority.anchors), SystemClock())
        with pytest.raises(NotStamped) as caught:
            one.stamp(b"text")
    assert "--no-timestamp" in caught.value.hint
    return str(caught.value)


def test_an_authority_that_lies_is_named(
    authority: StampAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = StampAuthority(tmp_path / "other")
    stamp = authority.stamp
    assert "of something else" in why(
        authority, lambda query: (200, stamp(query[:27] + bytes([query[27] ^ 1]) + query[28:]))
    )
    assert "another question" in why(authority, lambda _: (200, stamp(asked(b"text"))))
    assert "vouches for" in why(authority, lambda query: (200, other.stamp(query)))
    assert "cannot be read" in why(authority, lambda _: (200, b"<html>"))
    assert "answers 503" in why(authority, lambda _: (503, b""))
    assert "refuses" in why(authority, lambda _: (200, REFUSAL))
    monkeypatch.setattr(stamping, "MOST_BYTES", 100)
    assert "does not answer" in why(authority, lambda query: (200, stamp(query)))


REFUSAL = bytes.fromhex("3016301402010230090c0762757379206e6f030402040000")


def test_an_authority_that_hangs_or_drips_is_given_up_in_time(
    authority: StampAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib3

    monkeypatch.setattr(stamping, "TIMEOUT", urllib3.Timeout(connect=0.2, read=0.2))
    anchors = read_chain(authority.anchors)
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        url = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        with pytest.raises(NotStamped, match="does not answer"):
            Asked(url, b"", anchors, SystemClock()).stamp(b"text")
    with pytest.raises(NotStamped, match="does not answer"):
        Asked(url, b"", anchors, SystemClock()).stamp(b"text")
    monkeypatch.setattr(stamping, "PATIENCE_S", -1)
    assert "TimeoutError" in why(authority, lambda query: (200, authority.stamp(query)))


def test_a_bundle_that_gets_no_stamp_is_none(exhibit: Exhibit, tmp_path: Path) -> None:
    before = exhibit.app.settings
    part = before.evidence.model_copy(update={"timestamp_url": "http://127.0.0.1:9/stamp"})
    exhibit.app.settings = before.model_copy(update={"evidence": part})
    try:
        for name in ("bundle", "bundle.zip"):
            with pytest.raises(NotStamped):
                exhibit.bundle(tmp_path / name)
            assert not (tmp_path / name).exists()
    finally:
        exhibit.app.settings = before
    left = tmp_path / "bundle.part"
    assert not (left / manifest.SIGNATURE).exists()
    assert look(exhibit.bundle(tmp_path / "bundle")).whole, "is gone on with"
    assert not left.exists()


def test_a_chain_in_whatever_order_is_taken(tmp_path: Path) -> None:
    import rfc3161_client as package

    refused = 0
    for number in range(3):
        other = StampAuthority(tmp_path / str(number))
        other.send_chain()
        raw = other.stamp(asked(b"text"))
        anchors = read_chain(other.anchors)
        assert read_stamp(raw, b"text", anchors).authority == "CN=Time Stamps,O=County Police"
        assert sorted(ordered(raw)) == sorted(raw), "nothing comes, nothing goes"
        try:
            package.decode_timestamp_response(raw)
        except ValueError:
            refused += 1
    assert refused, "the package alone takes them all: ordered() is not needed any more"


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_an_answer_that_is_none_stays_as_it_is(noise: bytes, cut: int) -> None:
    for raw in (noise, REFUSAL[:cut], REFUSAL + noise):
        assert len(ordered(raw)) == len(raw)


@pytest.mark.parametrize(
    ("lasts", "said"),
    [
        ((NOW - 2 * DAY, NOW - DAY), "has expired at its time"),
        ((NOW + DAY, NOW + 2 * DAY), "is not yet valid at its time"),
    ],
)
def test_a_stamp_by_a_certificate_that_was_not_valid_then_is_none(
    tmp_path: Path, lasts: Lasts, said: str
) -> None:
    other = StampAuthority(tmp_path / "other", lasts)
    with pytest.raises(BadStamp, match=said):
        read_stamp(other.stamp(asked(b"text")), b"text", read_chain(other.anchors))


def test_settings_give_an_authority_with_its_ca_or_neither(tmp_path: Path) -> None:
    for text in (
        "timestamp_url: http://x/y", "timestamp_ca: /x.pem",
        "timestamp_url: ftp://x, timestamp_ca: /x", "timestamp_url: http://a:b@x, timestamp_ca: /x",
    ):  # fmt: skip
        path = tmp_path / "r.yaml"
        path.write_text(f"evidence: {{{text}}}\n")
        with pytest.raises(ConfigError, match="timestamp"):
            load_settings(path)


# -- with standard tools -------------------------------------------------------------------------


def test_openssl_checks_a_stamp_as_the_help_says(
    bundle: Path, authority: StampAuthority, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(pem(Issuer("Stamps").root))
    *_, covered, good, shown = follow(bundle, TSA=authority.root)
    assert covered == (0, "")
    assert good == (0, "Verification: OK\n")
    assert "Time stamp: " in shown[1]
    assert follow(bundle, TSA=other)[-2][0] != 0
    assert "127.0.0.1" in (bundle / manifest.REPORT).read_text()
    (bundle / manifest.STAMPED).write_bytes(b"other")
    assert follow(bundle, TSA=authority.root)[-2][0] != 0
