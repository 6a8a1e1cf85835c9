"""Picture and sound are captured apart and stored as one segment, every sample untouched."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

import pytest

from recorder import index
from recorder.bmff import avc, hevc
from recorder.bmff.footer import read_footer
from recorder.bmff.init import read_init
from recorder.bmff.parameters import header_sets
from recorder.capture.command import Tracks
from recorder.capture.sealer import Sealer
from recorder.model.media import Segment
from recorder.model.timebase import SECOND
from recorder.spool.disk import Spool
from tests.support import media
from tests.support.heard import heard
from tests.support.make import T0
from tests.support.shelf import RUN, capture, make_film, make_parted, sealed


def joined(parts: list[tuple[Segment, Path]], target: Path) -> Path:
    """Init segment of the first, then the fragments of all."""
    body = b""
    for i, (segment, path) in enumerate(parts):
        whole = path.read_bytes()
        footer = read_footer(whole, len(whole))
        assert footer is not None
        body += whole[0 if i == 0 else segment.init_bytes : footer.offset]
    target.write_bytes(body)
    return target


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds with B-frames and AAC."""
    return make_film(tmp_path_factory.mktemp("film"))


@pytest.mark.parametrize("sounds", [("copy",), ("",), ("aac",)])
def test_sound_and_picture_are_the_sources_packets_bit_for_bit(
    film: Path, tmp_path: Path, sounds: tuple[str, ...]
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=sounds))
    parts = sealed(spool, folder)
    assert len(parts) >= 4
    assert not folder.exists(), "nothing of the run is left"
    segments = [segment for segment, _ in parts]
    assert {one.span_id for one in segments} == {segments[0].span_id}
    assert [one.counter for one in segments] == list(range(len(segments)))
    for before, after in itertools.pairwise(segments):
        assert (before.end, before.media_end) == (after.start, after.media_start)
    whole = joined(parts, tmp_path / "joined.mp4")
    for ffmpeg in (media.FF5, media.FF9):
        assert media.stream_hash(whole, "v", ffmpeg) == media.stream_hash(film, "v", ffmpeg)
    if sounds == ("copy",):
        assert media.stream_hash(whole, "a") == media.stream_hash(film, "a")
    assert ("mp4a" in segments[0].codecs) == bool(sounds[0])


def test_a_file_whose_times_make_no_sense_is_put_aside_and_the_rest_is_sealed(
    film: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("",)))
    path = folder / "000001.mp4"
    lying, facts = bytearray(path.read_bytes()), path.stat()
    at = lying.index(b"tfdt") + 8
    lying[at : at + 8] = b"\0\x7f" + b"\xff" * 6
    path.write_bytes(lying)
    os.utime(path, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    parts = sealed(spool, folder)
    assert [segment.frames for segment, _ in parts] == [50, 50, 50, 25], "its neighbours are whole"
    (aside,) = (spool.root / "quarantine").glob("*.txt")
    assert "make no sense" in aside.read_text()
    assert aside.with_suffix(".mp4").read_bytes() == lying, "and nothing of it is lost"
    assert not folder.exists()


def test_a_torn_note_of_an_arrival_is_not_taken_for_an_arrival_long_ago(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    path = spool.open_run(RUN) / "000000.mp4"
    spool.note_arrival(path, 1000, T0)
    spool.note_arrival(path, 2000, T0 + SECOND)
    notes = path.with_suffix(".arrivals")
    notes.write_text(notes.read_text()[:-8])
    assert spool.arrivals(path) == [(1000, T0)]


def test_the_table_of_a_laid_out_segment_is_what_a_scan_of_it_finds(
    film: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    for segment, path in sealed(spool, folder)[1:]:
        whole = path.read_bytes()
        footer = read_footer(whole, len(whole))
        assert footer is not None
        told, init = footer.frames(), read_init(whole)
        found = index.scan(whole, init).table
        assert (told.offsets, told.ends, told.prfts) == (found.offsets, found.ends, found.prfts)
        for mine, theirs in zip(told.tracks, found.tracks, strict=True):
            for name in ("size", "cts", "sync", "offset", "first", "dts"):
                assert getattr(mine, name) == getattr(theirs, name), name
        assert init.size == segment.init_bytes


def test_sound_that_comes_and_goes_costs_no_picture_and_leaves_no_gap(
    film: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    for number in ("000001", "000002"):
        (folder / "sound0" / f"{number}.mp4").unlink()
    parts = sealed(spool, folder)
    told = ["mp4a" in segment.codecs for segment, _ in parts]
    assert told[0]
    assert not all(told)
    assert told[-1]
    for (before, _), (after, _) in itertools.pairwise(parts):
        assert before.end == after.start
    assert sum(segment.frames for segment, _ in parts) == 225


@pytest.mark.parametrize("ffmpeg", [media.FF5, media.FF9], ids=["5.1", "own"])
def test_sound_that_is_made_aac_stays_with_the_picture_it_was_taken_with(
    ffmpeg: str, tmp_path: Path
) -> None:
    film = tmp_path / "clicks.mkv"
    clicks = "aevalsrc='if(gte(t,1)*lt(mod(t,1),0.1),sin(3000*t),0)':s=8000"
    subprocess.run(
        [media.FF9, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi",
         "-i", clicks, "-t", "5", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25",
         "-c:a", "pcm_alaw", str(film)], check=True,
    )  # fmt: skip
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("aac",)), ffmpeg=ffmpeg)
    whole = joined(sealed(spool, folder), tmp_path / "joined.mp4")
    assert heard(whole) == pytest.approx([1, 2, 3, 4], abs=0.02)


@pytest.mark.parametrize("codec", ["264", "265"])
def test_a_file_whose_header_does_not_fit_its_pictures_is_parted_where_they_change(
    codec: str, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(make_parted(tmp_path, codec), folder, Tracks(sounds=("",)), 60)
    parts = sealed(spool, folder)
    assert [(one.width, one.height) for one, _ in parts] == [(320, 240), (640, 480), (320, 240)]
    assert [one.frames for one, _ in parts] == [75, 75, 75]
    for (before, _), (after, _) in itertools.pairwise(parts):
        assert before.end == after.start
        assert before.span_id != after.span_id
    for segment, path in parts:
        size = f"{segment.width},{segment.height}"
        for field in ("stream=width,height", "frame=width,height"):
            said = subprocess.run(
                ["/usr/bin/ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", field,
                 "-of", "csv=p=0", str(path)], capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert {line.strip(",") for line in said.stdout.split()} == {size}
        sets = header_sets(read_init(path.read_bytes()).lead)
        size_of = avc.size_of if codec == "264" else hevc.size_of
        shown = {size_of(unit) for (kind, _), unit in sets.items() if kind in (7, 33)}
        assert shown == {(segment.width, segment.height)}
        assert segment.codecs.startswith("avc1" if codec == "264" else "hvc1")


def test_a_process_that_dies_after_naming_a_segment_seals_nothing_twice(
    film: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    first = spool.files(folder)[0]
    kept = first.read_bytes()
    found: list[Segment] = []
    Sealer(spool, found.append).seal_file(first, RUN)
    first.write_bytes(kept)  # as if it had died before the file was removed
    rest: list[Segment] = []
    Sealer(spool, rest.append).finish_run(folder, RUN)
    assert found[0].key not in [one.key for one in rest]
    assert found[0].end == rest[0].start
    path = spool.path_of(found[0].key)
    assert path is not None
    assert sum(one.frames for one in [*found, *rest]) == 225


def test_a_laid_out_segment_can_be_played_from_its_first_second(film: Path, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    segment, path = sealed(spool, folder)[0]
    assert segment.end - segment.start < 3 * SECOND
    for ffmpeg in (media.FF5, media.FF9):
        said = subprocess.run(
            [ffmpeg, "-v", "warning", "-i", str(path), "-f", "null", "-"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert said.stderr == ""
