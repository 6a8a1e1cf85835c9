"""Many quirk cameras recorded at once on one node."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.support.live import SECOND, Sent
from tests.support.nodes import Node
from tests.support.ports import until
from tests.support.quirk_camera import QuirkCamera
from tests.support.seen import Seen, measure
from tests.support.streams import STREAMS

_RUNS = re.compile(r'^recorder_capture_runs_total\{camera="([^"]+)",.*\} ([\d.]+)$', re.MULTILINE)

PROMPT_NS = SECOND
"""Who leaves so soon after a picture did not leave for want of pictures."""


def decodable(sent: Sequence[Sent], settles: int) -> list[Sent]:
    """Leave out what no decoder can show: all before the first key picture of a session.

    ``settles``: so many pictures from there on are not whole yet either.
    """
    first: dict[int, int] = {}
    for one in sent:
        if one.key:
            first.setdefault(one.session, one.number + settles)
    return [one for one in sent if one.number >= first.get(one.session, one.number + 1)]


class Recording:
    """A node that records cameras for a while, and then keeps still to be asked.

    ``close`` it in any case.
    """

    def __init__(
        self,
        folder: Path,
        cameras: Mapping[str, QuirkCamera],
        *,
        segment_s: int = 4,
        ffmpeg: str = "",
        documents: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """``documents``: more of a camera's document, by its name."""
        self.cameras, self.folder = cameras, folder
        self.documents = documents or {}
        capture: dict[str, Any] = {"segment": segment_s, "connect_timeout": 10}
        self.node = Node(folder / "node", capture=capture | ({"ffmpeg": ffmpeg} if ffmpeg else {}))
        # the node closes idle connections, which must not be taken up again at that moment
        self.node.http.close()
        self.node.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.node.port}", timeout=60,
            limits=httpx.Limits(max_keepalive_connections=0),
        )  # fmt: skip
        self.end_ns = 0
        self.runs: dict[str, int] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, Seen] = {}

    def run(self, seconds: float) -> Recording:
        """Record all for so long, then let nothing more be recorded."""
        self.node.start()
        for name, camera in self.cameras.items():
            camera.start()
            self.node.add(name, camera.url(), **self.documents.get(name, {}))
        end = time.monotonic() + seconds
        until(lambda: time.monotonic() >= end, seconds + 30, "the time is over")
        self._note()
        for name in self.cameras:
            more = {**self.documents.get(name, {}), "enabled": False}
            self.node.add(name, self.cameras[name].url(), **more)
        until(lambda: not self.node.ffmpegs(), 30, "nothing is being recorded")
        for camera in self.cameras.values():
            camera.stop()
        until(self._all_sealed, 30, "everything is sealed")
        return self

    def _note(self) -> None:
        """Take down what a stopped stream no longer tells."""
        metrics = self.node.http.get("/metrics").text
        self.runs = {name: int(float(count)) for name, count in _RUNS.findall(metrics)}
        self.states = {name: self.node.state(name) for name in self.cameras}
        self.end_ns = time.time_ns()

    def _all_sealed(self) -> bool:
        return not any(
            span["open"] for name in self.cameras for span in self.node.timeline(name)["spans"]
        )

    def conditions(self, name: str) -> list[str]:
        """Return every condition a stream was in, in order, from the node's log."""
        found = []
        for line in self.node.log.read_text().splitlines():
            if '"stream failing"' in line:
                said = json.loads(line)
                if said["stream"].split("/")[1] == name:
                    found.append(str(said["condition"]))
        return found

    def seen(self, name: str, *, track: int = 0, guesses: int = 0) -> Seen:
        """Measure one camera, once.

        ``guesses``: so many sessions may be lost at first, to learn what the camera sends.
        """
        if name not in self._seen:
            sent = self.cameras[name].sent(track=track)
            assert sent, f"{name}: nobody came to see it"
            first = min(1 + guesses, max(one.session for one in sent))
            what = self.cameras[name].habits.tracks[track].what
            due = [
                one
                for one in decodable(sent, STREAMS[what].settles)
                if one.session >= first and one.sent_ns < self.end_ns
            ]
            assert due, f"{name}: nothing that it sent can be shown"
            self._seen[name] = measure(
                self.node, name, due, self.folder, later=sent, left=self._left(name, due),
                returns=self._returns(name), runs=self.runs.get(name, 0),
                conditions=self.conditions(name),
            )  # fmt: skip
        return self._seen[name]

    def _left(self, name: str, due: Sequence[Sent]) -> set[int]:
        """Return the sessions that the recorder left while pictures came."""
        last = {one.session: one.sent_ns for one in due}
        visits = self.cameras[name].visits
        return {
            session
            for session, sent_ns in last.items()
            if not visits[session].by_camera and visits[session].left_ns - sent_ns < PROMPT_NS
        }

    def _returns(self, name: str) -> list[float]:
        """Say how long it took, after each session, until the next was asked for."""
        visits = sorted(self.cameras[name].visits.values(), key=lambda one: one.session)
        return [
            round((after.asked_ns - before.left_ns) / SECOND, 3)
            for before, after in itertools.pairwise(visits)
            if after.asked_ns < self.end_ns
        ]

    def close(self) -> None:
        """Stop whatever runs."""
        for camera in self.cameras.values():
            camera.stop()
        self.node.close()
