"""Any frame of any encoder's stream is there, where it belongs, wherever one begins to read."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import add
from pathlib import Path
from typing import Any

import pytest

from policies.plan import Plan, Thin
from recorder.bmff.boxes import find
from recorder.capture.command import Tracks
from recorder.errors import NotShowable
from recorder.export.clip import Clip, make_clip, make_native
from recorder.janitor.thin import Thinner
from recorder.model.media import Segment
from recorder.model.timebase import MS, SECOND, Instant, TimeRange
from recorder.playback.frame import grab
from recorder.playback.hls import Address, playlist
from recorder.throttle import Throttle
from tests.support.make import STREAM, T0
from tests.support.media import FF5, FF9, numbered, read_all_numbers, read_numbers, shown_at
from tests.support.shelf import Shelf, record_files
from tests.support.trials import TRIALS

STREAMS: dict[str, dict[str, object]] = {
    "closed": {},
    "closed-bframes": {"bframes": 3, "params": "b-pyramid=normal"},
    "open": {"params": "open-gop=1:bframes=2:b-adapt=0"},
    "open-pyramid": {"params": "open-gop=1:bframes=3:b-adapt=0:b-pyramid=normal:ref=4"},
    "open-varied": {"params": "open-gop=1:bframes=5:b-adapt=2:scenecut=40:min-keyint=10"},
    "refresh": {"params": "intra-refresh=1:keyint=50"},
    "h265": {"codec": "libx265", "bframes": 3, "params": "open-gop=1:b-adapt=0"},
    "h265-closed": {"codec": "libx265", "bframes": 3, "params": "open-gop=0"},
    "h265-radl": {"codec": "libx265", "bframes": 3, "params": "open-gop=0:radl=2"},
}
OPEN = ("open", "open-pyramid", "open-varied", "refresh", "h265")
"""Those whose files do not begin with a picture that closes a GOP."""
KINS = ("closed-bframes", "open-pyramid", "h265-closed", "h265-radl")
"""Those that differ little from another of the list: tried by `make test-long`."""


@dataclass
class Recorded:
    """One stream's files, sealed and stored, and where each frame stands in time."""

    shelf: Shelf
    folder: Path
    files: list[Path]

    @cached_property
    def frames(self) -> list[tuple[Instant, int, Segment]]:
        """Time, ticks and segment of each frame, in the order they are shown: by number."""
        found = []
        for segment in self.shelf.segments:
            with self.shelf.view.find(STREAM, segment.range) as there:
                (table,) = self.shelf.view.tables(there, [segment])
            track = table.tracks[0]
            for pts in sorted(map(add, track.dts, track.cts)):
                found.append((segment.instant_at(pts), pts, segment))
        return found

    def inside(self, asked: TimeRange) -> list[int]:
        """Number the frames that a range holds."""
        found = []
        for number, (_, pts, segment) in enumerate(self.frames):
            part = segment.range.clamp(asked)
            if part and segment.ticks_at(part.start) <= pts < segment.ticks_at(part.end):
                found.append(number)
        return found

    @property
    def whole(self) -> TimeRange:
        """All of it."""
        return TimeRange(self.shelf.segments[0].start, self.shelf.segments[-1].end)

    def clip(
        self, asked: TimeRange, made: Any = make_clip, name: object = "clip"
    ) -> tuple[Clip, Path]:
        """Write a clip of a range to a file."""
        with self.shelf.view.find_some(STREAM, asked) as found:
            clip = made(self.shelf.view, found, asked)
            path = self.folder / f"{name}.mp4"
            path.write_bytes(b"".join(clip.read()))
        return clip, path


def record(folder: Path, media: str, kind: str) -> Recorded:
    options = STREAMS[kind]
    more = (("size", "1152x96"), *options.items())
    source = numbered(media, f"decoding-{kind}", 13, more, ".mp4")
    tracks = Tracks(("copy",) if options.get("audio") else ())
    files = record_files(source, folder / "run", 4, tracks)
    return Recorded(Shelf(folder), folder, files)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(kind, marks=[pytest.mark.long] if kind in KINS else []) for kind in STREAMS
    ],
)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, media_folder: str
) -> Iterator[Recorded]:
    """A stream in four segments of one span."""
    one = record(tmp_path_factory.mktemp("decoding"), media_folder, request.param)
    one.shelf.put(one.files)
    yield one
    one.shelf.close()


@pytest.fixture(params=OPEN)
def opening(
    request: pytest.FixtureRequest, tmp_path: Path, media_folder: str
) -> Iterator[Recorded]:
    """A stream whose files do not begin with a closed GOP; nothing of it is stored yet."""
    one = record(tmp_path, media_folder, request.param)
    yield one
    one.shelf.close()


def some_ranges(one: Recorded, count: int) -> list[TimeRange]:
    """Ranges by chance, and both sides of every edge of a file."""
    chance = random.Random(f"{one.whole}")
    found = []
    for segment in one.shelf.segments[1:]:
        edge = segment.start
        found += [
            TimeRange(edge - SECOND, edge), TimeRange(edge, edge + SECOND),
            TimeRange(edge - 45 * MS, edge + SECOND), TimeRange(edge, edge + 50 * MS),
        ]  # fmt: skip
    for _ in range(count):
        start = chance.randrange(one.whole.start, one.whole.end - SECOND)
        length = chance.choice([80 * MS, 300 * MS, 2 * SECOND, 6 * SECOND])
        found.append(TimeRange(start, min(one.whole.end, start + length)))
    return found


def test_a_clip_shows_exactly_the_frames_of_its_range(recorded: Recorded) -> None:
    assert recorded.inside(recorded.whole) == list(range(325))
    wants, paths = [], []
    for number, asked in enumerate([recorded.whole, *some_ranges(recorded, TRIALS)]):
        want = recorded.inside(asked)
        clip, path = recorded.clip(asked, name=number)
        assert sum(part.frames for part in clip.parts) == len(want)
        assert abs(clip.parts[0].range.start - recorded.frames[want[0]][0]) <= 1
        wants.append(want)
        paths.append(path)
    for program in (FF5, FF9):
        for number, shown in enumerate(read_all_numbers(paths, program)):
            assert shown == wants[number], f"range {number} by {program}"


def test_frames_stand_as_far_apart_as_they_were_though_rulers_of_files_differ(
    recorded: Recorded,
) -> None:
    first, second = (recorded.frames[i][0] for i in (0, -1))
    _, path = recorded.clip(TimeRange(first + SECOND, second))
    times = shown_at(path)
    assert {after - before for before, after in itertools.pairwise(times)} == {3600}


def test_ranges_that_adjoin_share_no_frame_and_lose_none(recorded: Recorded) -> None:
    edges = sorted({one.start for one in recorded.shelf.segments[1:]})
    edges = [recorded.whole.start, *edges, recorded.whole.end]
    edges = sorted(edges + [edge + 20 * MS for edge in edges[1:-1]])
    ranges = [TimeRange(start, end) for start, end in itertools.pairwise(edges)]
    paths = [recorded.clip(one, name=one.start)[1] for one in ranges if recorded.inside(one)]
    assert [*itertools.chain.from_iterable(read_all_numbers(paths))] == list(range(325))


def test_a_frame_is_the_one_its_time_names(recorded: Recorded, tmp_path: Path) -> None:
    times = [asked.start for asked in some_ranges(recorded, TRIALS)]
    want, pictures = [], []
    for number, at in enumerate(times):
        shown = max(i for i, row in enumerate(recorded.frames) if row[0] <= at)
        found = grab(recorded.shelf.view, STREAM, at, (FF5, FF9)[number % 2])
        assert abs(found.at - recorded.frames[shown][0]) <= 1
        want.append(shown)
        pictures.append(found.jpeg)
    path = tmp_path / "all.mjpeg"
    path.write_bytes(b"".join(pictures))
    assert read_numbers(path) == want


def test_players_that_hide_nothing_get_every_frame_of_a_range(recorded: Recorded) -> None:
    edges = itertools.pairwise(recorded.shelf.segments)
    if any(after.media_start < before.media_end for before, after in edges):
        return  # stored times overlap by some frames, and players show one of two
    wants, paths = [], []
    for number, asked in enumerate(some_ranges(recorded, 6)):
        wants.append(set(recorded.inside(asked)))
        paths.append(recorded.clip(asked, make_native, f"native-{number}")[1])
        with recorded.shelf.view.find_some(STREAM, asked) as found:
            text = playlist(
                found.segments, asked, lambda one, *_: Address(one.key), False, found.before
            )
        paths.append(recorded.folder / f"played-{number}.mp4")
        paths[-1].write_bytes(played(recorded.shelf, text))
    shown = read_all_numbers(paths)
    for want, native, joined in zip(wants, shown[::2], shown[1::2], strict=True):
        assert want <= set(native)
        assert joined == native


def played(shelf: Shelf, text: str) -> bytes:
    """Gather what a playlist names, with the first init segment alone."""
    found = re.findall(r'MAP:URI="(.+)",BYTERANGE="(\d+)@0"|BYTERANGE:(\d+)@(\d+)\n(.+)', text)
    key, length = found[0][:2]
    parts = [(key, 0, int(length))]
    parts += [(key, int(at), int(size)) for _, _, size, at, key in found if key]
    return b"".join(block for part in parts for block in shelf.store.read(*part))


def test_what_cannot_be_decoded_any_more_is_not_counted_as_shown(opening: Recorded) -> None:
    opening.shelf.put(opening.files)
    first, second = opening.shelf.segments[:2]
    asked = TimeRange(second.start, second.start + 3 * SECOND)
    want = opening.inside(asked)
    opening.shelf.lose(first)
    clip, path = opening.clip(asked)
    shown = read_numbers(path)
    assert 0 < len(shown) < len(want)
    assert shown == want[-len(shown) :]
    assert sum(part.frames for part in clip.parts) == len(shown)
    assert abs(clip.parts[0].range.start - opening.frames[shown[0]][0]) <= 1
    for ffmpeg in (FF9, FF5):
        with pytest.raises(NotShowable):
            grab(opening.shelf.view, STREAM, second.start, ffmpeg)


@pytest.mark.parametrize(
    ("one", "other"), [("closed-bframes", "closed"), ("open", "closed-bframes"),
                       ("closed", "open-pyramid"), ("h265", "h265-closed")],
)  # fmt: skip
def test_a_clip_over_a_seam_shows_no_frame_outside_its_range(
    one: str, other: str, tmp_path: Path, media_folder: str
) -> None:
    before = record(tmp_path / "a", media_folder, one)
    after = record(tmp_path / "b", media_folder, other)
    before.shelf.put(before.files)
    last = before.shelf.put(after.files, T0 + 30 * SECOND, term=2)
    chance = random.Random(one)
    wants, paths = [], []
    for turn in range(TRIALS // 2):
        start = chance.randrange(T0, before.shelf.segments[len(before.files) - 1].end)
        end = chance.randrange(last[0].start, last[-1].end)
        clip, path = before.clip(TimeRange(start, end), name=turn)
        wants.append([number % 325 for number in before.inside(TimeRange(start, end))])
        paths.append(path)
        assert len(clip.parts) == 2
    for program in (FF5, FF9):
        assert read_all_numbers(paths, program) == wants
    before.shelf.close()
    after.shelf.close()


def test_where_nothing_is_hidden_at_a_seam_one_edit_serves_all(
    tmp_path: Path, media_folder: str
) -> None:
    before = record(tmp_path / "a", media_folder, "closed")
    after = record(tmp_path / "b", media_folder, "closed-bframes")
    before.shelf.put(before.files)
    last = before.shelf.put(after.files, T0 + 30 * SECOND, term=2)
    _, path = before.clip(TimeRange(T0 + SECOND + 30 * MS, last[-1].end - SECOND))
    body = path.read_bytes()
    place = find(body, 0, len(body), "moov", "trak", "edts", "elst")
    assert place is not None
    assert int.from_bytes(body[place[0] + 4 : place[0] + 8], "big") == 1
    before.shelf.close()
    after.shelf.close()


def test_what_has_no_smaller_form_is_kept_whole_and_said_once(
    opening: Recorded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf, sweeps = opening.shelf, 2
    whole = shelf.put(opening.files)
    throttle = Throttle(shelf.clock, 0, lambda _: None)
    thinner = Thinner(shelf.catalog, shelf.view, shelf.clock, tmp_path, throttle)
    wanted = tuple(
        Thin(STREAM, one.start, one.end, one.writer, one.size_bytes, "rule", "old") for one in whole
    )
    plan = Plan("main", (), 0, 0, 1, thins=wanted)
    for _ in range(sweeps):
        assert thinner.carry_out(shelf.store, plan, float("inf")) == 0
    assert caplog.text.count("stays whole") == len(whole)
    assert shelf.catalog.counts()["copy"] == len(whole)
