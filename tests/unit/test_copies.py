"""Bundles of masked copies: the originals are named and not there, and nothing else passes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from recorder.cli import recorder
from recorder.errors import CopyMissing, StateError
from recorder.evidence import manifest
from recorder.evidence.verdict import Verdict
from recorder.export.burnt import size_of
from recorder.export.sinks import bundle_at
from recorder.handover import Asked, hand_over
from recorder.model.camera_document import parse_camera
from recorder.model.exports import Form
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import AskedEntries
from tests.support.bundles import Edit, kinds, lie, look, sign_again
from tests.support.exhibit import ANA, Exhibit
from tests.support.make import STREAM, T0
from tests.unit.test_burnt import BLACK, BLUR, pictures, times, within

ROOT = Path(__file__).parents[2]
RANGE = TimeRange(T0 + SECOND, T0 + 25 * SECOND)
MASKS = [{"polygon": [list(point) for point in mask.polygon], "fill": mask.fill}
         for mask in (BLACK, BLUR)]  # fmt: skip


def original(exhibit: Exhibit, key: str) -> bytes:
    return (exhibit.app.settings.data.parent / "store" / key).read_bytes()


def make(exhibit: Exhibit, target: Path, **asked: Any) -> dict[str, Any]:
    wanted = Asked([STREAM.camera], RANGE, "12/2026 'x' 案件", "trial", form=Form(**asked))
    with bundle_at(target) as sink:
        return hand_over(exhibit.app, ANA, wanted, sink, lambda _: None)


@pytest.fixture(scope="module")
def exhibit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exhibit]:
    one = Exhibit(tmp_path_factory.mktemp("exhibit"))
    document = parse_camera(STREAM.camera, {"url": "rtsp://x/y", "masks": MASKS})
    one.app.catalog.cameras.put(document, T0, None)
    yield one
    one.close()


@pytest.fixture(scope="module")
def whole(exhibit: Exhibit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("made") / "bundle"
    make(exhibit, target, masked=True, mark=True)
    return target


def test_it_has_masked_copies_and_names_the_originals_by_their_digests(
    exhibit: Exhibit, whole: Path
) -> None:
    body = json.loads((whole / manifest.NAME).read_bytes())
    assert (body["version"], body["copies"]["masked"]) == (2, True)
    assert body["copies"]["mark"][1] == "case 12/2026 'x' 案件"
    assert not (whole / "native").exists()
    (camera,) = body["cameras"]
    assert camera["masks"] == MASKS
    known = {one.key: one.digest for one in exhibit.segments}
    assert len(camera["segments"]) > 4
    for one in camera["segments"]:
        assert (one["in_bundle"], one["sha256"]) == (False, known[one["key"]])
        assert "file" not in one
    assert len(camera["clips"]) == 2, "one for each span"
    for clip in camera["clips"]:
        shown = pictures(whole / clip["file"])
        assert len(shown) == sum(part["frames"] for part in clip["parts"])
        assert len(times(whole / clip["file"])["video"]) == len(shown)
        assert max(max(within(one, BLACK)) for one in shown[::10]) <= 24
    for picture in camera["pictures"]:
        jpeg = whole / picture["file"]
        assert size_of(jpeg.read_bytes()) == (320, 180)
        assert max(within(pictures(jpeg)[0], BLACK, 6)) <= 24
    schema = json.loads((ROOT / "docs/guide/evidence.schema.json").read_bytes())
    jsonschema.validate(body, schema)
    report = (whole / manifest.REPORT).read_text()
    assert "not in this bundle" in report
    assert "The segments that they were made of are not in it" in (
        " ".join((whole / manifest.HELP).read_text().split())
    )
    assert list((exhibit.app.spool.root / "burning").iterdir()) == [], "no original is left about"
    for one in exhibit.segments:
        raw = original(exhibit, one.key)
        assert hashlib.sha256(raw).hexdigest() == one.digest, "what was recorded is as it was"


def test_the_verifier_says_what_is_proven_of_copies_and_what_is_not(whole: Path) -> None:
    verdict = look(whole)
    assert verdict.faults == []
    said = next(one for one in verdict.proven if "NOT in it" in one)
    assert "with masks and with a mark burnt in" in said
    assert "by its SHA-256" in said
    assert not any("each of which says itself" in one for one in verdict.proven)
    assert any("are those that were sealed" in one for one in verdict.proven), "the log has them"
    assert any(one.startswith("That the copies show what the originals") for one in
               verdict.unproven)  # fmt: skip


def test_the_log_says_that_copies_were_handed_over(exhibit: Exhibit, whole: Path) -> None:
    from recorder.audit.entry import read_entry

    assert whole.exists()
    found = [read_entry(one.raw) for one in exhibit.app.catalog.audit_log.search(
        AskedEntries(), 50)]  # fmt: skip
    made = [one for one in found if one.action in ("footage.export", "export.made")]
    assert made
    assert all(one.details["masked"] is True for one in made)


def drop(name: str, at: int = 0) -> Edit:
    return lambda body: body["cameras"][0][name].pop(at)


def put(name: str, value: Any, at: int = 1) -> Edit:
    return lambda body: body["cameras"][0]["segments"][at].update({name: value})


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        (lambda body: body.update(version=1), "manifest"),
        (lambda body: body.pop("copies"), "manifest"),
        (lambda body: (body.update(version=1), body.pop("copies")), "manifest"),
        (lambda body: body["copies"].update(masked=False, mark=[]), "manifest"),
        (lambda body: body["copies"].update(masked="yes"), "manifest"),
        (lambda body: body["cameras"][0].update(masks=[]), "manifest"),
        (put("in_bundle", True), "manifest"),
        (put("in_bundle", 0), "manifest"),
        (put("file", "native/x.mp4"), "manifest"),
        (lambda body: body["cameras"][0]["segments"][1].pop("in_bundle"), "manifest"),
        (put("sha256", "ab" * 32), "chain"),
        (put("sha256", "short"), "manifest"),
        (put("bytes", 7), "chain"),
        (put("bytes", 0), "manifest"),
        (put("end", "2026-01-05T14:03:12.000000000Z"), "chain"),
        (drop("segments"), "chain"),
        (drop("segments", 2), "gap"),
        (drop("segments", -1), "segment"),
        (drop("gaps"), "gap"),
        (drop("pictures"), "manifest"),
        (drop("clips"), "gap"),
        (drop("clips", 1), "gap"),
        (lambda body: body["cameras"][0]["clips"][0].update(sources_sha256="ab" * 32), "segment"),
        (lambda body: body["cameras"][0]["clips"][0]["parts"].clear(), "segment"),
        (lambda body: body["cameras"][0]["clips"][0]["parts"][0].update(
            end="2026-01-05T14:03:18.500000Z"), "segment"),
        (lambda body: body["cameras"][0]["clips"][0].update(file="pictures/x"), "manifest"),
        (lambda body: body["cameras"][0]["segments"].reverse(), "order"),
        (lambda body: body["cameras"][0].pop("clips"), "manifest"),
        (lambda body: body["cameras"][0].update(onvif=[dict(body["cameras"][0]["clips"][0])]),
         "manifest"),
        (lambda body: body["cameras"][0].update(c2pa=[dict(body["cameras"][0]["clips"][0])]),
         "manifest"),
    ],
)  # fmt: skip
def test_a_site_that_lies_in_a_bundle_of_copies_is_found_out(
    exhibit: Exhibit, bundle: Path, edit: Edit, kind: str
) -> None:
    verdict = lie(bundle, exhibit, edit)
    assert kind in kinds(verdict), verdict.faults


def test_a_bundle_of_copies_in_which_anything_was_changed_never_passes(
    exhibit: Exhibit, bundle: Path
) -> None:
    def broken() -> Verdict:
        verdict = look(bundle)
        assert not verdict.whole
        return verdict

    for path in sorted(one for one in bundle.rglob("*") if one.is_file()):
        raw = path.read_bytes()
        changed = bytearray(raw)
        changed[len(raw) // 2] ^= 1
        path.write_bytes(bytes(changed))
        broken()
        path.unlink()
        broken()
        path.write_bytes(raw)
        assert look(bundle).whole
    one = exhibit.segments[0]
    native = bundle / "native" / one.key
    native.parent.mkdir(parents=True)
    native.write_bytes(original(exhibit, one.key))
    assert kinds(broken()) >= {"extra"}
    sign_again(bundle, exhibit.app.press.signer())
    assert kinds(broken()) >= {"manifest"}, "an original is no part of it, whoever signs"
    shutil.rmtree(bundle / "native")
    (bundle / "onvif").mkdir()
    (bundle / "onvif/clear.mp4").write_bytes(b"clear")
    sign_again(bundle, exhibit.app.press.signer())
    assert kinds(broken()) >= {"manifest"}, "neither is another form of one"


def test_the_commands_set_masks_show_them_make_a_bundle_and_verify_it(tmp_path: Path) -> None:
    exhibit = Exhibit(tmp_path / "site")
    app = exhibit.app
    app.catalog.cameras.put(parse_camera(STREAM.camera, {"url": "rtsp://x/y"}), T0, None)
    config = tmp_path / "recorder.yaml"
    stores = [{"name": "main", "kind": "directory", "path": str(tmp_path / "site/store")}]
    values = {"site": STREAM.site, "node": "n1", "data": str(app.settings.data), "stores": stores}
    config.write_text(json.dumps(values))
    exhibit.close()

    def run(*words: str) -> str:
        ran = CliRunner().invoke(recorder, ["--config", str(config), *words])
        assert ran.exit_code == 0, (ran.output, ran.exception)
        return ran.output

    run("camera", "set", "cam07", f"masks={json.dumps(MASKS)}", "--sensitive", "purpose")
    shown = yaml.safe_load(run("camera", "show", "cam07"))
    assert (shown["masks"], shown["sensitive"]) == (MASKS, "purpose")
    run("export", "create", "--camera", "cam07", "--start", "2026-01-05T14:03:08Z", "--end",
        "2026-01-05T14:03:14Z", "--case", "7", "--purpose", "x", "--masked",
        "-o", str(tmp_path / "out.zip"))  # fmt: skip
    assert "NOT in it" in run("verify", str(tmp_path / "out.zip"))
    run("camera", "set", "cam07", "masks=null", "sensitive=null")
    shown = yaml.safe_load(run("camera", "show", "cam07"))
    assert (shown["masks"], shown["sensitive"]) == (None, None)


def test_a_bundle_of_what_was_recorded_cannot_say_that_it_is_of_copies(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    bundle = exhibit.bundle(tmp_path / "bundle", 1, 4)
    assert look(bundle).whole
    said = {"copies": {"masked": True, "mark": []}}
    assert "manifest" in kinds(lie(bundle, exhibit, lambda body: body.update(said)))


def test_a_mark_alone_makes_copies_too(exhibit: Exhibit, tmp_path: Path) -> None:
    body = make(exhibit, tmp_path / "bundle", mark=True)
    assert body["copies"]["masked"] is False
    assert not (tmp_path / "bundle/native").exists()
    assert look(tmp_path / "bundle").whole


def test_no_bundle_is_made_of_a_camera_without_masks_or_of_a_segment_that_is_damaged(
    tmp_path: Path,
) -> None:
    exhibit = Exhibit(tmp_path / "site")
    app = exhibit.app
    with pytest.raises(StateError, match="has no masks"):
        make(exhibit, tmp_path / "bundle", masked=True)
    document = parse_camera(STREAM.camera, {"url": "rtsp://x/y", "masks": MASKS})
    app.catalog.cameras.put(document, T0, None)
    path = app.settings.data.parent / "store" / exhibit.segments[2].key
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(raw))
    with pytest.raises(CopyMissing, match="is not, byte for byte, what was recorded"):
        make(exhibit, tmp_path / "bundle", masked=True)
    assert not (tmp_path / "bundle").exists()
    assert list((app.spool.root / "burning").iterdir()) == []
    exhibit.close()
