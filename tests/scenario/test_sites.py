"""Sites in a tree, as processes with stores of their own, linked through a line that can be cut."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support import media
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.proxy import Proxy

POLICY = {
    "rules": [
        {
            "name": "alarms", "match": {"event": "alarm"},
            "keep": {"post": "30d", "centre": "180d"},
            "replicate": [{"what": "events", "to": "centre", "class": "urgent"}],
        },
        {"name": "everything else", "keep": {"any": "30d"}},
    ]
}  # fmt: skip


class Pair:
    """A centre and a post below it."""

    def __init__(self, folder: Path) -> None:
        self.centre = Node(folder / "centre", site="centre", level="centre", node="c1")
        self.line = Proxy(self.centre.port)
        self.post = Node(
            folder / "post", site="post1", level="post", node="p1",
            parent=f"http://127.0.0.1:{self.line.port}", capture={"segment": 2},
        )  # fmt: skip

    def start(self) -> None:
        self.centre.start()
        self.post.start()

    def close(self) -> None:
        self.post.close()
        self.centre.close()
        self.line.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    one = Pair(tmp_path)
    yield one
    one.close()


def stored(node: Node) -> list[Path]:
    return list((node.folder / "data" / "store").rglob("*Z.*.mp4"))


def test_the_centre_knows_and_serves_what_a_post_records_and_keeps_what_policy_sends_up(
    pair: Pair, camera: RtspServer
) -> None:
    pair.start()
    pair.post.add("cam", camera.url("cam"), group="gates")
    until(lambda: pair.post.footage_s("cam") > 9, 40, "the post records")
    until(lambda: _seen(pair.centre) > 5, 20, "the centre knows it")
    sealed = parse_instant(pair.centre.timeline("cam")["spans"][-1]["end"])
    now = parse_instant(pair.post.http.get("/api/v1/coverage").json()["end"])
    assert now - sealed < 9 * SECOND, "2 s segments, told within 5 s"
    span = pair.centre.timeline("cam")["spans"][0]
    begin = parse_instant(span["start"])
    here = pair.post.clip("cam", begin + SECOND, begin + 5 * SECOND)
    there = pair.centre.clip("cam", begin + SECOND, begin + 5 * SECOND)
    assert there.status_code == 200, there.text
    assert there.content == here.content, "bytes are read across"

    assert pair.centre.http.put("/api/v1/policy", json=POLICY).status_code == 200
    until(lambda: pair.post.http.get("/api/v1/policy").status_code == 200, 15, "policy came down")
    at = format_instant(begin + 3 * SECOND, 9)
    event = {"camera": "cam", "kind": "alarm", "at": at, "pre": "1s", "post": "1s"}
    assert pair.post.http.post("/api/v1/events", json=event).status_code == 201
    until(lambda: stored(pair.centre), 30, "what the alarm touched is at the centre")
    until(lambda: not _waiting(pair), 30, "and the post knows it")
    assert len(stored(pair.centre)) <= 3, "nothing else travelled"
    (shown,) = pair.centre.timeline("cam")["events"]
    assert (shown["kind"], shown["site"]) == ("alarm", "post1")
    assert pair.centre.broken("--digest") == []
    (row,) = pair.centre.http.get("/api/v1/coverage").json()["cameras"]
    assert (row["site"], row["camera"]) == ("post1", "cam")
    assert {gap["cause"] for gap in pair.centre.timeline("cam")["gaps"]} <= {"off-schedule"}
    pair.post.kill()
    for pid in pair.post.ffmpegs():
        os.kill(pid, 9)
    alive = pair.centre.clip("cam", begin + 2 * SECOND, begin + 4 * SECOND)
    assert alive.status_code == 200, "the copy at the centre outlives the post"
    dead = pair.centre.clip("cam", begin + 6 * SECOND, begin + 8 * SECOND)
    assert dead.status_code == 503
    assert "post1" in dead.json()["detail"], "it says which site holds the only copy"


def test_transfers_survive_cuts_and_kills_of_both_ends(pair: Pair, camera: RtspServer) -> None:
    everything = {"rules": [{
        "name": "all", "keep": {"any": "30d"}, "replicate": [{"to": "centre"}],
    }]}  # fmt: skip
    pair.start()
    pair.centre.http.put("/api/v1/policy", json=everything)
    pair.post.add("cam", camera.url("cam"))
    until(lambda: stored(pair.centre), 60, "footage travels")
    dice = random.Random(11)
    for blow in ("cut", "centre", "post", "cut", "centre", "post"):
        until(lambda: pair.post.footage_s("cam") > 0, 30, "the post records")
        pair.line.set("slow")
        time.sleep(dice.uniform(0.2, 2.5))  # a random moment is the point of this test
        if blow == "cut":
            pair.line.set("refuse")
        else:
            node = pair.centre if blow == "centre" else pair.post
            node.kill()
            node.start()
        pair.line.set("ok")
    pair.post.http.delete("/api/v1/cameras/cam")
    until(lambda: not pair.post.ffmpegs(), 20, "recording ended")
    until(lambda: len(stored(pair.centre)) == len(stored(pair.post)), 60, "all of it travelled")
    until(lambda: not _waiting(pair), 30, "and is known to have")
    assert pair.centre.broken("--digest") == []
    assert pair.post.broken("--digest") == []
    parts = list((pair.centre.folder / "data" / "spool" / "incoming").iterdir())
    assert parts == [], "no half-done transfer is left"


def test_what_the_centre_loses_is_sent_again_by_who_has_it(pair: Pair, camera: RtspServer) -> None:
    """Nobody reaches the post from above: it must hear of it, or it lets go of the last copies."""
    everything = {"rules": [{
        "name": "all", "keep": {"any": "30d"}, "replicate": [{"to": "centre"}],
    }]}  # fmt: skip
    pair.start()
    pair.centre.http.put("/api/v1/policy", json=everything)
    pair.post.add("cam", camera.url("cam"))
    until(lambda: len(stored(pair.centre)) > 2, 60, "footage travels")
    pair.post.http.delete("/api/v1/cameras/cam")
    until(lambda: not pair.post.ffmpegs(), 20, "recording ended")
    until(lambda: len(stored(pair.centre)) == len(stored(pair.post)), 60, "all of it travelled")
    until(lambda: not _waiting(pair), 30, "and is known to have")
    whole = {path.name: path.read_bytes() for path in stored(pair.centre)}
    for path in stored(pair.centre)[:2]:
        path.unlink()
        for link in (pair.centre.folder / "data" / "spool").rglob(path.name):
            link.unlink()
    assert pair.centre.run("check", "--lose-missing").returncode in (0, 65)
    until(
        lambda: {path.name: path.read_bytes() for path in stored(pair.centre)} == whole,
        60,
        "the post sent it again",
    )
    assert pair.centre.broken("--digest") == []
    assert pair.post.broken("--digest") == []


def test_clean_points_travel_alone_and_footage_grows_thin_at_home(
    pair: Pair, camera: RtspServer, tmp_path: Path
) -> None:
    rule: dict[str, Any] = {
        "name": "all", "keep": {"any": "30d"}, "thin": {"after": "1d", "at": "post"},
        "replicate": [{"to": "centre", "what": "clean-points"}],
    }  # fmt: skip
    document = {"rules": [rule], "blast_radius": "100%"}
    pair.post.config.write_text(pair.post.config.read_text() + "grace: 0s\n")
    pair.start()
    pair.centre.http.put("/api/v1/policy", json=document)
    pair.post.add("cam", camera.url("cam"))
    until(lambda: len(stored(pair.centre)) >= 3, 60, "clean points arrive at the centre")
    pair.post.http.delete("/api/v1/cameras/cam")
    until(lambda: not pair.post.ffmpegs(), 20, "recording ended")
    until(lambda: not _waiting(pair), 60, "all is known to have travelled")
    for path in stored(pair.centre):
        numbers = media.read_numbers(path)
        assert all(number % 50 == numbers[0] % 50 for number in numbers), "a GOP is 50 frames"
    whole = sum(path.stat().st_size for path in stored(pair.post))
    rule["thin"]["after"] = "6s"
    pair.centre.http.put("/api/v1/policy", json=document)
    # the post sweeps by itself, too, once a minute: then the plan is to let whole ones go
    said = ("would thin", "only clean points stay")
    until(
        lambda: any(one in pair.post.run("policy", "plan").stdout for one in said),
        40, "it is to grow thin",
    )  # fmt: skip
    until(
        lambda: pair.post.run("policy", "apply").returncode == 0
        and all(".thin/" in str(path) for path in stored(pair.post))
        and all(span["clean_points_only"] for span in pair.post.timeline("cam")["spans"]),
        60, "only thin ones are left, the last one shipped too",
    )  # fmt: skip
    small = sum(path.stat().st_size for path in stored(pair.post))
    assert 0 < small < whole / 2
    line = pair.post.timeline("cam")
    begin, end = (parse_instant(line["spans"][i][k]) for i, k in ((0, "start"), (-1, "end")))
    assert pair.post.timeline("cam", begin, end)["gaps"] == [], "nothing is missing"
    clip = pair.post.save_clip(tmp_path / "thin.mp4", "cam", begin, end)
    numbers = media.read_numbers(clip)
    assert len(numbers) >= 3
    assert [b - a for a, b in itertools.pairwise(numbers)] == [50] * (len(numbers) - 1)
    at = format_instant(begin + SECOND, 9)
    assert "only its clean points" in pair.post.run("policy", "explain", "cam", "--at", at).stdout
    assert pair.post.broken("--digest") == []
    assert pair.centre.broken("--digest") == []
    entries = json.loads(pair.post.run("policy", "log", "--json").stdout)
    assert {entry["rule"] for entry in entries} == {"all: thin"}


def test_the_county_in_a_box_tells_its_story_and_leaves_nothing_running(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "recorder", "demo", "--county", "--seconds", "1", "--keep",
         str(tmp_path / "county")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    for sentence in (
        "the centre's timeline knows their cameras, two levels below",
        "the footage of the alarm is at the centre",
        "for post1 it is: pending",
        "the hold has reached post1",
        "rule 0 'alarms' (policy version 1) is the first to match",
        "nothing is left running",
    ):
        assert sentence in " ".join(said.stdout.split()), sentence
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert str(tmp_path) not in path.read_bytes().decode(errors="replace")


def _seen(node: Node) -> float:
    answer = node.http.get("/api/v1/cameras/cam/timeline", params={
        "start": "2020-01-01T00:00:00Z", "end": "2020-12-01T00:00:00Z",
    })  # fmt: skip
    return node.footage_s("cam") if answer.status_code == 200 else 0.0


def _waiting(pair: Pair) -> bool:
    """Tell whether anything is on its way up, as the centre knows it."""
    beat = pair.centre.http.get("/api/v1/sites").json()[0]
    return bool(beat["facts"].get("backlog"))


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"[]", 400, "must be an object"), (b"{", 422, "feed"),
        (b'{"site": "a b"}', 400, "not a name"), (b'{"site": "x"}', 422, "malformed"),
        (b'{"site": "centre"}', 403, "this site itself"),
    ],
)  # fmt: skip
def test_a_feed_that_is_none_is_refused(
    body: bytes, status: int, said: str, lone_centre: Node
) -> None:
    answer = lone_centre.http.post(
        "/api/v1/feed", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, said in answer.json()["detail"]) in (
        (status, True), (422, True),
    ), answer.text  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "missing"),
        ({"Upload-Offset": "7", "X-Size": "9", "X-Digest": "0" * 64}, "stands at"),
        ({"Upload-Offset": "0", "X-Size": "3", "X-Digest": "0" * 64}, "not what was announced"),
        ({"Upload-Offset": "0", "X-Size": "2", "X-Digest": "0" * 64}, "more bytes"),
        ({"Upload-Offset": "0", "X-Size": "0", "X-Digest": "0" * 64}, "x-size"),
    ],
)
def test_a_transfer_that_is_wrong_is_refused_and_leaves_nothing(
    headers: dict[str, str], said: str, lone_centre: Node
) -> None:
    key = "post1/cam/main/2026-01-05/n2.41/14/03-07.250000Z.12.mp4"
    word = {"site": "post1", "level": "post", "url": "", "facts": {}, "holds": {},
            "changes": [], "statuses": [], "nodes": [], "sites": []}  # fmt: skip
    assert lone_centre.http.post("/api/v1/feed", json=word).status_code == 200
    answer = lone_centre.http.patch(f"/api/v1/transfers/{key}", content=b"abc", headers=headers)
    assert answer.status_code in (400, 413, 422, 500)
    assert said in answer.json()["detail"]
    assert list((lone_centre.folder / "data" / "spool" / "incoming").iterdir()) == []
    own = key.replace("post1", "centre")
    good = {"Upload-Offset": "0", "X-Size": "3", "X-Digest": "0" * 64}
    assert lone_centre.http.patch(f"/api/v1/transfers/{own}", content=b"abc",
                                  headers=good).status_code == 403  # fmt: skip
    assert lone_centre.http.head("/api/v1/transfers/no-key").status_code == 422


@pytest.fixture(scope="module")
def lone_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    one = Node(tmp_path_factory.mktemp("lone"), site="centre", level="centre")
    one.start()
    yield one
    one.close()


def test_a_hold_waits_for_a_site_that_is_cut_off_and_the_feed_catches_up(
    pair: Pair, camera: RtspServer
) -> None:
    pair.start()
    pair.post.add("cam", camera.url("cam"))
    until(lambda: pair.post.footage_s("cam") > 6, 40, "the post records")
    until(lambda: _seen(pair.centre) > 3, 20, "the centre knows it")
    pair.line.set("refuse")
    until(lambda: pair.post.footage_s("cam") > 14, 40, "it records on its own")
    known = _seen(pair.centre)
    begin = parse_instant(pair.post.timeline("cam")["spans"][0]["start"])
    held = pair.centre.http.post("/api/v1/holds", json={
        "id": "h1", "cameras": ["cam"], "case": "17", "reason": "collision", "owner": "ann",
        "start": format_instant(begin, 9), "end": format_instant(begin + 3 * SECOND, 9),
    }).json()  # fmt: skip
    assert held["sites"] == {"post1": {"state": "pending"}}
    assert "1 hold not delivered" in pair.centre.run("site").stdout
    wanted = {"url": camera.url("cam"), "group": "gates", "credentials": "u:secret"}
    asked = pair.centre.http.put(
        "/api/v1/sites/post1/cameras/gate", json=wanted, headers={"X-Author": "ann"}
    ).json()
    assert (asked["version"], asked["streams"]["main"]["credentials"]) == (1, "********")
    assert pair.centre.http.put("/api/v1/sites/none/cameras/x", json=wanted).status_code == 404
    pair.line.set("ok")
    shown = until(
        lambda: (one := pair.centre.http.get("/api/v1/holds/h1").json()["sites"]["post1"])[
            "state"
        ] == "held" and one,
        30, "the hold is delivered",
    )  # fmt: skip
    assert shown["streams"][0]["stream"] == "post1/cam/main"
    until(lambda: _seen(pair.centre) > known + 6, 30, "the feed caught up")
    until(lambda: pair.post.footage_s("gate") > 0, 30, "the camera it was asked for is recorded")
    assert pair.post.http.get("/api/v1/cameras/gate").json()["author"] == "ann at centre"
    pair.centre.http.delete("/api/v1/sites/post1/cameras/gate")
    until(lambda: pair.post.http.get("/api/v1/cameras/gate").status_code == 404, 15, "no longer")
    assert pair.centre.http.get("/api/v1/sites/post1/cameras").json() == []
    (hold,) = pair.post.http.get("/api/v1/holds").json()
    assert (hold["id"], hold["owner"]) == ("h1", "ann")
    pair.centre.http.delete("/api/v1/holds/h1", params={"by": "ben"})
    every = "/api/v1/holds?all=true"
    until(lambda: pair.post.http.get(every).json()[0]["state"] == "released", 15, "released")
    assert pair.post.http.get("/api/v1/holds").json() == [], "nothing holds now"
    tree = pair.centre.run("site").stdout
    assert "post1 (post)  linked" in tree
