"""The camera that the other tests believe: its packets, its description, its time."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import media, streams
from tests.support.camera_habits import Habits, Reports, Stamps, Track, wrapping
from tests.support.live import SECOND, arrange, schedule
from tests.support.matroska import Unit
from tests.support.quirk_camera import QuirkCamera
from tests.support.rtp import Sender, cut_h264, cut_h265
from tests.support.sdp import describe

SHOWN = ("plain", "pyramid", "x265-closed")
"""The encodings that cameras of `make test` have; the others only those of `make test-long`."""


def join_h264(bodies: Sequence[bytes]) -> list[bytes]:
    """Undo the cutting, by RFC 6184 alone."""
    found: list[bytes] = []
    for body in bodies:
        if body[0] & 0x1F != 28:
            found.append(body)
        elif body[1] & 0x80:
            found.append(bytes([body[0] & 0xE0 | body[1] & 0x1F]) + body[2:])
        else:
            found[-1] += body[2:]
    return found


def join_h265(bodies: Sequence[bytes]) -> list[bytes]:
    """Undo the cutting, by RFC 7798 alone."""
    found: list[bytes] = []
    for body in bodies:
        if body[0] >> 1 & 0x3F != 49:
            found.append(body)
        elif body[2] & 0x80:
            found.append(bytes([body[0] & 0x81 | (body[2] & 0x3F) << 1, body[1]]) + body[3:])
        else:
            found[-1] += body[3:]
    return found


@pytest.mark.parametrize("size", [1, 100, 101, 198, 199, 5000])
def test_what_is_cut_into_packets_is_joined_to_the_same_bytes(size: int) -> None:
    nals = [b"\x67" + bytes(9), b"\x65" + bytes(range(256)) * 20][: 1 + (size > 1)]
    nals[-1] = nals[-1][: 1 + size]
    cut = cut_h264(nals, 100)
    assert max(map(len, cut)) <= 100
    assert join_h264(cut) == nals
    wide = [b"\x26\x01" + nal for nal in nals]
    assert max(map(len, cut_h265(wide, 100))) <= 100
    assert join_h265(cut_h265(wide, 100)) == wide


def test_packets_are_numbered_without_a_hole_and_reports_count_them() -> None:
    sender = Sender(96, 7, sequence=0xFFFF)
    packets = [sender.packet(b"abcd", 5, marker=last) for last in (False, True)]
    assert [packet[2:4].hex() for packet in packets] == ["ffff", "0000"]
    assert [packet[1] for packet in packets] == [96, 96 | 0x80]
    report = sender.report(1_500_000_000, 90_000)
    assert report[8:16].hex() == f"{2_208_988_801:08x}{1 << 31:08x}"
    assert [int.from_bytes(report[at : at + 4], "big") for at in (16, 20, 24)] == [90_000, 2, 8]
    assert len(report) == 28 + 20


def test_stamps_wrap_jump_restart_and_freeze_when_told() -> None:
    assert [wrapping(1.0).at(at, 0) for at in (0.5, 1.0)] == [(1 << 32) - 45_000, 0]
    stamps = Stamps(base=0, jumps=((2.0, -3.0),), restarts=((9.0, 0),), frozen=((5.0, 6.0),))
    told = [stamps.at(100 + at, 100) // 90_000 for at in (1.0, 2.0, 5.0, 5.9, 6.0, 9.5)]
    assert told == [101, 99, 102, 102, 103, 0]
    assert Stamps(speed=0.84, base=0).at(1 / 21, 0) == 3600


def test_parameter_sets_stand_where_habits_want_them() -> None:
    slices = (b"\x65a", b"\x65b")
    unit = Unit(0, 0, True, (b"\x06m", *slices), (b"\x67", b"\x68"))

    def kinds(**habits: str) -> list[list[int]]:
        groups = arrange(unit, Habits(**habits), first=True)  # type: ignore[arg-type]
        return [[nal[0] & 0x1F for nal in group] for group in groups]

    assert kinds(sets="never") == [[6, 5, 5]]
    assert kinds(sets="key") == [[7, 8, 6, 5, 5]]
    assert kinds(sets="own") == [[7, 8], [6, 5, 5]]
    assert kinds(sets="twice") == [[7, 8, 6, 7, 8, 5, 5]]
    assert kinds(sets="slice") == [[6, 7, 8, 5, 7, 8, 5]]


def test_the_description_names_the_tracks_in_order() -> None:
    text = describe(Habits(tracks=(Track("PCMA"), Track("x265-closed"), Track("G7221"))))
    assert re.findall(r"m=(\w+)", text) == ["audio", "video", "audio"]
    assert re.findall(r"rtpmap:(\d+) (\S+)", text) == [
        ("8", "PCMA/8000"), ("111", "H265/90000"), ("101", "G7221/16000"),
    ]  # fmt: skip
    assert "sprop-vps=" in text
    assert "sprop-vps=" not in describe(Habits(tracks=(Track("x265-closed"),), sprop=False))


def test_pictures_are_sent_in_the_order_of_decoding_and_none_before_it_is_taken() -> None:
    plan = schedule("pyramid", 1.0, 0.0)
    assert all(due >= taken - 1e-9 for due, taken, _ in plan)
    steps = {round(b[0] - a[0], 3) for a, b in itertools.pairwise(plan)}
    assert steps == {0.04}
    held = schedule("plain", 1.0, 1.0)
    assert {due for due, _, _ in held[:25]} == {1.0}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in SHOWN else [pytest.mark.long])
        for name in sorted(set(streams.STREAMS) - set(streams.TURNS))
    ],
)
def test_every_encoding_decodes_to_all_its_numbers_in_order(name: str) -> None:
    assert streams.decode(streams.make_file(name)) == list(range(streams.STREAMS[name].count))
    units = streams.units(name)
    assert sorted(unit.number for unit in units) == list(range(len(units)))
    reordered = name in ("bframes", "pyramid", "open-gop", "x265")
    assert ([unit.number for unit in units] != list(range(len(units)))) == reordered
    slices = [nal for nal in units[1].nals if nal[0] & 0x1F == 1]
    assert streams.STREAMS[name].codec == "H265" or (len(slices) > 1) == ("slice" in name)


def play(url: str, path: Path, ffmpeg: str, *options: str) -> str:
    """Copy two seconds of a camera into a file; return what ffmpeg complained of."""
    done = subprocess.run(
        [ffmpeg, "-v", "warning", *options, "-i", url, "-t", "2", "-c", "copy", "-map", "0:v",
         "-y", str(path)], capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    # the first packet of any RTSP session has no time of its own
    return "\n".join(line for line in done.stderr.splitlines() if "imestamps are unset" not in line)


@pytest.mark.parametrize("ffmpeg", [media.FF9, media.FF5], ids=["own", "5.1"])
@pytest.mark.parametrize(
    ("name", "transport"), [("plain", "tcp"), ("plain", "udp"), ("x265-closed", "tcp")]
)
def test_ffmpeg_reads_a_plain_camera_without_complaint(
    name: str, ffmpeg: str, transport: str, tmp_path: Path
) -> None:
    camera = QuirkCamera(Habits(tracks=(Track(name),), user="admin:12345", redirects=True)).start()
    try:
        path = tmp_path / "seen.mkv"
        assert play(camera.url(), path, ffmpeg, "-rtsp_transport", transport).strip() == ""
        numbers = streams.decode(path)
        sent = [one.number for one in camera.sent(session=1)]
        assert len(numbers) > 45
        assert numbers == sent[: len(numbers)]
    finally:
        camera.stop()


@pytest.mark.parametrize("depay", ["rtph264depay ! h264parse", "rtph265depay ! h265parse"])
def test_gstreamer_reads_a_plain_camera_without_complaint(depay: str, tmp_path: Path) -> None:
    name = "plain" if "264" in depay else "x265-closed"
    camera = QuirkCamera(Habits(tracks=(Track(name), Track("PCMA")))).start()
    try:
        path = tmp_path / "seen.mkv"
        line = (
            f"rtspsrc location={camera.url()} protocols=tcp ! {depay} ! identity eos-after=51"
            f" ! matroskamux ! filesink location={path}"
        )
        done = subprocess.run(
            ["gst-launch-1.0", "-q", *line.split()], capture_output=True, text=True, timeout=60,
            check=True,
        )  # fmt: skip
        assert "WARN" not in done.stderr + done.stdout
        numbers = streams.decode(path)
        assert numbers == [one.number for one in camera.sent(session=1)][: len(numbers)]
        assert len(numbers) > 45
    finally:
        camera.stop()


def test_who_joins_gets_the_present_and_the_log_tells_when_it_was_sent(tmp_path: Path) -> None:
    camera = QuirkCamera(Habits(reports=Reports(period_s=1.0))).start()
    try:
        for session in (1, 2):
            play(camera.url(), tmp_path / f"{session}.mkv", media.FF5, "-rtsp_transport", "tcp")
        first, second = camera.sent(session=1), camera.sent(session=2)
        assert first[-1].number < second[0].number
        for one in first + second:
            taken = camera.uptime.wall_ns + one.number * SECOND // 25
            assert one.captured_ns == taken
            assert 0 <= one.sent_ns - taken < SECOND
        assert streams.decode(tmp_path / "2.mkv")[0] == second[0].number
        assert camera.visits[1].left_ns < camera.visits[2].asked_ns
    finally:
        camera.stop()
