"""A county in a box: a centre, two sub-centres and three posts, each a process with a store of
its own (RGW buckets and directories), on lines that can be cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.proxy import Proxy
from tests.support.rgw import ACCESS, SECRET, Rgw

pytestmark = pytest.mark.xdist_group("rgw")

KEEP_S = 60
KEEP = f"{KEEP_S}s"
POLICY: dict[str, Any] = {
    "rules": [
        {
            "name": "alarms", "match": {"event": "alarm"},
            "keep": {"post": KEEP, "sub-centre": KEEP, "centre": "180d"},
            "replicate": [{"what": "events", "to": "centre", "class": "urgent", "within": "1m"}],
        },
        {
            "name": "key", "match": {"group": "key"},
            "keep": {"post": KEEP, "sub-centre": "1d", "centre": "90d"},
            "replicate": [{"to": "sub-centre"}],
        },
        {"name": "general", "keep": {"any": KEEP}},
    ],
    "off_link": {"after": "10s", "may": "nothing"},
    "blast_radius": "100%",
}  # fmt: skip


class County:
    """Six sites; ``lines`` by child."""

    def __init__(self, folder: Path, rgw: Rgw) -> None:
        os.environ.update(TEST_S3_ACCESS=ACCESS, TEST_S3_SECRET=SECRET)
        self.folder, self.rgw = folder, rgw
        self.sites: dict[str, Node] = {}
        self.lines: dict[str, Proxy] = {}
        self._site("centre", "centre", "", bucket=True)
        self._site("sub1", "sub-centre", "centre", bucket=True, lock=True)
        self._site("sub2", "sub-centre", "centre")
        self._site("post1", "post", "sub1")
        self._site("post2", "post", "sub1", bucket=True)
        self._site("post3", "post", "sub2")

    def _site(
        self, name: str, level: str, parent: str, *, bucket: bool = False, lock: bool = False
    ) -> None:
        store: dict[str, Any] = {"name": "main", "kind": "directory",
                                 "path": str(self.folder / name / "store")}  # fmt: skip
        if bucket:
            store = {"name": "main", "kind": "s3", "endpoint": self.rgw.endpoint,
                     "bucket": self.rgw.bucket(lock=lock), "access_key": "env:TEST_S3_ACCESS",
                     "secret_key": "env:TEST_S3_SECRET"}  # fmt: skip
        above = ""
        if parent:
            line = self.lines[name] = Proxy(self.sites[parent].port)
            above = f"http://127.0.0.1:{line.port}"
        self.sites[name] = Node(
            self.folder / name, site=name, level=level, node=f"{name}-a", parent=above,
            stores=[store], capture={"segment": 2}, grace="0s",
        )  # fmt: skip

    def start(self) -> None:
        for site in self.sites.values():
            site.start()

    def close(self) -> None:
        for site in self.sites.values():
            site.close()
        for line in self.lines.values():
            line.close()

    def covers(self, at: str, camera: str) -> float:
        answer = self.sites[at].http.get("/api/v1/coverage").json()["cameras"]
        return float(sum(row["covered_seconds"] for row in answer if row["camera"] == camera))


@pytest.fixture
def county(tmp_path: Path, rgw: Rgw) -> Iterator[County]:
    one = County(tmp_path, rgw)
    yield one
    one.close()


def places(county: County, at: str, camera: str, moment: int) -> str:
    """What a site says of where the footage of a moment lies, and why."""
    said = county.sites[at].http.get(
        f"/api/v1/cameras/{camera}/explain", params={"at": format_instant(moment, 9)}
    ).json()["said"]  # fmt: skip
    return "\n".join(said)


def test_a_county_keeps_its_promises_through_a_cut_a_hold_and_a_death(
    county: County, camera: RtspServer
) -> None:
    county.start()
    sites = county.sites
    assert sites["centre"].http.put("/api/v1/policy", json=POLICY).status_code == 200
    for post, name, group in (
        ("post1", "market", "general"), ("post2", "bank", "key"), ("post3", "school", "general"),
    ):  # fmt: skip
        sites[post].add(name, camera.url("cam"), group=group)
    for name in ("market", "bank", "school"):
        until(lambda name=name: county.covers("centre", name) > 4, 60, f"the centre knows {name}")  # type: ignore[misc]
    until(lambda: sites["post3"].http.get("/api/v1/policy").status_code == 200, 20, "policy down")

    # an alarm at post1: two levels up, urgently; the line of post1 is cut right after
    begin = parse_instant(sites["post1"].timeline("market")["spans"][0]["start"])
    first = begin + 3 * SECOND
    event = {"camera": "market", "kind": "alarm", "pre": "1s", "post": "1s", "id": "alarm-1",
             "at": format_instant(first, 9)}  # fmt: skip
    assert sites["post1"].http.post("/api/v1/events", json=event).status_code == 201
    until(lambda: "at main (centre)" in places(county, "centre", "market", first), 60,
          "the alarm's footage is at the centre")  # fmt: skip
    county.lines["post1"].set("refuse")
    late = parse_instant(sites["post1"].http.get("/api/v1/coverage").json()["end"])
    event |= {"id": "alarm-2", "at": format_instant(late, 9)}
    assert sites["post1"].http.post("/api/v1/events", json=event).status_code == 201

    # a hold on what retention is about to take, beside the dead line and on a living one
    hold = {"cameras": ["market", "bank"], "case": "17", "reason": "collision", "owner": "ann",
            "id": "case-17", "start": format_instant(begin, 9),
            "end": format_instant(begin + 6 * SECOND, 9)}  # fmt: skip
    placed = sites["centre"].http.post("/api/v1/holds", json=hold).json()
    assert placed["sites"]["post1"] == {"state": "pending"}
    until(lambda: _hold(county)["sites"]["post2"]["state"] == "held", 20, "post2 holds")
    until(lambda: _locked(sites["sub1"]) > 0, 60, "sub1's bucket locks all of it")

    # time passes: what is linked lets go of what is old; what is not linked destroys nothing
    until(lambda: _swept(sites["post3"], "school"), 120, "post3 lets go of what is old")
    assert sites["post1"].run("policy", "apply").returncode == 0
    assert not _purged(sites["post1"], "market"), "out of touch, it may destroy nothing"
    bank = sites["post2"].timeline("bank")["spans"][0]
    assert parse_instant(bank["start"]) < begin + 6 * SECOND, "what is held stays"
    until(lambda: county.covers("sub1", "bank") > 30, 30, "and sub1 keeps the key target's")

    # the line heals: everything catches up, and then retention goes on
    county.lines["post1"].set("ok")
    until(lambda: _hold(county)["sites"]["post1"]["state"] == "held", 30, "post1 holds, too")
    until(lambda: "at main (centre)" in places(county, "centre", "market", late), 60,
          "the second alarm's footage is at the centre")  # fmt: skip
    until(lambda: _swept(sites["post1"], "market"), 60, "post1 lets go of the rest")
    spans = sites["post1"].timeline("market")["spans"]
    assert parse_instant(spans[0]["start"]) <= begin + SECOND, "but not of what is held"
    _one_dies(county, first)


def _one_dies(county: County, first: int) -> None:
    """A post dies: what lies above is still served, and every other site is whole."""
    sites = county.sites
    sites["post1"].kill()
    for pid in sites["post1"].ffmpegs():
        os.kill(pid, 9)
    clip = sites["centre"].clip("market", first - SECOND, first + SECOND)
    assert clip.status_code == 200
    for name in ("centre", "sub1", "sub2", "post2", "post3"):
        assert sites[name].broken("--digest") == [], name


def _hold(county: County) -> dict[str, Any]:
    found: dict[str, Any] = county.sites["centre"].http.get("/api/v1/holds/case-17").json()
    return found


def _locked(site: Node) -> int:
    """Say how many copies a site's store has locked, if it has locked all."""
    said = site.http.get("/api/v1/holds/case-17").json()
    return int(said["stores"]["main"]["locked"]) if said["protection"] == "store" else 0


def _swept(site: Node, camera: str) -> bool:
    """Have a site's janitor sweep now, once something is old, and say whether anything went."""
    now = parse_instant(site.http.get("/api/v1/coverage").json()["end"])
    oldest = parse_instant(site.timeline(camera)["spans"][0]["start"])
    if now - oldest < (KEEP_S + 4) * SECOND:
        return False
    return site.run("policy", "apply").returncode == 0 and _purged(site, camera)


def _purged(site: Node, camera: str) -> bool:
    return "purged" in {gap["cause"] for gap in site.timeline(camera)["gaps"]}
