"""A thin segment holds its original's clean points, unaltered, and describes itself."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from policies.plan import Plan, Thin
from recorder import index
from recorder.bmff.footer import read_footer
from recorder.bmff.init import read_init
from recorder.errors import CopyMissing, StoreRefused, StoreUnavailable
from recorder.janitor.again import FIRST_S
from recorder.janitor.deciding import copies_in
from recorder.janitor.thin import Thinner
from recorder.model.keys import parse_key
from recorder.model.media import THIN, Segment
from recorder.model.runs import Run
from recorder.model.timebase import SECOND
from recorder.reading.view import View
from recorder.segment.meta import segment_from_footer
from recorder.thinning import Writing, fragment_head, thin
from recorder.throttle import Throttle
from tests.support.make import STREAM, T0, seal_one, segment
from tests.support.media import FF9
from tests.support.shelf import Shelf
from tests.unit.test_moving import Lying

RUN = Run(STREAM, "n1", 1, 1, T0, "node", "file:test")


@pytest.fixture(scope="module", params=["plain", "bframes and sound"])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds as recorded: GOPs of a second, in fragments with ``prft``."""
    path: Path = tmp_path_factory.mktemp("thin") / "ten.mp4"
    rich = request.param != "plain"
    sound = ["-f", "lavfi", "-i", "sine=440"] if rich else []
    subprocess.run(
        [FF9, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", *sound, "-t", "10",
         "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "2" if rich else "0",
         "-video_track_timescale", "90000", "-movflags",
         "empty_moov+default_base_moof+frag_keyframe", "-write_prft", "wallclock", str(path)],
        check=True,
    )  # fmt: skip
    return path


def sealed(path: Path) -> tuple[Segment, bytes, index.FrameTable]:
    body = path.read_bytes()
    done = seal_one(body, RUN, T0 + 10 * SECOND)
    whole = body[: done.keep_bytes] + done.trailer
    footer = read_footer(whole, len(whole))
    assert footer is not None
    return done.segment, whole, footer.frames()


def test_a_thin_segment_is_its_originals_clean_points_bit_for_bit(
    original: Path, tmp_path: Path
) -> None:
    segment, whole, table = sealed(original)
    writing = Writing(
        thin(segment, whole[: segment.init_bytes], table),
        lambda offset, length: iter((whole[offset : offset + length],)),
    )
    small = b"".join(writing.blocks())
    made = writing.segment
    assert made is not None
    init = read_init(small)
    assert len(init.tracks) == 1, "sound is left out"
    scan = index.scan(small, init)
    assert scan.whole
    assert scan.table.tracks == writing.found.table.tracks
    assert scan.table.prfts == writing.found.table.prfts
    assert any(ns > 0 for ns in scan.table.prfts), "the camera's clock is kept"
    assert made.frames == 10
    assert (made.start, made.end, made.span_start, made.counter) == (
        segment.start, segment.end, segment.span_start, segment.counter,
    )  # fmt: skip
    assert (made.media_start, made.media_end) == (segment.media_start, segment.media_end)
    assert made.size_bytes == len(small) < len(whole)
    assert made.is_thin
    assert made.node == "n1"
    assert parse_key(made.key) is not None
    footer = read_footer(small, len(small))
    assert footer is not None
    assert footer.meta["thinned_from"]["digest"] == segment.digest
    again = segment_from_footer(footer.meta, footer.frames(), made.key, len(small), made.digest)
    assert again == made, "the store alone tells it"
    path = tmp_path / "thin.mp4"
    path.write_bytes(small)
    assert frames(path) == frames(original, "-skip_frame", "nokey")


def frames(path: Path, *flags: str) -> list[str]:
    argv = [FF9, "-v", "error", *flags, "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough",
            "-f", "framemd5", "-"]  # fmt: skip
    said = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    return [line.split(",")[-1].strip() for line in said.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("ns", [0, 1, 999_999_999, T0 + 1, T0 + 123_456_789])
def test_a_clock_is_read_as_it_was_written(ns: int, original: Path) -> None:
    body = original.read_bytes()
    init = replace(read_init(body))
    video = init.tracks[0]
    head = fragment_head(video.track_id, 1, 5, 7, 3, ns)
    scan = index.scan(body[: init.size] + head + b"abc", init)
    assert list(scan.table.prfts) == [ns]


@pytest.mark.parametrize("problem", [CopyMissing("gone"), StoreRefused("AccessDenied")])
@pytest.mark.parametrize("written", [False, True])
def test_what_cannot_be_made_thin_rests_while_others_have_their_turn(
    written: bool, problem: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, asked = Shelf(tmp_path), list[str]()
    wanted = [segment(0, points=b""), segment(20, points=b"")]
    shelf.catalog.commits.add_segments(wanted, shelf.store.name, T0)

    def made(view: View, original: Segment, scratch: Path) -> tuple[Path, SimpleNamespace]:
        asked.append(original.key)
        if not written:
            raise problem
        found = SimpleNamespace(init=None, table=None)
        return scratch / "none", SimpleNamespace(segment=original, found=found)

    def refuses(*_: object) -> str:
        raise StoreRefused("QuotaExceeded")

    monkeypatch.setattr("recorder.janitor.thin.make_thin", made)
    monkeypatch.setattr("recorder.janitor.thin.attributes", lambda *_: {})
    monkeypatch.setattr(shelf.store, "put_file", refuses)
    throttle = Throttle(shelf.clock, 0, lambda _: None)
    thinner = Thinner(shelf.catalog, shelf.view, shelf.clock, tmp_path, throttle)
    thins = tuple(
        Thin(STREAM, one.start, one.end, one.writer, one.size_bytes, "rule", "old")
        for one in wanted
    )
    plan = Plan(shelf.store.name, (), 0, 0, 1, thins=thins)

    def sweeps() -> list[str]:
        asked.clear()
        for _ in wanted:
            with suppress(StoreRefused):
                thinner.carry_out(shelf.store, plan, float("inf"))
        return sorted(asked)

    both = sorted(one.key for one in wanted)
    assert (sweeps(), sweeps()) == (both, [])
    shelf.clock.sleep(FIRST_S + 1)
    assert sweeps() == both
    shelf.close()


def test_clean_points_that_a_store_alters_are_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, body = Shelf(tmp_path), b"clean points"
    original = segment(0, points=b"")
    shelf.catalog.commits.add_segments([original], shelf.store.name, T0)
    own: dict[str, Any] = {"size_bytes": len(body), "digest": hashlib.sha256(body).hexdigest()}
    thin = segment(0, points=b"", writer=original.writer + THIN, **own)

    def made(view: View, original: Segment, scratch: Path) -> tuple[Path, SimpleNamespace]:
        (scratch / "thin").write_bytes(body)
        found = SimpleNamespace(init=None, table=None)
        return scratch / "thin", SimpleNamespace(segment=thin, found=found)

    monkeypatch.setattr("recorder.janitor.thin.make_thin", made)
    monkeypatch.setattr("recorder.janitor.thin.attributes", lambda *_: {})
    throttle = Throttle(shelf.clock, 0, lambda _: None)
    thinner = Thinner(shelf.catalog, shelf.view, shelf.clock, tmp_path, throttle)
    one = Thin(STREAM, original.start, original.end, original.writer, 1000, "rule", "old")
    plan = Plan(shelf.store.name, (), 0, 0, 1, thins=(one,))
    with pytest.raises(StoreUnavailable, match="other bytes"):
        thinner.carry_out(Lying(shelf.store.name), plan, float("inf"))
    assert [one.segment.is_thin for one in copies_in(shelf.catalog.planning, "main")] == [False]
    shelf.clock.sleep(FIRST_S + 1)
    assert thinner.carry_out(shelf.store, plan, float("inf")) == 1
    shelf.close()
