"""Players at either node of a site follow what is being recorded by the other, or by both."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import httpx
import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.nodes import Node
from tests.support.ports import until
from tests.support.postgres import Postgres
from tests.support.shared import SharedSite

pytestmark = pytest.mark.xdist_group("pg")


class Following:
    """Reads an open list again and again, as a player does."""

    def __init__(self, node: Node, camera: str, start: int, end: int) -> None:
        ends = f"start={format_instant(start, 9)}&end={format_instant(end, 9)}"
        self.node = node
        self.url = httpx.URL(f"{node.http.base_url}/api/v1/cameras/{camera}/playback.m3u8?{ends}")
        self.lines: list[str] = []
        self.over = False

    def look(self) -> bool:
        """Read it once more, and whatever it names anew; tell whether it is over."""
        lines = self.node.http.get(self.url).raise_for_status().text.splitlines()[3:]
        self.over = lines[-1] == "#EXT-X-ENDLIST"
        body = [line for line in lines if not line.startswith(("#EXT-X-PLAY", "#EXT-X-END"))]
        for earlier, later in itertools.zip_longest(self.lines, body[: len(self.lines)]):
            assert earlier == later
        for line in body[len(self.lines) :]:
            if not line.startswith("#"):
                assert self.node.http.get(self.url.join(line)).status_code == 200, line
        self.lines = body
        return self.over

    @property
    def seconds(self) -> float:
        found = [line for line in self.lines if line.startswith("#EXTINF:")]
        return sum(float(line[8:-1]) for line in found)


def test_an_open_list_only_ever_grows_at_each_node_to_the_end_of_its_range(
    tmp_path: Path, postgres: Postgres, h264_file: Path
) -> None:
    site = SharedSite(tmp_path, postgres.database(), h264_file, ("n1", "n2"))
    nodes = list(site.nodes.values())
    try:
        site.start()
        for name, critical in (("one", False), ("both", True)):
            nodes[0].add(name, site.camera.url("cam"), critical=critical)
        until(lambda: sum(len(node.ffmpegs()) for node in nodes) == 3, 60, "they record")
        for name, node in itertools.product(("one", "both"), nodes):
            until(lambda n=node, c=name: n.footage_s(c) > 4, 60, f"{name} is known")  # type: ignore[misc]
        followed = []
        for name in ("one", "both"):
            start = max(parse_instant(node.timeline(name)["spans"][0]["start"]) for node in nodes)
            ends = start + 2 * SECOND, start + 16 * SECOND
            followed += [Following(node, name, *ends) for node in nodes]
        deadline = time.monotonic() + 90
        while not all([one.look() for one in followed]):
            assert time.monotonic() < deadline, [one.lines for one in followed if not one.over]
            time.sleep(0.4)
        for one in followed:
            assert 13.5 < one.seconds < 20, one.lines
    finally:
        site.close()
