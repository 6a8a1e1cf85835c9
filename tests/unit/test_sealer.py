"""Sealing on disk: in order, each frame once, whatever line the process dies at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recorder.bmff.footer import read_footer
from recorder.capture.command import Tracks
from recorder.capture.sealer import RATE_NEEDS, Sealer
from recorder.model.media import Segment
from recorder.model.timebase import SECOND
from recorder.sealing import survey
from recorder.spool.disk import Spool
from recorder.spool.raw import load_sealed
from tests.support.shelf import RUN, capture, make_film, make_parted, sealed

FRAMES = 225


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds with B-frames and AAC."""
    return make_film(tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="module", params=["", "copy"])
def captured(film: Path, request: pytest.FixtureRequest) -> Path:
    """The files of a run without and with sound: what becomes segments by a trailer, or anew."""
    folder = film.with_name(f"captured-{request.param}")
    capture(film, folder, Tracks(sounds=(request.param,)))
    return folder


class Died(BaseException):
    """The process ended here."""


class DyingSpool(Spool):
    """A spool whose process dies before one of the steps that change what is on disk."""

    STEPS = ("save_progress", "finish", "assemble", "_move", "drop", "mark_end", "close_run")

    def __init__(self, root: Path, steps: int) -> None:
        super().__init__(root)
        self.left = steps
        for name in self.STEPS:
            setattr(self, name, partial(self._step, getattr(self, name)))

    def _step(self, work: Callable[..., Any], *args: object) -> Any:
        if self.left == 0:
            raise Died
        self.left -= 1
        return work(*args)


def open_run(spool: Spool, captured: Path) -> Path:
    folder = spool.open_run(RUN)
    shutil.copytree(captured, folder, dirs_exist_ok=True)
    return folder


def stored(spool: Spool) -> dict[str, Segment]:
    """What lies sealed, read from the files alone."""
    keys = [key for key, _ in spool.keys("sealed") if key.endswith(".mp4")]
    return {key: load_sealed(spool.root / "sealed" / key, key) for key in keys}


def test_wherever_the_process_dies_each_frame_is_sealed_once_and_stays_what_it_was(
    captured: Path, tmp_path: Path
) -> None:
    whole = Spool(tmp_path / "whole")
    Sealer(whole, lambda _: None).finish_run(open_run(whole, captured), RUN)
    right = {key: one.digest for key, one in stored(whole).items()}
    assert len(right) >= 5
    steps = 0
    while True:
        spool = DyingSpool(tmp_path / str(steps), steps)
        folder = open_run(spool, captured)
        told: list[Segment] = []
        try:
            Sealer(spool, told.append).finish_run(folder, RUN)
            break
        except Died:
            pass
        after = Spool(spool.root)  # what was told of, or lies there at a start, is cataloged
        known = {one.key: one.digest for one in told}
        known |= {key: one.digest for key, one in stored(after).items()}
        Sealer(after, lambda _: None).finish_run(folder, RUN)
        found = stored(after)
        assert {key: one.digest for key, one in found.items()} == right, f"after step {steps}"
        assert known.items() <= {key: one.digest for key, one in found.items()}.items()
        assert sum(one.frames for one in found.values()) == FRAMES
        assert not folder.exists()
        shutil.rmtree(spool.root)
        steps += 1
    assert steps > 3 * len(right), "it did die in between"


def test_what_was_sealed_of_a_parted_file_before_a_death_stays_as_it_is(
    film: Path, tmp_path: Path
) -> None:
    parted = make_parted(tmp_path)
    whole = Spool(tmp_path / "whole")
    folder = whole.open_run(RUN)
    capture(parted, folder, Tracks(sounds=("copy",)), 60)
    shutil.copytree(folder, tmp_path / "captured")
    Sealer(whole, lambda _: None).finish_run(folder, RUN)
    right = stored(whole)
    assert [one.width for one in right.values()] == [320, 640, 320]
    assert all("mp4a" in one.codecs for one in right.values())
    spool = DyingSpool(tmp_path / "spool", 4)  # progress, the first: assembled, moved; the second
    folder = open_run(spool, tmp_path / "captured")
    with pytest.raises(Died):
        Sealer(spool, lambda _: None).finish_run(folder, RUN)
    after = Spool(spool.root)
    (first,) = stored(after).values()
    for _, path in after.sounds(folder):
        path.unlink()  # it would be sealed otherwise now
    told: list[Segment] = []
    Sealer(after, told.append).finish_run(folder, RUN)
    found = stored(after)
    assert found[first.key].digest == first.digest == right[first.key].digest
    assert list(found) == list(right)
    assert [one.key for one in told] == list(right)[1:]


def test_a_file_is_not_sealed_before_it_is_known_what_follows(
    captured: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = open_run(spool, captured)
    first, second, *rest = spool.files(folder)
    bodies = {path: path.read_bytes() for path in rest}
    for path in rest:
        path.unlink()
    body, closed_ns = second.read_bytes(), second.stat().st_mtime_ns
    second.write_bytes(body[: body.index(b"moof") + 100])
    sealer = Sealer(spool, lambda _: None)
    assert sealer.seal_closed(folder, RUN, await_sound=False) is None, "half a fragment"
    second.write_bytes(body)
    os.utime(second, ns=(closed_ns, closed_ns))
    _, scan = survey(body)
    for place, end in enumerate(scan.table.ends[: RATE_NEEDS - 1]):
        come = sealer.seal_closed(folder, RUN, await_sound=False)
        assert come is None, "too little has come to tell the rate of its stamps"
        spool.note_arrival(
            second, end, closed_ns - (len(scan.table.ends) - 1 - place) * SECOND // 4
        )
    report = sealer.seal_closed(folder, RUN, await_sound=False)
    assert report is not None
    (segment,) = report.segments
    assert not first.exists()
    for path, one in bodies.items():
        path.write_bytes(one)
    later = sealer.seal_closed(folder, RUN, await_sound=False)
    assert later is not None
    assert later.segments[0].start == segment.end


def test_a_file_waits_for_the_sound_of_its_last_pictures(film: Path, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    sounds = [path for _, path in spool.sounds(folder)]
    for path in sounds[1:]:
        path.unlink()
    body = sounds[0].read_bytes()
    sounds[0].write_bytes(body[: body.rindex(b"moof") - 4])
    sealer = Sealer(spool, lambda _: None)
    assert sealer.seal_closed(folder, RUN, await_sound=True) is None
    report = sealer.seal_closed(folder, RUN, await_sound=False)
    assert report is not None
    assert "mp4a" in report.segments[0].codecs, "what came is kept"


def end_with_one_picture(spool: Spool, folder: Path) -> None:
    """Leave of the last file its first fragment, and no sound that is of it."""
    last = spool.files(folder)[-1]
    body = last.read_bytes()
    init, scan = survey(body)
    last.write_bytes(body[: scan.table.ends[0]])
    begin_s = scan.table.tracks[0].dts[0] / init.lead.timescale
    for _, path in spool.sounds(folder):
        sound = path.read_bytes()
        info, heard = survey(sound)
        first = heard.table.tracks[0].first
        begun = [heard.table.tracks[0].dts[at] / info.lead.timescale for at in first[:-1]]
        early = sum(at < begin_s - 0.3 for at in begun)
        if early:
            path.write_bytes(sound[: heard.table.ends[early - 1]])
        else:
            path.unlink()


def test_a_last_picture_whose_sound_never_came_opens_no_span_of_its_own(
    film: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    end_with_one_picture(spool, folder)
    *_, before, last = [one for one, _ in sealed(spool, folder)]
    assert last.range.duration_ns < SECOND
    assert last.codecs == before.codecs
    assert "mp4a" in last.codecs
    assert (last.span_start, last.counter) == (before.span_start, before.counter + 1)


def test_of_a_file_that_is_damaged_in_the_middle_the_rest_is_put_aside(
    film: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("",)))
    path = spool.files(folder)[1]
    body = bytearray(path.read_bytes())
    at = body.rindex(b"tfdt") + 8
    body[at : at + 8] = b"\x7f" + b"\xff" * 7
    path.write_bytes(body)
    Sealer(spool, lambda _: None).finish_run(folder, RUN)
    found = stored(spool)
    assert FRAMES - 50 < sum(one.frames for one in found.values()) < FRAMES
    (aside,) = (spool.root / "quarantine").glob("*.mp4")
    assert aside.read_bytes() == body
    for key in found:
        whole = (spool.root / "sealed" / key).read_bytes()
        assert read_footer(whole, len(whole)) is not None


def test_what_lies_behind_the_zeros_of_a_disk_that_lost_a_files_head_is_kept_for_a_person(
    film: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("",)))
    first, *_, last = spool.files(folder)
    body = bytes(1 << 16) + first.read_bytes()
    first.write_bytes(body)
    header, _, _ = last.read_bytes().partition(b"moof")
    last.write_bytes(header[:-4])
    Sealer(spool, lambda _: None).finish_run(folder, RUN)
    (aside,) = (spool.root / "quarantine").glob("*.mp4")
    assert aside.read_bytes() == body
    assert not folder.exists()
