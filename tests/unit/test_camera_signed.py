"""Signatures that a camera put into its stream are preserved, counted, and told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.evidence import manifest, search
from recorder.evidence.camera_signed import SCHEMES, Finder
from tests.support.bundles import kinds, lie, look, natives
from tests.support.exhibit import Exhibit
from tests.support.signing_camera import AXIS, ONVIF, make_signed_film, sei, signatures_in


@dataclass(frozen=True)
class Signed:
    """A film whose camera has signed it, a site that recorded it, a bundle of that."""

    codec: str
    uuid: bytes
    scheme: str
    film: Path
    bundle: Path
    exhibit: Exhibit

    def signatures(self, path: Path) -> list[bytes]:
        return signatures_in(path, self.codec, self.uuid)


@pytest.fixture(
    scope="module",
    params=[("264", ONVIF, "onvif-media-signing"), ("265", AXIS, "axis-signed-video")],
    ids=["h264-onvif", "h265-axis"],
)
def signed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Signed]:
    codec, uuid, scheme = request.param
    folder = tmp_path_factory.mktemp("signed")
    film = make_signed_film(folder, codec, uuid)
    exhibit = Exhibit(folder / "site", film)
    yield Signed(codec, uuid, scheme, film, exhibit.bundle(folder / "bundle", 0, 9), exhibit)
    exhibit.close()


def test_every_signature_of_the_camera_is_in_segments_and_clips_as_it_came(
    signed: Signed,
) -> None:
    bundle = signed.bundle
    sent = signed.signatures(signed.film)
    assert len(sent) == 9
    kept = [one for path in natives(bundle) for one in signed.signatures(path)]
    assert kept == sent
    (clip,) = (bundle / "clips").iterdir()
    assert signed.signatures(clip) == sent


def test_manifest_report_and_verdict_say_how_many_there_are(signed: Signed, tmp_path: Path) -> None:
    bundle, exhibit, scheme = signed.bundle, signed.exhibit, signed.scheme
    body = json.loads((bundle / manifest.NAME).read_bytes())
    segments = body["cameras"][0]["segments"]
    by_nal = {one["file"]: len(signed.signatures(bundle / one["file"])) for one in segments}
    assert {one["file"]: one["media_signatures"].get(scheme, 0) for one in segments} == by_nal
    assert "9 of" in (bundle / manifest.REPORT).read_text()
    verdict = look(bundle)
    assert verdict.whole
    assert any("camera's own signatures are in the segments: 9 of" in one for one in verdict.proven)
    assert any("own signatures hold" in one for one in verdict.unproven)
    archive = exhibit.bundle(tmp_path / "b.zip", 0, 9)
    assert look(archive).whole
    assert [one for one in look(archive).proven if "9 of" in one]
    changed = shutil.copytree(bundle, tmp_path / "bundle")

    def more(body: dict[str, list[dict[str, list[dict[str, dict[str, int]]]]]]) -> None:
        body["cameras"][0]["segments"][0]["media_signatures"] = {scheme: 1, "onvif": 7}

    assert "segment" in kinds(lie(changed, exhibit, more))


def test_what_an_earlier_try_left_is_counted_too(signed: Signed, tmp_path: Path) -> None:
    bundle, exhibit = signed.bundle, signed.exhibit
    part = tmp_path / "again.part"
    shutil.copytree(bundle / "native", part / "native")
    (part / ".spanstore-export").touch()
    again = exhibit.bundle(tmp_path / "again", 0, 9)
    one, two = (json.loads((at / manifest.NAME).read_bytes()) for at in (bundle, again))
    assert one["cameras"][0]["segments"] == two["cameras"][0]["segments"]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(SCHEMES)), st.integers(0, 1200)), max_size=5),
    st.integers(1, 700),
)
def test_blocks_of_any_length_give_the_same_count(
    wanted: list[tuple[str, int]], length: int
) -> None:
    raw = b"".join(
        b"\0\0\0\x30" + sei("264", SCHEMES[scheme], bytes(size)) for scheme, size in wanted
    )
    finder = Finder()
    for at in range(0, len(raw), length):
        finder.feed(raw[at : at + length])
    there = [scheme for scheme, _ in wanted]
    assert finder.found == {one: there.count(one) for one in sorted(set(there))}


def test_a_uuid_that_is_no_payload_is_not_counted() -> None:
    finder = Finder()
    finder.feed(ONVIF + b"\x04\x20" + ONVIF + b"\xff" + ONVIF + b"\x04\xff\x20" + ONVIF)
    assert finder.found == {}
    finder.feed(b"\x05\xff\x20" + ONVIF)
    assert finder.found == {"onvif-media-signing": 1}


@given(st.binary(max_size=64), st.binary(min_size=1, max_size=3), st.integers(0, 70))
def test_the_c_librarys_search_finds_what_pythons_finds(
    text: bytes, wanted: bytes, start: int
) -> None:
    assert search._MEMMEM is not None, "glibc has it"
    for one in (text, text + wanted, wanted + b"\0" + text + wanted):
        assert search.find(one, wanted, start) == one.find(wanted, start)
