"""A county in a box: a centre, two sub-centres and three posts, as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

from recorder.clock import SystemClock
from recorder.demo.line import Line
from recorder.demo.ports import free_port
from recorder.errors import SiteUnreachable
from recorder.model.timebase import SECOND, format_instant

CLOCK = SystemClock()
PICTURE = "lavfi:testsrc2=size=640x360:rate=25"
POLICY: dict[str, Any] = {
    "rules": [
        {
            "name": "alarms", "match": {"event": "alarm"},
            "keep": {"post": "30d", "centre": "180d"},
            "replicate": [{"what": "events", "to": "centre", "class": "urgent", "within": "1h"}],
        },
        {
            "name": "key targets", "match": {"group": "key"},
            "keep": {"post": {"min": "7d", "max": "90d"}, "sub-centre": "30d", "centre": "90d"},
            "replicate": [{"to": "sub-centre", "class": "normal"}],
        },
        {"name": "everything else", "keep": {"any": "30d"}},
    ],
    "off_link": {"after": "72h", "may": "floor"},
}  # fmt: skip
"""What the demo's centre puts in force."""
CAMERAS = {"market": "post1", "bank": "post2", "school": "post3"}
"""The demo's cameras, and where each is."""
GROUPS = {"market": "general", "bank": "key", "school": "general"}
ABOVE = {"sub1": "centre", "sub2": "centre", "post1": "sub1", "post2": "sub1", "post3": "sub2"}
"""The tree: of each site, the one above it."""


class DemoSite:
    """One site: a recorder in a process, with a folder of its own."""

    def __init__(self, folder: Path, name: str, level: str, parent: int | None) -> None:
        self.name, self.level, self.folder = name, level, folder / name
        self.port = free_port()
        self.folder.mkdir(parents=True)
        self.config = self.folder / "recorder.yaml"
        self.config.write_text(yaml.safe_dump({
            "site": name, "level": level, "node": f"{name}-a", "data": str(self.folder),
            "parent": f"http://127.0.0.1:{parent}" if parent else "",
            "capture": {"segment": 4, "synthetic": True}, "log_level": "warning",
            "api": {"listen": f"127.0.0.1:{self.port}"},
        }))  # fmt: skip
        self._pool = urllib3.PoolManager(timeout=10, retries=False)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "recorder", "-c", str(self.config), "serve"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                self.ask("GET", "/healthz")
                return
            except SiteUnreachable:
                time.sleep(0.2)
        raise SiteUnreachable(
            f"site {self.name} did not start", hint=f"see {self.folder / 'log.txt'}"
        )

    def stop(self) -> None:
        """Stop it cleanly."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def ask(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """Ask its API; errors come back as their problem documents."""
        url = f"http://127.0.0.1:{self.port}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._pool.request(method, url, json=body)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise SiteUnreachable(f"site {self.name} does not answer: {exc}") from exc
        kind = answer.headers.get("content-type", "")
        return json.loads(answer.data) if "json" in kind else answer.data


@dataclass(slots=True)
class County:
    """The sites, by name, and the line to ``post1`` that can be cut."""

    sites: dict[str, DemoSite]
    line: Line

    def footage_s(self, at: str, camera: str) -> float:
        """Return how much of a camera a site can show, in seconds."""
        now = CLOCK.now()
        line = self.sites[at].ask(
            "GET", f"/api/v1/cameras/{camera}/timeline",
            start=format_instant(now - 3600 * SECOND), end=format_instant(now),
        )  # fmt: skip
        return float(line.get("covered_seconds", 0.0))

    def stored(self, at: str) -> int:
        """Return how many segments lie in a site's store."""
        return sum(1 for _ in (self.sites[at].folder / "store").rglob("*Z.*.mp4"))

    def close(self) -> None:
        """Stop everything."""
        for site in reversed(list(self.sites.values())):
            site.stop()
        self.line.close()


def build(folder: Path) -> County:
    """Start a centre, two sub-centres below it and three posts below those, with a camera each."""
    centre = DemoSite(folder, "centre", "centre", None)
    subs = [DemoSite(folder, f"sub{i}", "sub-centre", centre.port) for i in (1, 2)]
    line = Line(subs[0].port)
    posts = [
        DemoSite(folder, "post1", "post", line.port),
        DemoSite(folder, "post2", "post", subs[0].port),
        DemoSite(folder, "post3", "post", subs[1].port),
    ]
    county = County({site.name: site for site in (centre, *subs, *posts)}, line)
    try:
        for site in county.sites.values():
            site.start()
        centre.ask("PUT", "/api/v1/policy", POLICY)
        for camera, at in CAMERAS.items():
            document = {"url": PICTURE, "group": GROUPS[camera]}
            county.sites[at].ask("PUT", f"/api/v1/cameras/{camera}", document)
        posts[0].ask("PUT", "/api/v1/points/door", {"cameras": ["market"], "pre": "4s"})
    except BaseException:
        county.close()
        raise
    return county


Step = tuple[str, Callable[[], bool], float]
"""What is awaited, how it is seen, and how long at most (seconds)."""


def _hold_market(centre: DemoSite) -> None:
    """Place a hold on what was just filmed."""
    now = CLOCK.now()
    centre.ask("POST", "/api/v1/holds", {
        "id": "case-17", "cameras": ["market"], "case": "17", "reason": "collision",
        "owner": "evidence desk", "start": format_instant(now - 30 * SECOND),
        "end": format_instant(now),
    })  # fmt: skip


def story(county: County) -> Iterator[str | Step]:
    """Tell what happens, step by step; a sentence, or something to wait for."""
    post1, centre = county.sites["post1"], county.sites["centre"]

    def alarm(number: int) -> None:
        post1.ask("POST", "/api/v1/events", {"point": "door", "id": f"alarm-{number}"})

    yield "six sites run, each on its own"
    yield ("the posts record", lambda: all(
        county.footage_s(site, camera) > 8 for camera, site in CAMERAS.items()
    ), 60)  # fmt: skip
    yield (
        "the centre's timeline knows their cameras, two levels below",
        lambda: all(county.footage_s("centre", camera) > 3 for camera in CAMERAS),
        30,
    )
    yield ("what bank (group key) records lies at sub1 too: rule key targets",
           lambda: county.stored("sub1") > 0, 40)  # fmt: skip
    alarm(1)
    yield "an alarm at post1's door: its footage is wanted at the centre"
    yield ("the footage of the alarm is at the centre", lambda: county.stored("centre") > 0, 60)
    county.line.cut()
    known = county.footage_s("centre", "market")
    yield "the line of post1 is cut; it records on, and a second alarm goes off"
    yield ("post1 has recorded 10 s more", lambda: county.footage_s("post1", "market") > known + 10,
           60)  # fmt: skip
    alarm(2)
    _hold_market(centre)
    held = _hold_state(centre).get("post1")
    yield f"a hold is placed at the centre meanwhile; for post1 it is: {held}"
    before = county.stored("centre")
    county.line.heal()
    yield "the line is healed"
    yield ("the hold has reached post1, which keeps footage for it",
           lambda: _hold_state(centre).get("post1") == "held", 60)  # fmt: skip
    yield ("the centre knows what was recorded during the cut",
           lambda: county.footage_s("centre", "market") > known + 8, 60)  # fmt: skip
    yield ("the second alarm's footage is at the centre", lambda: county.stored("centre") > before,
           60)  # fmt: skip
    yield "why the first alarm's footage is there, in the centre's words:"
    why = centre.ask("GET", "/api/v1/cameras/market/explain", at=_touched(post1))
    yield from (f"    {line}" for line in why.get("said", []))


def _hold_state(centre: DemoSite) -> dict[str, str]:
    found = centre.ask("GET", "/api/v1/holds/case-17")
    return {name: said["state"] for name, said in found.get("sites", {}).items()}


def _touched(post: DemoSite) -> str:
    now = CLOCK.now()
    events = post.ask("GET", "/api/v1/events", start=format_instant(now - 600 * SECOND),
                      end=format_instant(now))  # fmt: skip
    return str(events[0]["start"])
