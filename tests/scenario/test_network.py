"""Sites in networks of their own, and a line between them on which packets vanish unseen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support import media
from tests.support.network import Network
from tests.support.nodes import Node, RtspServer
from tests.support.ports import free_port, until
from tests.support.proxy import Proxy

PORT = 8600
POLICY: dict[str, Any] = {
    "rules": [
        {"name": "alarms", "match": {"event": "alarm"}, "keep": {"post": "30d", "centre": "180d"},
         "replicate": [{"what": "events", "to": "centre", "class": "urgent"}]},
        {"name": "all", "keep": {"any": "30d"}},
    ]
}  # fmt: skip


class Apart:
    """A centre and a post; each API is on loopback, with a proxy at the site's address."""

    def __init__(self, folder: Path, video: Path) -> None:
        self.network = network = Network("centre", "post1")
        self.proxies: list[Proxy] = []
        self.centre = self._site(folder, "centre", level="centre", node="c1")
        self.post = self._site(
            folder, "post1", level="post", node="p1", capture={"segment": 2},
            parent=f"http://{network.address('centre')}:{PORT}",
        )  # fmt: skip
        self.camera = RtspServer(
            free_port(), under=network.under("post1"), cam=f"{video}:h264"
        ).start()

    def _site(self, folder: Path, name: str, **settings: Any) -> Node:
        network = self.network
        url = f"http://{network.address(name)}:{PORT}"
        node = Node(folder / name, under=network.under(name), site=name, url=url, **settings)
        inside = partial(network.inside, name)
        self.proxies += [
            Proxy(node.port, (network.address(name), PORT), inside, inside),
            Proxy(node.port, ("127.0.0.1", node.port), target_inside=inside),  # the operator's
        ]
        return node

    def close(self) -> None:
        self.post.close()
        self.centre.close()
        self.camera.stop()
        for proxy in self.proxies:
            proxy.close()
        self.network.close()

    def covers(self, node: Node) -> float:
        rows = node.http.get("/api/v1/coverage").json()["cameras"]
        return float(sum(row["covered_seconds"] for row in rows))


@pytest.fixture
def apart(tmp_path: Path, h264_file: Path) -> Iterator[Apart]:
    one = Apart(tmp_path, h264_file)
    yield one
    one.close()


def test_a_line_that_swallows_packets_is_noticed_answered_and_caught_up_with(
    apart: Apart, tmp_path: Path
) -> None:
    centre, post = apart.centre, apart.post
    centre.start()
    post.start()
    assert centre.http.put("/api/v1/policy", json=POLICY).status_code == 200
    post.add("cam", apart.camera.url("cam"))
    until(lambda: apart.covers(centre) > 5, 60, "the centre knows what the post records")
    begin = parse_instant(centre.timeline("cam")["spans"][0]["start"])
    there = centre.clip("cam", begin + SECOND, begin + 3 * SECOND)
    assert there.status_code == 200, "bytes come through the line"

    apart.network.cut()
    before = apart.covers(post)
    asked = time.monotonic()
    dark = centre.clip("cam", begin + 3 * SECOND, begin + 5 * SECOND)
    assert dark.status_code == 503
    assert "post1" in dark.json()["detail"], "it says which site has the only copy"
    assert time.monotonic() - asked < 20, "and does not wait for ever to say so"
    asked = time.monotonic()
    assert centre.clip("cam", begin + 3 * SECOND, begin + 5 * SECOND).status_code == 503
    assert time.monotonic() - asked < 3, "the second to ask waits no more"
    until(lambda: "NOT HEARD" in centre.run("site").stdout, 40, "the operator is told")
    until(lambda: apart.covers(post) > before + 10, 40, "the post records on")
    late = parse_instant(post.http.get("/api/v1/coverage").json()["end"])
    event = {"camera": "cam", "kind": "alarm", "at": format_instant(late, 9), "pre": "1s",
             "post": "1s"}  # fmt: skip
    assert post.http.post("/api/v1/events", json=event).status_code == 201

    apart.network.throttle("centre", "4mbit")
    apart.network.heal()
    until(lambda: centre.timeline("cam")["events"], 60, "the alarm is known")
    until(lambda: _arrived(centre, late), 60, "and its footage is at the centre")
    assert not [gap for gap in centre.timeline("cam", begin)["gaps"] if gap["cause"] == "lost"]
    clip = centre.save_clip(tmp_path / "c.mp4", "cam", begin + SECOND, late)
    numbers = media.read_numbers(clip)
    assert len(numbers) > 10 * 25, "what was recorded in the dark is read through the line"
    assert -1 not in numbers
    assert centre.broken("--digest") == []


def _arrived(centre: Node, moment: int) -> bool:
    said = centre.http.get(
        "/api/v1/cameras/cam/explain", params={"at": format_instant(moment, 9)}
    ).json()["said"]  # fmt: skip
    return "at main (centre)" in "\n".join(said)
