"""A small tree of sites for tests that break it: two posts whose cameras have one name, a centre.

``post1`` has two nodes on PostgreSQL, ``post2`` one on SQLite; both speak to the centre over
lines that can be cut.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.fault.promises import NEVER, SLOT_NS, Promises
from tests.support.disk import small_disk
from tests.support.leaping import Leaping
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.postgres import Postgres
from tests.support.proxy import Proxy

SEALED_NS = 20 * SECOND
SHORT = {"post": 60, "centre": 90}
"""Seconds that footage is kept where it is to go within a test."""
GRACE_S = 8


def policy(short: bool) -> dict[str, Any]:
    """Return what is kept: all, or all for so long that it goes within the test."""
    ages = {site: f"{age}s" for site, age in SHORT.items()}
    keep = ages if short else {"post": "30d", "centre": "180d"}
    up = [{"what": "all", "to": "centre", "class": "urgent"}]
    rule = {"name": "all", "keep": keep, "replicate": up}
    longer = {
        "name": "alarms", "match": {"event": "alarm"}, "keep": {"any": "30d"}, "replicate": up,
    }  # fmt: skip
    all_may_go = {"blast_radius": "100%"} if short else {}  # what went within the hour counts, too
    return {"rules": [longer, rule], "stores": {"any": {"floor": 0}}, **all_may_go}


@dataclass
class Site:
    """A site and its nodes."""

    name: str
    nodes: list[Node]
    store: Path
    line: Proxy | None = None
    camera: RtspServer | None = None
    database: str = ""
    backups: list[Path] = field(default_factory=list)
    lost_at: int = 0

    @property
    def node(self) -> Node:
        """One of its nodes, for what any can answer."""
        return self.nodes[0]

    def set(self, **settings: Any) -> None:
        """Change the settings of its nodes; they count from the next start."""
        for node in self.nodes:
            body = yaml.safe_load(node.config.read_text()) | settings
            node.config.write_text(yaml.safe_dump(body))


class Tree:
    """The sites, what was ever shown, and what must be kept of it."""

    def __init__(self, folder: Path, postgres: Postgres, film: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.folder, self.postgres = folder, postgres
        self.short = self.dice.random() < 0.5
        self.promises = Promises(SHORT["centre"] * SECOND if self.short else None)
        self.begun = time.time_ns() - 60 * SECOND
        self.shown: dict[tuple[str, str], set[int]] = {}
        self.told: list[str] = []
        self.taken: set[str] = set()
        self.words: dict[str, dict[str, Any]] = {"holds": {}, "events": {}, "labels": {}}
        self.copied = self.filled = False
        self.renewed = False
        """The centre's catalog was another once: for ten minutes it may be no third one."""
        self.clock = Leaping(folder / "clock")
        self._ending = contextlib.ExitStack()
        self.small_disk = self._ending.enter_context(small_disk(folder / "disk", 48))
        self._other: Node | None = None
        self.damaged: list[Path] = []
        centre = self._node("centre", "c1", "centre")
        centre.env |= self.clock.env
        line = [Proxy(centre.port) for _ in "ab"]
        cameras = [RtspServer(cam=f"{film}:h264:shared").start() for _ in "ab"]
        database = postgres.database()
        small = {"spool": {"path": str(self.small_disk), "floor": "1 MB"}}
        post1 = [
            self._node("post1", name, "post", line[0], catalog=database, **more)
            for name, more in (("n1", {}), ("n2", small))
        ]
        post2 = [self._node("post2", "m1", "post", line[1])]
        self.sites = {
            "centre": Site("centre", [centre], folder / "centre-store"),
            "post1": Site("post1", post1, folder / "post1-store", line[0], cameras[0], database),
            "post2": Site("post2", post2, folder / "post2-store", line[1], cameras[1]),
        }

    def _node(
        self, site: str, name: str, level: str, line: Proxy | None = None, **more: Any
    ) -> Node:
        store = {"name": "main", "kind": "directory", "path": str(self.folder / f"{site}-store")}
        if line is not None:
            more["parent"] = f"http://127.0.0.1:{line.port}"
        key = self.folder / f"{site}-audit.key"
        node = Node(
            self.folder / name, site=site, level=level, node=name, stores=[store],
            capture={"segment": 3}, grace=f"{GRACE_S}s" if self.short else "24h",
            audit={"key": str(key)}, **more,
        )  # fmt: skip
        node.share_key()
        return node

    @property
    def nodes(self) -> list[Node]:
        """All nodes."""
        return [node for site in self.sites.values() for node in site.nodes]

    @property
    def posts(self) -> list[Site]:
        """The sites that record."""
        return [site for site in self.sites.values() if site.camera is not None]

    @property
    def centre(self) -> Site:
        """The site above."""
        return self.sites["centre"]

    def start(self) -> None:
        """Start all, and wait until both cameras are recorded."""
        for node in self.nodes:
            node.start()
        until(lambda: self.put("/api/v1/policy", policy(self.short)), 30, "a policy")
        for site in self.posts:
            self.add_camera(site)
        for site in self.posts:
            until(lambda: self.spans(site.node, site.name), 60, "it is recorded")  # noqa: B023

    def close(self) -> None:
        """End whatever runs, in any state."""
        for node in self.nodes:
            if node.process is not None:
                node.process.send_signal(signal.SIGCONT)
            node.close()
        for site in self.posts:
            assert site.line is not None
            assert site.camera is not None
            site.line.close()
            site.camera.stop()
        if self._other is not None:
            self._other.close()
        self._ending.close()

    def other_centre(self) -> Node:
        """Start another centre, which a post may have as its parent."""
        if self._other is None:
            self._other = self._node("other", "o1", "centre")
        self._other.start()
        http, right = self._other.http, policy(self.short)
        assert http.put("/api/v1/policy", json=right, timeout=30).is_success
        return self._other

    # -- things that breaks have in common ----------------------------------------------------

    @contextlib.contextmanager
    def taking(self, *names: str) -> Iterator[bool]:
        """Have things to which nothing else happens meanwhile; say whether they are free."""
        free = not self.taken & set(names)
        if free:
            self.taken |= set(names)
        yield free
        if free:
            self.taken -= set(names)

    def say(self, what: str) -> None:
        """Note what happens."""
        self.told.append(what)
        print(f"  {time.strftime('%H:%M:%S', time.gmtime())} {what}", flush=True)

    def is_rebuilt(self, done: subprocess.CompletedProcess[str]) -> bool:
        """Tell whether a rebuild found all right; where objects are damaged it says so."""
        return done.returncode == 0 or (done.returncode == 65 and bool(self.damaged))

    def site_of(self, node: Node) -> Site:
        """Return whose node it is."""
        return next(site for site in self.sites.values() if node in site.nodes)

    def kill_ffmpegs(self, node: Node) -> None:
        """SIGKILL what a node records with."""
        for pid in node.ffmpegs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def add_camera(self, site: Site) -> None:
        """Have the camera recorded, as a person does who adds it until it works."""
        assert site.camera is not None
        url, label = site.camera.url("cam"), self.words["labels"].get(site.name, "")

        def add() -> bool:
            body = {"url": url, "label": label}
            answer = site.node.http.put("/api/v1/cameras/cam", json=body, timeout=5)
            return answer.status_code in (200, 201)

        until(lambda: quiet(add), 60, f"the camera of {site.name} is added")

    def revive(self) -> None:
        """Start cameras anew that hang for good."""
        for site in self.posts:
            assert site.camera is not None
            if not site.camera.answers():
                self.say(f"camera of {site.name} is started anew")
                site.camera.stop()
                site.camera.start()

    def put(self, path: str, body: dict[str, Any], site: str = "centre") -> bool:
        """PUT to a site; say whether it certainly took it."""
        node = self.sites[site].node
        return quiet(lambda: node.http.put(path, json=body, timeout=5).status_code in (200, 201))

    def lost(self, site: Site, since: int) -> None:
        """Note that a site may not know what was said there since."""
        self.promises.doubt(site.name, since)
        for word in (self.words["holds"], self.words["events"]):
            for name, (where, _) in word.items():
                one = self.promises.kept[name]
                if where == site.name and (one.since >= since or since <= one.until < NEVER):
                    word[name] = (where, None)

    def sweep(self) -> None:
        """Have each site that lives carry its policy out, without an admin's word."""
        for node in self.nodes:
            if node.process is not None and self.short and node.folder.name not in self.taken:
                quiet(lambda: node.http.post("/api/v1/policy/apply", timeout=4).is_success)  # noqa: B023

    # -- what is shown --------------------------------------------------------------------------

    def watch(self, seconds: float) -> None:
        """Look at all timelines for so long."""
        end, swept = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            self.look()
            if time.monotonic() - swept > 4:
                self.sweep()
                swept = time.monotonic()
            time.sleep(0.5)

    def look(self) -> None:
        """Ask all nodes; note what they show."""
        for node in self.nodes:
            for camera in self.seen_from(node):
                self.spans(node, camera)

    def seen_from(self, node: Node) -> list[str]:
        """Return the sites whose camera a node can show."""
        own = self.site_of(node).name
        return [one.name for one in self.posts if own in (one.name, "centre")]

    def spans(self, node: Node, camera: str) -> set[int]:
        """Ask one node for what it has of the camera of a site; note it."""
        found = slots(self.line_of(node, camera).get("spans", []))
        self.shown.setdefault((camera, self.site_of(node).name), set()).update(found)
        return found

    def line_of(self, node: Node, camera: str) -> dict[str, Any]:
        """Return the timeline, empty where the node does not answer."""
        params = {
            "start": format_instant(self.begun, 9), "site": camera,
            "end": format_instant(time.time_ns() + SECOND, 9),
        }  # fmt: skip
        if node.process is None:
            return {}
        with contextlib.suppress(httpx.HTTPError):
            answer = node.http.get("/api/v1/cameras/cam/timeline", params=params, timeout=3)
            if answer.status_code == 200:
                line: dict[str, Any] = answer.json()
                return line
        return {}


def quiet(ask: Any) -> bool:
    """Ask what may fail in the ways of HTTP; say whether it did not, and was true."""
    with contextlib.suppress(httpx.HTTPError):
        return bool(ask())
    return False


def slots(spans: list[dict[str, Any]]) -> set[int]:
    """Return the slots that are in spans from end to end; where two touch, in both together.

    >>> span = {"start": "2026-01-05T00:00:00.0Z", "end": "2026-01-05T00:00:00.3Z"}
    >>> next_ = {"start": "2026-01-05T00:00:00.3Z", "end": "2026-01-05T00:00:00.6Z"}
    >>> len(slots([span])), len(slots([span, next_]))
    (1, 3)
    """
    found: set[int] = set()
    last, end = 0, 0
    times = ((parse_instant(span["start"]), parse_instant(span["end"])) for span in spans)
    for begin, over in sorted(times):
        last, end = (last, max(end, over)) if begin <= end else (begin, over)
        found.update(range(-(-last // SLOT_NS), end // SLOT_NS))
    return found
