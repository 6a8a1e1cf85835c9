"""Record, find, fetch: real RTSP, a real process, an independent decoder."""

from __future__ import annotations

import io
import itertools
import random
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.model.timebase import MS, SECOND, format_instant, parse_instant
from tests.support import media
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

READ = pytest.mark.xdist_group("main-job")
"""Those that only read what one node records."""


@pytest.fixture(scope="module")
def watched(h264_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that goes on recording ``cam``, 16 s so far."""
    camera = RtspServer(cam=f"{h264_file}:h264").start()
    one = Node(tmp_path_factory.mktemp("watched"))
    try:
        one.start()
        one.add("cam", camera.url("cam"))
        until(lambda: one.footage_s("cam") > 16, 60, "16 s of footage")
        yield one
    finally:
        one.close()
        camera.stop()


@READ
def test_clips_at_random_times_hold_exactly_the_frames_asked_for(
    watched: Node, tmp_path: Path
) -> None:
    node = watched
    line = node.timeline("cam")
    span = line["spans"][-1]
    begin, end = parse_instant(span["start"]), parse_instant(span["end"])
    whole = media.read_numbers(node.save_clip(tmp_path / "all.mp4", "cam", begin, end))
    assert whole == list(range(whole[0], whole[0] + len(whole)))
    dice, asked, paths = random.Random(7), [], []
    for i in range(12):
        start = dice.randrange(begin + SECOND, end - 6 * SECOND)
        stop = start + dice.randrange(40 * MS, 5 * SECOND)
        asked.append((start, stop))
        paths.append(node.save_clip(tmp_path / f"{i}.mp4", "cam", start, stop))
    for (start, stop), numbers in zip(asked, media.read_all_numbers(paths), strict=True):
        wanted = [
            number
            for k, number in enumerate(whole)
            # frame k is shown from k * 40 ms on; its time decides, with 2 ms for the slew
            if start - 2 * MS <= begin + _offset(k) < stop + 2 * MS
        ]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert abs(numbers[0] - wanted[0]) <= 1
        assert abs(numbers[-1] - wanted[-1]) <= 1
        assert abs(len(numbers) - (stop - start) / (40 * MS)) <= 1
        times = node.http.get(
            "/api/v1/cameras/cam/clip.json", params=dict(_asked(start, stop))
        ).json()
        first = parse_instant(times["first_frame"])
        assert start - MS <= first < start + 41 * MS
        assert times["parts"][0]["frames"] == len(numbers)


def _offset(k: int) -> int:
    """Time of a run's frame ``k``, from its first."""
    return k * 40 * MS


def _asked(start: int, stop: int) -> list[tuple[str, str]]:
    return [("start", format_instant(start, 9)), ("end", format_instant(stop, 9))]


@READ
def test_adjoining_clips_share_no_frame_and_lose_none(watched: Node, tmp_path: Path) -> None:
    node = watched
    begin = parse_instant(node.timeline("cam")["spans"][0]["start"]) + SECOND
    edges = [begin + round(part * 1.3 * SECOND) for part in range(8)]
    paths = [
        node.save_clip(tmp_path / f"{i}.mp4", "cam", start, stop)
        for i, (start, stop) in enumerate(itertools.pairwise(edges))
    ]
    numbers = list(itertools.chain.from_iterable(media.read_all_numbers(paths)))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_no_frame_is_lost_at_any_cut_of_an_hours_worth_of_cuts(
    media_folder: str, tmp_path: Path
) -> None:
    source = media.numbered(media_folder, "short-gops", 90, (("gop", 10),))
    server = RtspServer(cam=f"{source}:h264").start()
    node = Node(tmp_path / "node", capture={"segment": 1})
    try:
        node.start()
        names = ("one", "two", "three")
        for name in names:
            node.add(name, server.url("cam"))
        for name in names:
            until(lambda name=name: node.footage_s(name) > 22, 100, f"22 s of {name}")  # type: ignore[misc]
        assert node.stop() == 0
        sealed = list((node.folder / "data" / "store").rglob("*Z.*.mp4"))
        assert len(sealed) > 60
        node.config.write_text(node.config.read_text() + "roles: [api]\n")  # it records no more
        node.start()
        for name in names:
            spans = node.timeline(name)["spans"]
            assert len(spans) == 1, "every cut is seamless"
            begin, end = parse_instant(spans[0]["start"]), parse_instant(spans[0]["end"])
            numbers = media.read_numbers(node.save_clip(tmp_path / "all.mp4", name, begin, end))
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert len(numbers) > 530
        assert node.broken("--digest") == []
    finally:
        node.close()
        server.stop()


@READ
def test_footage_is_findable_and_playable_within_five_seconds(watched: Node) -> None:
    node = watched
    for _ in range(5):
        now = parse_instant(node.http.get("/api/v1/coverage").json()["end"])
        line = node.timeline("cam", now - 20 * SECOND, now)
        assert parse_instant(line["spans"][-1]["end"]) > now - 5 * SECOND
        answer = node.clip("cam", now - 6 * SECOND, now - 5 * SECOND)
        assert answer.status_code == 200


def test_a_clean_stop_seals_ships_and_ends_the_span(node: Node, camera: RtspServer) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    until(lambda: node.footage_s("cam") > 6, 30, "6 s of footage")
    assert node.stop() == 0
    assert node.ffmpegs() == []
    store = node.folder / "data" / "store"
    ends = list(store.rglob("*.mp4_end"))
    segments = list(store.rglob("*Z.*.mp4"))
    assert len(ends) == 1
    assert len(segments) >= 2
    assert not list((node.folder / "data" / "spool" / "open").rglob("*.mp4"))
    assert node.broken("--digest") == []


def test_a_gap_names_its_cause_and_clips_skip_or_refuse_it(
    node: Node, camera: RtspServer, tmp_path: Path
) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    until(lambda: node.footage_s("cam") > 5, 30, "5 s of footage")
    camera.stop()
    until(lambda: node.state("cam").get("condition") == "unreachable", 15, "named unreachable")
    camera.start()
    until(lambda: len(node.timeline("cam")["spans"]) == 2, 30, "two spans")
    until(lambda: node.timeline("cam")["spans"][1]["seconds"] > 5, 30, "5 s more")
    line = node.timeline("cam")
    first, second = line["spans"][0], line["spans"][1]
    between = [gap for gap in line["gaps"] if gap["start"] == first["end"]]
    assert [gap["cause"] for gap in between] == ["source"]
    start, end = (
        parse_instant(first["end"]) - 2 * SECOND,
        parse_instant(second["start"]) + 3 * SECOND,
    )
    assert node.clip("cam", start, end, gaps="fail").status_code == 409
    path = node.save_clip(tmp_path / "skip.mp4", "cam", start, end)
    numbers = media.read_numbers(path)
    assert abs(len(numbers) - 125) <= 2
    packed = node.clip("cam", start, end, format="zip")
    assert packed.status_code == 200
    names = zipfile.ZipFile(io.BytesIO(packed.content)).namelist()
    assert sum(name.endswith(".mp4") for name in names) == 2
    assert "timeline.json" in names


@pytest.mark.parametrize(
    ("fixture", "kinds", "codec"),
    [
        ("bframes_aac_file", "h264:aac", "avc1"),
        ("alaw_file", "h264:alaw", "avc1"),
        ("hevc_file", "h265", "hvc1"),
    ],
)
def test_other_codecs_are_recorded_with_every_frame(
    fixture: str, kinds: str, codec: str, node: Node, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(fixture)
    server = RtspServer(cam=f"{path}:{kinds}").start()
    try:
        node.start()
        node.add("cam", server.url("cam"))
        until(lambda: node.footage_s("cam") > 11, 40, "11 s of footage")
        span = node.timeline("cam")["spans"][0]
        assert span["codecs"].startswith(codec)
        assert ("mp4a" in span["codecs"]) == (kinds != "h265")
        begin = parse_instant(span["start"]) + SECOND  # B-frames: across the seam after file one
        clip = node.save_clip(tmp_path / "c.mp4", "cam", begin, begin + 7 * SECOND)
        for ffmpeg in (media.FF5, media.FF9):
            numbers = media.read_numbers(clip, ffmpeg)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert abs(len(numbers) - 175) <= 1
    finally:
        server.stop()


def test_joined_natives_are_the_sources_samples(
    node: Node, h264_file: Path, tmp_path: Path
) -> None:
    node.start()
    node.add("cam", str(h264_file))  # RTSP repeats parameter sets; a file does not
    until(lambda: node.footage_s("cam") > 14, 40, "14 s of footage")
    line = node.timeline("cam")["spans"][0]
    begin = parse_instant(line["start"])
    path = node.save_clip(tmp_path / "n.mp4", "cam", begin, begin + 12 * SECOND, format="fmp4")
    numbers = media.read_numbers(path)
    assert numbers == list(range(len(numbers)))
    cut = tmp_path / "source.mp4"
    count = ["-frames:v", str(len(numbers))]
    subprocess.run(
        [media.FF9, "-v", "error", "-i", str(h264_file), "-c", "copy", *count, str(cut)], check=True
    )
    assert media.stream_hash(path) == media.stream_hash(cut)
