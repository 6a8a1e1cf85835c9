"""Bundles of evidence: what is whole is proven, what is not is named."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from functools import reduce
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.cli import recorder
from recorder.errors import IntegrityError, NotFound, RequestError
from recorder.evidence import manifest
from recorder.logbook.keys import Signer
from recorder.model.camera_document import parse_camera
from recorder.model.timebase import SECOND, format_instant
from tests.support.bundles import Edit, follow, kinds, lie, look, natives, sign_again
from tests.support.exhibit import Exhibit
from tests.support.make import STREAM, T0

ROOT = Path(__file__).parents[2]


def test_a_bundle_as_it_was_made_is_whole(whole: Path) -> None:
    verdict = look(whole)
    assert verdict.faults == []
    assert any("does not" in one or "Who signed it" in one for one in verdict.unproven)
    named = look(whole, verdict.signer)
    assert named.whole
    assert any("by the key that you named" in one for one in named.proven)
    assert not any("Who signed it" in one for one in named.unproven)


def test_the_report_says_what_a_camera_is_called_and_where_it_is(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    place = {"latitude": 48.137, "longitude": -11.5}
    said = {
        "label": "Südtor <南门>",
        "location": "Halle 3",
        "coordinates": place,
        "notes": "secret",
    }
    cameras = exhibit.app.catalog.cameras
    cameras.put(parse_camera(STREAM.camera, {"url": "rtsp://x/y", **said}), T0, None)
    try:
        bundle = exhibit.bundle(tmp_path / "named")
    finally:
        cameras.put(parse_camera(STREAM.camera, {"url": "rtsp://x/y"}), T0, None)
    verdict = look(bundle)
    assert verdict.whole
    told = [one for one in verdict.proven + verdict.unproven if str(STREAM) in one]
    assert told
    assert all(one.startswith(f'{STREAM} "Südtor <南门>": ') for one in told)
    (camera,) = json.loads((bundle / manifest.NAME).read_bytes())["cameras"]
    assert camera["about"] == {key: one for key, one in said.items() if key != "notes"}
    report = (bundle / manifest.REPORT).read_text()
    assert "<h2><bdi>Südtor &lt;南门&gt;</bdi> · north/cam07" in report
    assert re.search("Place <.*>位置<.*<td>Halle 3</td>", report)
    assert re.search("Coordinates .*>坐标<.*<td>48.137000, -11.500000</td>", report)
    assert "secret" not in report


def test_a_zip_says_the_same_as_a_folder(exhibit: Exhibit, whole: Path, tmp_path: Path) -> None:
    path = exhibit.bundle(tmp_path / "b.zip")
    verdict = look(path)
    assert verdict.whole
    assert len(verdict.proven) == len(look(whole).proven)
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("b/" + "manifest.json").header_offset
    raw[at + 200] ^= 1
    path.write_bytes(raw)
    assert kinds(look(path)) >= {"changed"}
    path.write_bytes(raw[:-100])
    with pytest.raises(OSError, match="no whole zip"):
        look(path)


FILES = (
    "native", "clips", "pictures", manifest.NAME, manifest.REPORT, manifest.HELP, manifest.ENTRY,
    manifest.PROOF, manifest.CHECKPOINT, "chain",
)  # fmt: skip


def some(bundle: Path, name: str) -> Path:
    path = bundle / name
    return path if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())[-1]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.5, 0.999999])
def test_a_byte_of_any_file_that_is_another_is_named(bundle: Path, name: str, where: float) -> None:
    path = some(bundle, name)
    raw = bytearray(path.read_bytes())
    raw[int(len(raw) * where)] ^= 0x01
    path.write_bytes(raw)
    verdict = look(bundle)
    inner = path.relative_to(bundle).as_posix()
    assert any(one.kind == "changed" and inner in one.detail for one in verdict.faults)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_named(bundle: Path, name: str) -> None:
    path = some(bundle, name)
    path.unlink()
    inner = path.relative_to(bundle).as_posix()
    assert any(one.kind == "missing" and inner in one.detail for one in look(bundle).faults)


@pytest.mark.parametrize("name", [manifest.SUMS, manifest.SIGNATURE, manifest.SIGNER])
def test_without_sums_signature_or_key_nothing_is_signed(bundle: Path, name: str) -> None:
    path = bundle / name
    raw = bytearray(path.read_bytes())
    path.unlink()
    assert "signature" in kinds(look(bundle))
    raw[len(raw) // 2] ^= 0x01
    path.write_bytes(raw)
    assert "signature" in kinds(look(bundle))


def test_a_file_that_was_cut_off_is_named(bundle: Path) -> None:
    path = natives(bundle)[-1]
    path.write_bytes(path.read_bytes()[:-1])
    assert kinds(look(bundle)) >= {"changed"}


def test_segments_that_changed_places_are_named(bundle: Path) -> None:
    one, two = natives(bundle)[:2]
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)
    verdict = look(bundle)
    assert kinds(verdict) >= {"changed", "segment"}
    assert sum(fault.kind == "changed" for fault in verdict.faults) == 2


def test_what_was_added_is_named_links_too(bundle: Path, tmp_path: Path) -> None:
    (bundle / "native" / "more.mp4").write_bytes(b"more")
    (bundle / "link").symlink_to(tmp_path)
    faults = [one.detail for one in look(bundle).faults if one.kind == "extra"]
    assert [one.partition(":")[0] for one in faults] == ["link", "native/more.mp4"]


def test_a_link_in_place_of_a_file_is_not_followed(bundle: Path, tmp_path: Path) -> None:
    path, other = natives(bundle)[0], tmp_path / "other.mp4"
    path.rename(other)
    path.symlink_to(other)
    assert "changed" in kinds(look(bundle))


def test_a_manifest_of_another_bundle_is_named(
    exhibit: Exhibit, bundle: Path, tmp_path: Path
) -> None:
    other = exhibit.bundle(tmp_path / "other", end_s=8)
    shutil.copyfile(other / manifest.NAME, bundle / manifest.NAME)
    assert "changed" in kinds(look(bundle))
    for name in (manifest.SUMS, manifest.SIGNATURE):
        shutil.copyfile(other / name, bundle / name)
    assert kinds(look(bundle)) >= {"changed", "extra"}


def test_a_bundle_made_anew_by_somebody_else_has_another_signer(bundle: Path, whole: Path) -> None:
    trusted = look(whole).signer
    natives(bundle)[0].unlink()
    sign_again(bundle, Signer(Ed25519PrivateKey.generate()))
    assert "signer" in kinds(look(bundle, trusted))
    assert kinds(look(bundle)) >= {"log", "manifest"}, "the log is not theirs"


def call_gap(body: dict[str, Any], number: int) -> None:
    camera = body["cameras"][0]
    gone = camera["segments"].pop(number)
    camera["gaps"].append({"start": gone["start"], "end": gone["end"], "cause": "source"})


LIES: dict[str, tuple[Edit, str]] = {
    "a gap is hidden": (lambda body: body["cameras"][0]["gaps"].clear(), "gap"),
    "a segment is left out": (lambda body: body["cameras"][0]["segments"].pop(1), "gap"),
    "the tail is left out": (lambda body: body["cameras"][0]["segments"].pop(), "gap"),
    "a range that was never covered": (
        lambda body: body["cameras"][0]["segments"][4].update(end="2026-01-05T14:03:26.92Z"),
        "segment",
    ),
    "another camera": (lambda body: body["cameras"][0].update(camera="cam08"), "segment"),
    "another time": (
        lambda body: body["cameras"][0]["segments"][0].update(start="2026-01-05T13:03:06.92Z"),
        "segment",
    ),
    "another order": (lambda body: body["cameras"][0]["segments"].reverse(), "order"),
    "a segment twice": (
        lambda body: body["cameras"][0]["segments"].insert(0, body["cameras"][0]["segments"][0]),
        "order",
    ),
    "fewer frames": (
        lambda body: body["cameras"][0]["segments"][0].update(frames=49),
        "segment",
    ),
    "another digest": (
        lambda body: body["cameras"][0]["segments"][0].update(sha256="0" * 64),
        "manifest",
    ),
    "a range of which there is more": (
        lambda body: body["asked"].update(end="2026-01-05T14:10:00Z"),
        "gap",
    ),
    "a segment is left out and called a gap": (lambda body: call_gap(body, 1), "chain"),
    "the tail is left out and called a gap": (lambda body: call_gap(body, -1), "chain"),
    "frames that are no number": (
        lambda body: body["cameras"][0]["segments"][0].update(frames="many"),
        "manifest",
    ),
    "no camera": (lambda body: body["cameras"].clear(), "manifest"),
    "no format": (lambda body: body.pop("format"), "manifest"),
    "another version": (lambda body: body.update(version=2), "manifest"),
    "no times": (lambda body: body["asked"].update(start="yesterday"), "manifest"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_site_that_signs_a_lie_is_found_out_by_the_segments_themselves(
    exhibit: Exhibit, bundle: Path, name: str
) -> None:
    edit, kind = LIES[name]
    assert kind in kinds(lie(bundle, exhibit, edit))


@pytest.mark.parametrize(
    "values",
    [{"leaf": 0}, {"size": 1}, {"path": []}, {"path": ["00" * 32]}, {"log": "spanstore/north/x"}],
)
def test_a_proof_that_shows_something_else_is_none(
    exhibit: Exhibit, bundle: Path, values: dict[str, Any]
) -> None:
    path = bundle / manifest.PROOF
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    sign_again(bundle, exhibit.app.press.signer())
    verdict = look(bundle)
    assert [one.kind for one in verdict.faults] == ["log"]
    assert "does not show" in verdict.faults[0].detail


@pytest.mark.parametrize("details", [[], "x", None])
def test_an_entry_whose_details_are_none_proves_nothing(
    exhibit: Exhibit, bundle: Path, details: object
) -> None:
    path = bundle / manifest.ENTRY
    path.write_text(json.dumps({**json.loads(path.read_text()), "details": details}))
    sign_again(bundle, exhibit.app.press.signer())
    assert kinds(look(bundle)) == {"log"}


def test_a_key_of_a_kind_that_is_not_known_has_signed_nothing(bundle: Path) -> None:
    rsa = subprocess.run(
        ["sh", "-c", "openssl genpkey -algorithm RSA 2>/dev/null | openssl pkey -pubout"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    (bundle / manifest.SIGNER).write_bytes(rsa)
    assert "signature" in kinds(look(bundle))


def test_a_segment_whose_footer_makes_no_sense_is_named(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: object) -> None:
        raise ValueError("non-hexadecimal number")

    monkeypatch.setattr("recorder.evidence.verify.segment_from_footer", odd)
    assert kinds(look(bundle)) == {"segment"}


def test_what_a_site_signs_anew_is_not_in_its_log(exhibit: Exhibit, bundle: Path) -> None:
    verdict = lie(bundle, exhibit, lambda body: body["made"].update(purpose="another"))
    assert kinds(verdict) == {"log"}


def test_a_bundle_without_the_log_says_that_this_is_not_proven(
    exhibit: Exhibit, bundle: Path
) -> None:
    for name in ("log", "chain"):
        shutil.rmtree(bundle / name)
    sign_again(bundle, exhibit.app.press.signer())
    verdict = look(bundle)
    assert verdict.whole
    assert any("audit log" in one for one in verdict.unproven)


@pytest.mark.parametrize(
    "line", ["native/../../x", "/etc/passwd", "a//b", "./a", "a\\b", "", "native/a\nb"]
)
def test_sums_that_lead_out_of_the_bundle_are_no_sums(
    exhibit: Exhibit, bundle: Path, line: str
) -> None:
    path = bundle / manifest.SUMS
    path.write_bytes(path.read_bytes() + f"{'0' * 64}  {line}\n".encode())
    (bundle / manifest.SIGNATURE).write_bytes(exhibit.app.press.signer().sign(path.read_bytes()))
    assert "signature" in kinds(look(bundle))


def test_a_manifest_is_as_its_schema_says(whole: Path) -> None:
    schema = json.loads((ROOT / "docs/guide/evidence.schema.json").read_text())
    body = json.loads((whole / manifest.NAME).read_bytes())
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(body)
    for path in ((), ("made",), ("cameras", 0), ("cameras", 0, "segments", 0)):
        names = {name for name in reduce(lambda one, key: one[key], path, body)}
        for name in names - {"policy"}:
            broken = json.loads(json.dumps(body))
            reduce(lambda one, key: one[key], path, broken).pop(name)
            assert not validator.is_valid(broken), (path, name)


# -- the commands -----------------------------------------------------------------------------


def run(*words: object) -> Any:
    return CliRunner().invoke(recorder, [str(one) for one in words])


def test_commands_make_a_bundle_show_the_key_and_verify(exhibit: Exhibit, tmp_path: Path) -> None:
    config = tmp_path / "r.yaml"
    own = exhibit.app.settings
    store = own.all_stores[0].path
    config.write_text(
        f"site: north\nnode: n1\ndata: {own.data}\n"
        f"stores: [{{name: main, path: {store}, kind: directory}}]\n"
    )
    target = tmp_path / "out.zip"
    done = run(
        "-c", config, "export", "create", "--camera", "cam07", "--start", format_instant(T0),
        "--end", format_instant(T0 + 25 * SECOND), "--case", "7", "--purpose", "trial",
        "-o", target,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "north/cam07: 8 segments" in done.output
    assert "MISSING" in done.output
    key = run("-c", config, "export", "key").output.split()[0]
    grouped = ":".join(key[i : i + 2] for i in range(0, 64, 2)).upper()
    good = run("verify", target, "--key", grouped)
    assert good.exit_code == 0
    assert "by the key that you named" in good.output
    assert json.loads(run("verify", target, "--json").output)["whole"] is True
    for words, error in (
        ((target, "--key", "0" * 64), IntegrityError),
        ((target, "--key", "12"), RequestError),
        ((tmp_path / "nothing",), NotFound),
        ((config,), IntegrityError),
    ):
        assert isinstance(run("verify", *words).exception, error), words


# -- with standard tools ---------------------------------------------------------------------


def test_openssl_and_sha256sum_alone_tell_whole_from_tampered(bundle: Path) -> None:
    key, signed, same, listed = follow(bundle)
    assert key[1].split()[0] == look(bundle).signer
    assert signed == (0, "Signature Verified Successfully\n")
    assert same == (0, "")
    there = {one.removeprefix("./") for one in listed[1].split()}
    sums = (bundle / manifest.SUMS).read_text().splitlines()
    assert there - manifest.UNSUMMED == {one[66:] for one in sums}
    path = natives(bundle)[0]
    raw = bytearray(path.read_bytes())
    raw[1000] ^= 1
    path.write_bytes(raw)
    assert follow(bundle)[2][0] != 0
    sums_file = bundle / manifest.SUMS
    sums_file.write_text(sums_file.read_text().replace("0", "1", 1))
    assert follow(bundle)[1][0] != 0


def test_the_clips_play_and_have_what_was_asked(whole: Path) -> None:
    body = json.loads((whole / manifest.NAME).read_bytes())
    clips = body["cameras"][0]["clips"]
    assert [one["parts"][0]["frames"] for one in clips] == [198, 127]
    assert clips[0]["parts"][0]["start"] == "2026-01-05T14:03:08.000000Z"


def test_the_report_shows_gaps_digests_and_words_that_need_quoting(
    exhibit: Exhibit, whole: Path
) -> None:
    report = (whole / manifest.REPORT).read_text()
    assert "the recorder did not run" in report
    for native in natives(whole):
        assert hashlib.sha256(native.read_bytes()).hexdigest() in report
    assert look(whole).signer in report
    assert "<script" not in report


def test_pictures_are_of_what_there_is_where_half_of_a_range_is_a_gap(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    body = json.loads((exhibit.bundle(tmp_path / "b", 1, 19) / manifest.NAME).read_bytes())
    camera = body["cameras"][0]
    gap = camera["gaps"][0]
    assert camera["problems"] == []
    assert len(camera["pictures"]) == 2
    assert all(one["at"] < gap["start"] for one in camera["pictures"])
