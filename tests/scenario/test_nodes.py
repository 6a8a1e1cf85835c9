"""Several nodes at a site: one dies, one is drained; streams move, nothing is lost unsaid."""

from __future__ import annotations

import io
import os
import time
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

pytestmark = pytest.mark.xdist_group("pg")


class Site(SharedSite):
    """Two nodes."""

    def holders(self) -> list[Node]:
        """Return the nodes that record the camera."""
        return [node for node in self.nodes.values() if node.process and node.ffmpegs()]

    def holder(self) -> Node:
        """Return the one node that records the camera, once there is just one."""
        until(lambda: len(self.holders()) == 1, 30, "one node records")
        return self.holders()[0]

    def other(self, node: Node) -> Node:
        return next(one for one in self.nodes.values() if one is not node)


@pytest.fixture
def site(tmp_path: Path, postgres: Postgres, h264_file: Path) -> Iterator[Site]:
    one = Site(tmp_path, postgres.database(), h264_file, ("n1", "n2"))
    yield one
    one.close()


def test_a_dead_nodes_streams_move_within_ten_seconds_and_the_gap_is_named(site: Site) -> None:
    site.start()
    site.nodes["n1"].add("cam", site.camera.url("cam"))
    holder = site.holder()
    until(lambda: holder.footage_s("cam") > 5, 30, "5 s of footage")
    begin = time.monotonic()
    holder.kill()
    for pid in holder.ffmpegs():
        os.kill(pid, 9)
    other = site.other(holder)
    until(lambda: other.ffmpegs(), 20, "the other takes over")
    assert time.monotonic() - begin < 10
    until(lambda: _written_by(other) > 2, 30, "its footage is on the timeline")
    gaps = [gap for gap in other.timeline("cam")["gaps"] if gap["cause"] != "off-schedule"]
    assert {gap["cause"] for gap in gaps} <= {"node"}
    holder.start()
    assert site.holder() is not None, "one of them records it in the end"
    assert other.broken("--digest") == []


def test_draining_a_node_loses_no_frame(site: Site, tmp_path: Path) -> None:
    site.start()
    first = site.nodes["n1"]
    first.add("cam", site.camera.url("cam"))
    holder = site.holder()
    until(lambda: holder.footage_s("cam") > 5, 30, "5 s of footage")
    other = site.other(holder)
    assert holder.run("node", "drain", holder.config.parent.name).returncode == 0
    until(lambda: "draining; 0 streams" in other.run("node", "list").stdout, 40, "handed over")
    until(lambda: other.ffmpegs() and not holder.ffmpegs(), 20, "the first stopped")
    until(lambda: _written_by(other) > 5, 30, "5 s more, by the other")
    other.http.delete("/api/v1/cameras/cam")
    until(lambda: not other.ffmpegs(), 20, "recording ended")
    until(lambda: all(not span["open"] for span in other.timeline("cam")["spans"]), 20, "sealed")
    spans = other.timeline("cam")["spans"]
    start, end = parse_instant(spans[0]["start"]), max(parse_instant(s["end"]) for s in spans)
    gaps = [gap for gap in other.timeline("cam", start, end)["gaps"]]
    assert gaps == [], [(s["writer"], s["start"], s["end"]) for s in spans]
    answer = other.http.get("/api/v1/cameras/cam/clip.mp4", params={
        "start": format_instant(start, 9), "end": format_instant(end, 9), "format": "zip",
    })  # fmt: skip
    assert answer.status_code == 200, answer.text
    parts = []
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        for name in archive.namelist():
            if name.endswith(".mp4"):
                path = tmp_path / "part.mp4"
                path.write_bytes(archive.read(name))
                parts.append(media.read_numbers(path))
    for numbers in parts:
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    frames = sum(len(numbers) for numbers in parts)
    assert frames >= (end - start) // 40_000_000 - 1, "every moment has its frame"


def test_a_critical_streams_two_nodes_make_one_clip_though_one_dies(
    site: Site, tmp_path: Path
) -> None:
    for node in site.nodes.values():  # they store nothing: what a node has sealed dies with it
        node.config.write_text(node.config.read_text() + "roles: [capture, api]\n")
    site.start()
    site.nodes["n1"].add("cam", site.camera.url("cam"), critical=True)
    until(lambda: len(site.holders()) == 2, 40, "both record it")
    one, other = site.nodes.values()
    until(lambda: min(_written_by(one), _written_by(other)) > 5, 40, "5 s by each")
    first = until(lambda: site.nodes["n1"].timeline("cam")["spans"], 10, "spans")[0]["writer"]
    dying = one if first.startswith("n1.") else other
    living = site.other(dying)
    dying.kill()
    for pid in dying.ffmpegs():
        os.kill(pid, 9)
    alone = _written_by(living)
    until(lambda: _written_by(living) > alone + 6, 30, "the other goes on")
    living.http.delete("/api/v1/cameras/cam")
    until(lambda: not living.ffmpegs(), 20, "recording ended")
    until(lambda: all(not s["open"] for s in living.timeline("cam")["spans"]), 20, "sealed")
    spans = living.timeline("cam")["spans"]
    name = living.config.parent.name  # what the other filmed before is with it alone
    start = min(
        parse_instant(one["start"]) for one in spans if one["writer"].startswith(f"{name}.")
    )
    end = max(parse_instant(span["end"]) for span in spans)
    assert living.timeline("cam", start, end)["gaps"] == []
    answer = living.clip("cam", start, end)
    assert answer.status_code == 200, answer.text
    path = tmp_path / "both.mp4"
    path.write_bytes(answer.content)
    count = len(media.read_numbers(path))
    assert abs(count - (end - start) // 40_000_000) <= 3, "no moment without its frames"
    assert living.broken("--digest") == []


def test_a_node_that_never_comes_back_leaves_gaps_and_one_that_does_fills_them(site: Site) -> None:
    dying, living = site.nodes["n1"], site.nodes["n2"]
    whole = dying.config.read_text()
    dying.config.write_text(whole + "roles: [capture, api]\n")  # it ships nothing
    living.config.write_text(living.config.read_text() + "roles: [ship, janitor, api]\n")
    site.start()
    dying.add("cam", site.camera.url("cam"))
    until(lambda: living.footage_s("cam") > 5, 40, "what is sealed is committed")
    lives = living.run("node", "remove", "n1", "--lose")
    assert (lives.returncode, "it lives" in lives.stderr) == (75, True), lives.stderr
    dying.kill()
    for pid in dying.ffmpegs():
        os.kill(pid, 9)
    before = living.footage_s("cam")
    until(lambda: "it lives" not in living.run("node", "remove", "n1").stderr, 30, "unheard")
    alone = living.run("node", "remove", "n1")
    assert (alone.returncode, "that no other place has" in alone.stderr) == (75, True)
    assert living.footage_s("cam") == before > 5, "nothing is given up unasked"
    given_up = living.http.delete("/api/v1/nodes/n1", params={"lose": "true"})
    assert given_up.status_code == 200, given_up.text
    assert given_up.json()["lost"] >= 2
    assert [one["node"] for one in living.http.get("/api/v1/nodes").json()] == ["n2"]
    seen = living.timeline("cam")
    lost = sum(one["seconds"] for one in seen["gaps"] if one["cause"] == "lost")
    assert (seen["spans"], round(lost)) == ([], round(before))
    assert living.broken("--digest") == []
    dying.config.write_text(whole)
    dying.start()
    until(lambda: living.footage_s("cam") >= before, 30, "it came back, and had it all")
    assert "lost" not in {one["cause"] for one in living.timeline("cam")["gaps"]}
    assert living.broken("--digest") == []


def test_what_one_node_has_not_shipped_yet_is_read_through_it(site: Site) -> None:
    keeper = site.nodes["n1"]
    keeper.config.write_text(
        keeper.config.read_text() + "roles: [capture, api]\n"  # it ships nothing
    )
    reader = site.nodes["n2"]
    reader.config.write_text(reader.config.read_text() + "roles: [api]\n")
    site.start()
    keeper.add("cam", site.camera.url("cam"))
    until(lambda: keeper.footage_s("cam") > 7, 40, "7 s of footage")
    until(lambda: reader.footage_s("cam") > 5, 20, "what is sealed is committed")
    span = reader.timeline("cam")["spans"][0]
    start = parse_instant(span["start"])
    here = keeper.clip("cam", start, start + 3 * 10**9)
    there = reader.clip("cam", start, start + 3 * 10**9)
    assert there.status_code == 200, there.text
    assert there.content == here.content
    keeper.kill()
    gone = reader.clip("cam", start + 4 * 10**9, start + 5 * 10**9)
    assert gone.status_code == 503
    assert "spool:n1" in gone.json()["detail"], "it says where the only copy is"


def _written_by(node: Node) -> float:
    name = node.config.parent.name
    spans = node.timeline("cam")["spans"]
    return sum(float(s["seconds"]) for s in spans if s["writer"].startswith(f"{name}."))
