"""A post whose catalog is lost, and the centre that still has what it had let go."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.model.timebase import SECOND, parse_instant
from tests.scenario.test_sites import Pair, pair, stored
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

__all__ = ["pair"]

EVERYTHING = {"rules": [{"name": "all", "keep": {"any": "30d"}, "replicate": [{"to": "centre"}]}]}


@pytest.mark.long
@pytest.mark.timeout(300)  # a name is given away a minute after it was heard
def test_a_post_that_lost_its_catalog_shows_again_what_the_centre_has(
    pair: Pair, camera: RtspServer
) -> None:
    pair.start()
    pair.centre.http.put("/api/v1/policy", json=EVERYTHING)
    pair.post.add("cam", camera.url("cam"))
    until(lambda: len(stored(pair.centre)) > 4, 60, "footage travels")
    pair.post.http.delete("/api/v1/cameras/cam")
    until(lambda: not pair.post.ffmpegs(), 20, "recording ended")
    until(lambda: len(stored(pair.centre)) == len(stored(pair.post)), 60, "all of it travelled")
    before = spans(pair.post)
    begin = parse_instant(before[0][0])
    whole = pair.post.clip("cam", begin, begin + 6 * SECOND).content

    pair.post.stop()
    for path in sorted(stored(pair.post))[:3]:
        path.unlink()
        _unlink_links(pair.post, path.name)
    for path in (pair.post.folder / "data").glob("catalog.db*"):
        path.unlink()
    assert pair.post.run("rebuild").returncode == 0
    pair.post.start()
    assert spans(pair.post) != before
    until(lambda: _admitted(pair), 90, "it is let in by its old name")
    until(lambda: spans(pair.post) == before, 30, "all is known again")
    assert "lost" not in {gap["cause"] for gap in pair.post.timeline("cam")["gaps"]}
    assert pair.post.clip("cam", begin, begin + 6 * SECOND).content == whole
    assert pair.post.broken("--digest") == []


def spans(node: Node) -> list[tuple[str, str]]:
    return [(one["start"], one["end"]) for one in node.timeline("cam")["spans"]]


def _unlink_links(node: Node, name: str) -> None:
    for link in Path(node.folder / "data" / "spool").rglob(name):
        link.unlink()


def _admitted(pair: Pair) -> bool:
    (site,) = pair.centre.http.get("/api/v1/sites").json()
    if not site["turned_away"]:
        return False
    said = {"catalog": site["turned_away"]["catalog"]}
    return pair.centre.http.put("/api/v1/sites/post1/catalog", json=said).is_success
