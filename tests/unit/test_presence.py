"""What a node says of itself: at once when it changes, else now and then."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.config import Settings
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND
from recorder.ports import NodeBeat, StreamStatus
from recorder.presence import AGAIN_NS, Presence, news_of
from recorder.reading.timelines import NODE_SILENT_NS
from recorder.service import Service
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0

STATE = StreamStatus(STREAM, "n1", "recording", "source", "", "", T0, T0, {"frames": 1})


def test_streams_are_told_of_when_one_changed_and_before_they_count_as_silent() -> None:
    told = {STREAM: STATE}
    later = replace(STATE, at=T0 + AGAIN_NS - 1)
    assert news_of({}, [STATE]) == [STATE]
    assert news_of(told, [later]) == []
    for changed in (
        replace(later, state="failing"), replace(later, health={"frames": 2}),
        replace(later, detail="why"),
    ):  # fmt: skip
        assert news_of(told, [changed]) == [changed]
    other = replace(later, stream=StreamId("s", "other", "main"))
    assert news_of(told, [later, other]) == [later, other], "one statement, all fresh"
    due = replace(STATE, at=T0 + AGAIN_NS)
    assert news_of(told, [due]) == [due]
    assert 2 * AGAIN_NS < NODE_SILENT_NS


@pytest.mark.parametrize(("catalog", "least"), [("", 3), ("shared", 15)])
def test_a_node_alone_says_that_it_lives_when_there_is_news_and_each_time_among_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalog: str, least: int
) -> None:
    app = App(Settings(site="s", node="n1", data=tmp_path))
    monkeypatch.setattr(Settings, "shared", property(lambda _: bool(catalog)))
    app.clock = clock = FakeClock(T0)  # type: ignore[assignment]
    service, said = Service(app), list[NodeBeat]()
    beat = app.catalog.nodes.beat

    def note(one: NodeBeat) -> None:
        said.append(one)
        beat(one)

    monkeypatch.setattr(app.catalog.nodes, "beat", note)
    presence = Presence(app, service)
    for _ in range(15):
        presence.tell()
        clock.sleep(1)
    assert len(said) == least
    presence.tell("stopped")
    assert said[-1].facts["state"] == "stopped"
    gaps = [later.at - one.at for one, later in itertools.pairwise(said)]
    assert max(gaps) <= AGAIN_NS + SECOND
    app.close()


def test_a_node_that_is_drained_says_so_within_seconds(tmp_path: Path) -> None:
    app: Any = App(Settings(site="s", node="n1", data=tmp_path))
    app.clock = clock = FakeClock(T0)
    presence = Presence(app, Service(app))
    presence.tell()
    app.catalog.documents.put("draining", {"nodes": ["n1"]}, "ann", T0)
    clock.sleep(5)
    presence.tell()
    (beat,) = app.catalog.nodes.all()
    assert beat.facts["draining"] is True
    app.close()


def test_a_node_that_is_to_stop_says_so_as_one_that_is_drained(tmp_path: Path) -> None:
    app = App(Settings(site="s", node="n1", data=tmp_path))
    presence = Presence(app, Service(app))
    presence.tell()
    presence.leaving = True
    presence.tell()
    (beat,) = app.catalog.nodes.all()
    assert beat.facts["draining"] is True
    app.close()
