"""A StatefulSet that is rolled: nodes of one site are stopped and started one after another."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.model.timebase import format_instant, parse_instant
from tests.support import media
from tests.support.nodes import Node
from tests.support.ports import until
from tests.support.postgres import Postgres
from tests.support.shared import SharedSite

pytestmark = [pytest.mark.xdist_group("pg"), pytest.mark.long]

NAMES = ("spanstore-recorder-0", "spanstore-recorder-1", "spanstore-recorder-2")
CAMERAS = ("gate", "yard", "hall", "door")
FRAME_NS = 40_000_000
GRACE_S = 90


class StatefulSet(SharedSite):
    """Recorders with names of their own."""

    def roll(self, name: str) -> bool:
        """Stop a pod as Kubernetes does, and start it anew; tell whether it had to be killed."""
        node, killed = self.nodes[name], False
        try:
            node.stop(GRACE_S)
        except subprocess.TimeoutExpired:
            node.kill()
            killed = True
        assert node.ffmpegs() == [], "nothing of it records any more"
        node.start()
        return killed

    def recorded(self) -> dict[str, float]:
        return {name: self.nodes[NAMES[0]].footage_s(name) for name in CAMERAS}


@pytest.fixture
def pods(tmp_path: Path, postgres: Postgres, h264_file: Path) -> Iterator[StatefulSet]:
    one = StatefulSet(tmp_path, postgres.database(), h264_file, NAMES)
    yield one
    one.close()


def test_recorders_that_are_rolled_one_after_another_lose_no_frame(
    pods: StatefulSet, tmp_path: Path
) -> None:
    first = pods.nodes[NAMES[0]]
    pods.start()
    for name in CAMERAS:
        first.add(name, pods.camera.url("cam"))
    until(lambda: min(pods.recorded().values()) > 6, 60, "all cameras are recorded")
    assert len({writer for name in CAMERAS for writer in writers(first, name)}) > 1, "by several"
    for name in reversed(NAMES):  # the last one first, as a StatefulSet does
        before = pods.recorded()
        assert not pods.roll(name), "it stops by itself"
        until(lambda: all(pods.recorded()[one] > before[one] + 6 for one in CAMERAS), 60,  # noqa: B023
              "all cameras are recorded after it")  # fmt: skip
    for name in CAMERAS:
        first.http.delete(f"/api/v1/cameras/{name}")
    until(lambda: not any(node.ffmpegs() for node in pods.nodes.values()), 30, "recording ended")
    for name in CAMERAS:
        until(lambda: all(not one["open"] for one in first.timeline(name)["spans"]), 30, "sealed")  # noqa: B023
        assert_whole(first, name, tmp_path)
    assert {name for camera in CAMERAS for name in writers(first, camera)} == set(NAMES)
    assert first.broken("--digest") == []


def writers(node: Node, camera: str) -> set[str]:
    """The nodes that have recorded a camera."""
    return {one["writer"].partition(".")[0] for one in node.timeline(camera)["spans"]}


def assert_whole(node: Node, camera: str, folder: Path) -> None:
    """Every moment from the first frame to the last has its frame, in the clip over all of it."""
    spans = node.timeline(camera)["spans"]
    start = parse_instant(spans[0]["start"])
    end = max(parse_instant(one["end"]) for one in spans)
    said = [(one["writer"], one["start"], one["end"]) for one in spans]
    assert node.timeline(camera, start, end)["gaps"] == [], (camera, said)
    asked = {"start": format_instant(start, 9), "end": format_instant(end, 9), "format": "zip"}
    answer = node.http.get(f"/api/v1/cameras/{camera}/clip.mp4", params=asked)
    assert answer.status_code == 200, answer.text
    frames = 0
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        for name in archive.namelist():
            if name.endswith(".mp4"):
                path = folder / "part.mp4"
                path.write_bytes(archive.read(name))
                numbers = media.read_numbers(path)
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), camera
                frames += len(numbers)
    assert frames >= (end - start) // FRAME_NS - 1, (camera, frames, said)
