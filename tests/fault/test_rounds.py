"""Whatever breaks, in whatever order: nothing that was ever shown is gone, and all is sound.

Two nodes of a post on PostgreSQL, their parent behind a line that can be cut, and one camera.
``FAULT_SEED`` and ``FAULT_ROUNDS`` try another order, or for longer.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support import media
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.postgres import Postgres
from tests.support.proxy import Proxy

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "25"))
SLOT_NS = SECOND // 5
SEALED_NS = 20 * SECOND
KEEP = {"rules": [{
    "name": "all", "keep": {"post": "30d", "centre": "180d"},
    "replicate": [{"what": "all", "to": "centre"}],
}]}  # fmt: skip
MISTAKEN = {"rules": [{"name": "all", "keep": {"post": "1m", "centre": "1m"}}]}


class Tree:
    """The sites, what may happen to them, and what was ever shown."""

    def __init__(self, folder: Path, database: str, film: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.camera = RtspServer(cam=f"{film}:h264:shared").start()
        self.centre = Node(folder / "centre", site="centre", level="centre", node="c1")
        self.line = Proxy(self.centre.port)
        self.store = folder / "store"
        stores = [{"name": "main", "kind": "directory", "path": str(self.store)}]
        self.post = [
            Node(
                folder / name, site="post1", level="post", node=name, catalog=database,
                stores=stores, capture={"segment": 3},
                parent=f"http://127.0.0.1:{self.line.port}",
            )
            for name in ("n1", "n2")
        ]  # fmt: skip
        for node in self.post:
            node.share_key()
        self.begun = time.time_ns() - 60 * SECOND
        self.shown: dict[str, set[int]] = {"post1": set(), "centre": set()}
        self.told: list[str] = []
        self.taken: Node | None = None

    @property
    def nodes(self) -> list[Node]:
        return [*self.post, self.centre]

    def close(self) -> None:
        for node in self.nodes:
            if node.process is not None:
                node.process.send_signal(signal.SIGCONT)
            node.close()
        self.line.close()
        self.camera.stop()

    # -- what happens ----------------------------------------------------------------------

    def round(self, postgres: Postgres) -> None:
        """Let one thing happen, for some seconds, and end."""
        dice = self.dice
        happenings: list[Callable[[], contextlib.AbstractContextManager[None]]] = [
            self.a_node_dies, self.a_node_hangs, self.its_ffmpegs_die, self.the_camera_hangs,
            self.the_parent_dies, self.the_line_is_cut, self.the_store_is_away,
            self.the_policy_is_mistaken, self.something_is_held, self.a_node_is_stopped,
            lambda: self.the_database_dies(postgres),
        ]  # fmt: skip
        with contextlib.ExitStack() as stack:
            for happening in dice.sample(happenings, dice.choice([1, 1, 2])):
                stack.enter_context(happening())
                self.watch(dice.uniform(0.5, 7))
        self.watch(dice.uniform(0.5, 4))

    @contextlib.contextmanager
    def a_node_dies(self) -> Iterator[None]:
        with self._one("dies", self.post) as node:
            node.kill()
            if self.dice.random() < 0.5:
                self._kill_ffmpegs(node)
            yield
            node.start()

    @contextlib.contextmanager
    def a_node_is_stopped(self) -> Iterator[None]:
        with self._one("is stopped", self.post) as node:
            node.stop(120)
            yield
            node.start()

    @contextlib.contextmanager
    def a_node_hangs(self) -> Iterator[None]:
        with self._one("hangs", self.nodes) as node:
            assert node.process is not None
            node.process.send_signal(signal.SIGSTOP)
            yield
            node.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def its_ffmpegs_die(self) -> Iterator[None]:
        with self._one("ffmpegs die", self.post) as node:
            self._kill_ffmpegs(node)
        yield

    @contextlib.contextmanager
    def the_camera_hangs(self) -> Iterator[None]:
        self.told.append("camera hangs")
        self.camera.pause()
        yield
        self.camera.resume()

    @contextlib.contextmanager
    def the_parent_dies(self) -> Iterator[None]:
        with self._one("dies", [self.centre]) as node:
            node.kill()
            yield
            node.start()

    @contextlib.contextmanager
    def the_line_is_cut(self) -> Iterator[None]:
        mode = self.dice.choice(["refuse", "hang", "error", "truncate"])
        self.told.append(f"line: {mode}")
        self.line.set(mode)
        yield
        self.line.set("ok")

    @contextlib.contextmanager
    def the_store_is_away(self) -> Iterator[None]:
        self.told.append("store away")
        away = self.store.with_name("away")
        self.store.rename(away)
        yield
        assert not self.store.exists(), "somebody made another one"
        away.rename(self.store)

    @contextlib.contextmanager
    def the_policy_is_mistaken(self) -> Iterator[None]:
        self.told.append("mistaken policy")
        self._put("/api/v1/policy", MISTAKEN)
        for node in self.nodes:
            with contextlib.suppress(httpx.HTTPError):
                node.http.post("/api/v1/policy/apply", params={"yes": "true"}, timeout=5)
        yield
        until(lambda: self._put("/api/v1/policy", KEEP), 90, "the policy is put right")

    @contextlib.contextmanager
    def something_is_held(self) -> Iterator[None]:
        self.told.append("hold")
        now = time.time_ns()
        name = f"h{now}"
        held = {
            "id": name, "cameras": ["cam"], "reason": "case",
            "start": format_instant(now - 9 * SECOND), "end": format_instant(now),
        }  # fmt: skip
        placed = self._post("/api/v1/holds", held)
        yield
        if placed:
            with contextlib.suppress(httpx.HTTPError):
                self.centre.http.delete(f"/api/v1/holds/{name}", timeout=5)

    @contextlib.contextmanager
    def the_database_dies(self, postgres: Postgres) -> Iterator[None]:
        self.told.append("database dies")
        postgres.pause()
        yield
        postgres.resume()

    @contextlib.contextmanager
    def _one(self, what: str, nodes: list[Node]) -> Iterator[Node]:
        """Have one node to which nothing else happens meanwhile; two things at most do at once."""
        node = self.dice.choice([one for one in nodes if one is not self.taken] or self.post)
        if node is self.taken:
            node = next(one for one in self.nodes if one is not node)
        self.told.append(f"{node.folder.name} {what}")
        self.taken = node
        yield node
        self.taken = None

    def _kill_ffmpegs(self, node: Node) -> None:
        for pid in node.ffmpegs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _put(self, path: str, body: dict[str, Any]) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.centre.http.put(path, json=body, timeout=5).status_code == 200
        return False

    def _post(self, path: str, body: dict[str, Any]) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            answer = self.centre.http.post(path, json=body, timeout=5)
            return answer.status_code in (200, 201)
        return False

    # -- what must be true -----------------------------------------------------------------

    def watch(self, seconds: float) -> None:
        """Look at all timelines for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for node in self.nodes:
                self.look(node)
            time.sleep(0.5)

    def look(self, node: Node) -> list[dict[str, Any]]:
        """Ask one node for all spans; note what it shows."""
        spans: list[dict[str, Any]] = self.line_of(node).get("spans", [])
        self.shown[self._site(node)] |= _slots(spans)
        return spans

    def line_of(self, node: Node) -> dict[str, Any]:
        """Return the timeline, empty where the node does not answer."""
        params = {
            "start": format_instant(self.begun, 9), "site": "post1",
            "end": format_instant(time.time_ns() + SECOND, 9),
        }  # fmt: skip
        with contextlib.suppress(httpx.HTTPError):
            answer = node.http.get("/api/v1/cameras/cam/timeline", params=params, timeout=3)
            if answer.status_code == 200:
                line: dict[str, Any] = answer.json()
                return line
        return {}

    def missing(self) -> list[str]:
        """Say what was shown once and is not, now that nothing is broken.

        What a node still writes the others know when it is sealed.
        """
        found, sealed = [], (time.time_ns() - SEALED_NS) // SLOT_NS
        for node in self.nodes:
            gone = self.shown[self._site(node)] - _slots(self.look(node))
            gone = {one for one in gone if one < sealed}
            if gone:
                times = [format_instant(one * SLOT_NS) for one in (min(gone), max(gone))]
                found.append(f"{node.folder.name}: {len(gone)} slots from {times[0]} to {times[1]}")
        return found

    def is_whole(self) -> None:
        """Wait until all that was shown is there."""
        try:
            until(lambda: not self.missing(), 90, f"what was shown, after {self.told[-6:]}")
        except AssertionError as exc:
            exc.add_note(f"{self.missing()}; {[(n.folder.name, n.folder) for n in self.nodes]}")
            raise

    def _site(self, node: Node) -> str:
        return "centre" if node is self.centre else "post1"


def _slots(spans: list[dict[str, Any]]) -> set[int]:
    found: set[int] = set()
    for span in spans:
        start, end = parse_instant(span["start"]), parse_instant(span["end"])
        found.update(range(-(-start // SLOT_NS), end // SLOT_NS))
    return found


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """One that may die."""
    one = Postgres().start()
    yield one
    one.stop()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [int(os.environ.get("FAULT_SEED", "1"))])
def test_what_was_ever_shown_stays_whatever_breaks(
    seed: int, own_postgres: Postgres, h264_file: Path, tmp_path: Path
) -> None:
    tree = Tree(tmp_path, own_postgres.database(), h264_file, seed)
    try:
        for node in (tree.centre, *tree.post):
            node.start()
        assert tree._put("/api/v1/policy", KEEP)
        tree.post[0].add("cam", tree.camera.url("cam"))
        until(lambda: tree.look(tree.post[0]), 60, "it is recorded")
        for _ in range(ROUNDS):
            tree.round(own_postgres)
            tree.is_whole()
            print(tree.told[-2:], len(tree.shown["post1"]), flush=True)
        _all_is_sound(tree, tmp_path)
    finally:
        tree.close()


def _all_is_sound(tree: Tree, folder: Path) -> None:
    """All ends well: what the post has is above, every gap has a cause, checks are clean."""
    post, shown = tree.post[0], tree.shown
    assert post.http.delete("/api/v1/cameras/cam").status_code in (200, 204)
    until(lambda: not any(one.ffmpegs() for one in tree.post), 60, "recording ended")
    tree.is_whole()
    until(lambda: shown["post1"] <= _slots(tree.look(tree.centre)), 180, "all of it is above")
    line = tree.line_of(post)
    assert all(gap["cause"] not in ("", "unknown") for gap in line["gaps"]), line["gaps"]
    for span in line["spans"]:
        start, end = parse_instant(span["start"]), parse_instant(span["end"])
        clip = post.save_clip(folder / "clip.mp4", "cam", start, end)
        numbers = media.read_numbers(clip)
        # the camera begins its film again when another client comes; where the footage of two
        # nodes meets, a frame may be in both
        jumps = [
            (one, after)
            for one, after in pairwise(numbers)
            if after - one not in (0, 1) and after > 50
        ]
        assert not jumps, (span, jumps)
    for node in tree.nodes:
        assert node.broken("--digest") == [], node.folder.name
        assert node.run("audit", "verify").returncode == 0
