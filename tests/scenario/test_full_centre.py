"""The centre's store is full: it makes room by the operator's order, and nobody loses anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.model.keys import parse_key
from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.disk import fill, small_disk
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

POLICY: dict[str, Any] = {
    "rules": [
        {"name": "all", "keep": {"post": "30d", "centre": "180d"}, "replicate": [{"to": "centre"}]},
    ],
    "stores": {"centre": {"floor": "50%"}}, "pressure": [{"match": {"group": "general"}}],
    "blast_radius": "100%",
}  # fmt: skip
GROUPS = {"yard": "general", "bank": "key"}


class Full:
    """A post below a centre whose store is a disk of 12 MiB."""

    url = ""

    def __init__(self, folder: Path, disk: Path) -> None:
        self.disk = disk
        store = {"name": "main", "kind": "directory", "path": str(disk)}
        self.centre = Node(
            folder / "centre", site="centre", level="centre", node="c1", stores=[store], grace="0s",
            spool={"max_size": "4 MB", "floor": 0},
        )  # fmt: skip
        self.post = Node(
            folder / "post", site="post1", level="post", node="p1", capture={"segment": 2},
            parent=f"http://127.0.0.1:{self.centre.port}", grace="0s",
        )  # fmt: skip

    def explain(self, site: Node, camera: str, moment: int) -> str:
        answer = site.http.get(
            f"/api/v1/cameras/{camera}/explain", params={"at": format_instant(moment, 9)}
        )
        return "\n".join(answer.json()["said"])

    def copies_here(self, camera: str) -> list[Path]:
        return list((self.disk / "post1" / camera).rglob("*Z.*.mp4"))

    def below_floor(self) -> bool:
        used = shutil.disk_usage(self.disk)
        return used.free < used.total // 2

    def ship_error(self) -> str:
        nodes = self.centre.http.get("/api/v1/nodes").json()
        return next(str(row["ship_error"]) for row in nodes if row["node"] == "c1")

    def backlog(self) -> int:
        """Segments that the post says wait to go up."""
        (row,) = (
            one for one in self.centre.http.get("/api/v1/sites").json() if one["site"] == "post1"
        )
        return sum(counts["segments"] for counts in row["facts"].get("backlog", {}).values())


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Full]:
    with small_disk(tmp_path / "small", 12) as disk:
        one = Full(tmp_path, disk)
        yield one
        one.post.close()
        one.centre.close()


def test_a_full_centre_takes_the_least_important_never_what_is_held_and_catches_up(
    full: Full, camera: RtspServer
) -> None:
    centre, post = full.centre, full.post
    centre.start()
    post.start()
    assert centre.http.put("/api/v1/policy", json=POLICY).status_code == 200
    full.url = camera.url("cam")
    for name, group in GROUPS.items():
        post.add(name, full.url, group=group)
    until(lambda: full.copies_here("yard"), 60, "footage of the yard is at the centre")
    begin = parse_instant(post.timeline("yard")["spans"][0]["start"])
    hold = {"cameras": ["yard"], "case": "17", "reason": "theft", "owner": "ann", "id": "case-17",
            "start": format_instant(begin, 9),
            "end": format_instant(begin + 3 * SECOND, 9)}  # fmt: skip
    assert centre.http.post("/api/v1/holds", json=hold).status_code == 201

    # below its floor: what the operator said goes first
    until(lambda: full.below_floor(), 120, "the centre's store is half full")
    until(lambda: _takes_room(centre), 60, "the centre makes room")
    gone = [one for one in _log(centre) if one["action"] == "condemn"]
    assert {one["rule"] for one in gone} == {"pressure.0"}, gone
    assert all("post1/yard/" in one["key"] and "below its floor" in one["reason"] for one in gone)
    parts = parse_key(gone[0]["key"])
    assert parts is not None
    early = parts.start + SECOND
    said = full.explain(centre, "yard", early)
    assert "at post1/main (post)" in said, said
    assert "at main (centre)" not in said, said
    assert "at main (centre)" in full.explain(centre, "yard", begin + SECOND), "held stays"
    clip = centre.clip("yard", early, early + SECOND)
    assert clip.status_code == 200, "and what went is still read from the post"
    _full_for_real(full, begin)


def _full_for_real(full: Full, begin: int) -> None:
    """Others fill the disk: nothing can be stored, nothing is lost, and it is caught up with."""
    centre, post = full.centre, full.post
    filler = fill(full.disk)
    until(lambda: "No space left" in full.ship_error(), 60, "the centre says why")
    until(lambda: full.backlog() > 4, 60, "the backlog is seen at the centre")
    for name in ("yard", "bank"):  # or the small disk is soon full of what may not go
        post.add(name, full.url, record="off", group=GROUPS[name])
    stuck = parse_instant(post.timeline("yard")["spans"][-1]["start"])
    assert not _lost(post)
    filler.unlink()
    until(lambda: full.ship_error() == "", 120, "the centre stores again")
    until(lambda: "at main (centre)" in full.explain(centre, "yard", stuck), 120, "all of it")
    assert not _lost(centre)
    assert "at main (centre)" in full.explain(centre, "yard", begin + SECOND), "held stays"
    for site in (post, centre):
        site.stop()
        assert site.broken("--digest") == [], site.folder.name


def _lost(site: Node) -> list[dict[str, Any]]:
    """Gaps that a full disk would make."""
    return [
        gap
        for name in ("yard", "bank")
        for gap in site.timeline(name)["gaps"]
        if gap["cause"] in ("spool-full", "lost", "purged")
    ]


def _takes_room(centre: Node) -> bool:
    assert centre.run("policy", "apply").returncode == 0
    return any(one["action"] == "condemn" for one in _log(centre))


def _log(centre: Node) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = centre.http.get("/api/v1/policy/log").json()
    return found
