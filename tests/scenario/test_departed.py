"""A post that never comes back, and one that does after all, seen from the centre."""

from __future__ import annotations

import pytest

from tests.scenario.test_sites import Pair, pair  # noqa: F401 - a fixture
from tests.scenario.test_sites import _seen as seen_of
from tests.support.nodes import RtspServer
from tests.support.ports import until

CAM = "post1%2Fcam"
pytestmark = pytest.mark.long  # a site counts as gone after a minute


def test_a_post_that_was_removed_leaves_gaps_and_tells_all_if_it_comes_back(
    pair: Pair,  # noqa: F811
    camera: RtspServer,
) -> None:
    pair.start()
    centre, post = pair.centre, pair.post
    post.add("cam", camera.url("cam"))
    until(lambda: seen_of(centre) > 8, 40, "the centre knows of it")
    assert "it lives" in centre.run("site", "remove", "post1", "--lose").stderr
    post.stop()
    before = centre.footage_s(CAM)
    until(lambda: "it lives" not in centre.run("site", "remove", "post1").stderr, 90, "silent")
    said = centre.run("site", "remove", "post1")
    assert (said.returncode, "no other place has" in said.stderr) == (75, True)
    assert centre.footage_s(CAM) == before
    done = centre.run("site", "remove", "post1", "--lose")
    assert done.returncode == 0, done.stderr
    assert "site post1 is no more" in done.stdout
    assert "post1" not in centre.run("site").stdout
    assert "post1" not in centre.run("node", "list").stdout
    assert centre.run("camera", "list").stdout.startswith("no cameras")
    seen = centre.timeline(CAM)
    assert seen["spans"] == []
    assert sum(one["seconds"] for one in seen["gaps"] if one["cause"] == "lost") >= before - 1
    assert centre.broken() == []
    post.start()
    until(lambda: centre.footage_s(CAM) > before, 60, "it tells all, as a new one")
    assert "lost" not in {one["cause"] for one in centre.timeline(CAM)["gaps"]}
    assert "post1" in centre.run("site").stdout
    assert (centre.broken(), post.broken("--digest")) == ([], [])
