"""Of two machines under the name of one node the one that began later ends, and says nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recorder.app import App
from recorder.config import Settings
from recorder.errors import ConfigError
from recorder.model.timebase import SECOND
from recorder.namesake import Namesakes, Process
from recorder.ports import NodeBeat, StreamStatus
from recorder.presence import Presence
from recorder.service import Service
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0

OWN = Process("b", T0)


def beat_of(process: Process, at: int, **more: object) -> NodeBeat:
    return NodeBeat("n1", "s", T0 + at * SECOND, {**process.facts, **more})


def test_another_process_is_one_once_it_was_heard_again() -> None:
    others, other = Namesakes(OWN), Process("a", T0 - SECOND)
    assert others.hear(None) is None
    for at in (1, 1, 0):
        assert others.hear(beat_of(other, at)) is None, "it may have died: a node begins anew"
    assert others.hear(beat_of(OWN, 2)) is None
    assert others.hear(beat_of(other, 2, state="stopped")) is None, "it ends, and this one begins"
    assert others.hear(beat_of(other, 2)) == other
    assert others.hear(NodeBeat("n1", "s", T0 + 9 * SECOND, {"state": "running"})) is None
    assert others.hear(beat_of(replace(other, since="x"), 9)) is None  # type: ignore[arg-type]


def test_of_any_two_processes_one_goes_before_the_other() -> None:
    for one, other in ((Process("a", T0), OWN), (Process("c", T0 - 1), OWN)):
        assert Namesakes(OWN).is_elder(one)
        assert not Namesakes(one).is_elder(other)


class Twins:
    """Two processes that speak for one node, on one catalog."""

    def __init__(self, folder: Path) -> None:
        self.app = App(Settings(site="s", node="n1", data=folder))
        self.clock = FakeClock(T0)
        self.app.clock = self.clock  # type: ignore[assignment]
        self.ended: list[ConfigError] = []
        self.service = Service(self.app)

    def begin(self) -> Presence:
        self.clock.sleep(1)
        return Presence(self.app, self.service, self.ended.append)

    def tell(self, *those: Presence) -> None:
        for one in those:
            self.clock.sleep(1)
            one.tell()

    def said(self) -> dict[str, Any]:
        (beat,) = self.app.catalog.nodes.all()
        return dict(beat.facts)

    def records(self) -> bool:
        now, leases = self.clock.now(), self.app.catalog.leases.all()
        return any(one.name == "s/cam/main" and one.until > now for one in leases)


@pytest.mark.parametrize("shared", [True, False])
def test_the_one_that_began_later_is_told_to_end_and_says_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setattr(Settings, "shared", property(lambda _: shared))
    twins = Twins(tmp_path)
    elder = twins.begin()
    twins.tell(elder)
    first = twins.said().get("process")
    assert (first is not None) == shared, "one that shares no catalog has nobody beside it"
    younger = twins.begin()
    for _ in range(4):
        twins.tell(younger, elder)
    assert (younger.has_elder, elder.has_elder) == (shared, False)
    assert len(twins.ended) == int(shared), "said once"
    younger.tell("stopped")
    if shared:
        assert "n1: another machine has this name" in str(twins.ended[0])
        assert (twins.said()["state"], twins.said()["process"]) == ("running", first)
    twins.app.close()


def test_the_one_that_was_there_before_says_that_there_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Settings, "shared", property(lambda _: True))
    twins = Twins(tmp_path)
    elder = twins.begin()
    twins.tell(elder)
    for at in range(10, 13):
        twins.app.catalog.nodes.beat(beat_of(Process("z", T0 + 9 * SECOND), at))
        twins.tell(elder)
    assert caplog.messages.count("another machine has this node's name") == 1
    assert (elder.has_elder, twins.ended) == (False, [])
    twins.app.close()


def test_a_node_that_begins_anew_at_once_has_nobody_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "shared", property(lambda _: True))
    twins = Twins(tmp_path)
    twins.tell(twins.begin())
    again = twins.begin()  # the first was killed
    for at in range(10, 15):
        other = replace(beat_of(Process("a", T0), at), node="n0")
        twins.app.catalog.nodes.beat(other)
        twins.tell(again)
    assert (again.has_elder, twins.ended) == (False, [])
    twins.app.close()


@pytest.mark.parametrize("elder", [True, False])
def test_the_one_that_ends_gives_nothing_back_that_is_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elder: bool
) -> None:
    twins = Twins(tmp_path)
    service, catalog = twins.service, twins.app.catalog
    catalog.leases.take("n1", ["s/cam/main"], ["s/cam/main"], T0, T0 + 99 * SECOND)
    recorded = StreamStatus(STREAM, "n1", "recording", "", "", "", T0, T0)
    catalog.statuses.put([recorded])
    service._presence.has_elder = elder
    monkeypatch.setattr(service, "capture", SimpleNamespace(states=dict, statuses=list))
    monkeypatch.setattr(service.wanted, "share", SimpleNamespace(alone_with=lambda _: False))

    async def end() -> None:
        await service.hand_over(asyncio.Event())
        await service._leave([recorded], lambda: 5.0)

    asyncio.run(end())
    assert service._presence.leaving != elder
    assert twins.records() == elder
    assert [one.state for one in catalog.statuses.all()] == ["recording" if elder else "stopped"]
    twins.app.close()
