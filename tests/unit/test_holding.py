"""A hold's id is one hold's: what else is asked for under it is refused, and said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from recorder.api.server import make_api
from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings
from recorder.errors import StateError
from recorder.janitor.holding import place
from recorder.model.camera_document import parse_camera
from recorder.model.holds import Hold, differences
from recorder.model.timebase import HOUR, SECOND, TimeRange, format_instant
from tests.support.make import T0

HOLD = Hold(
    "h1", ("north/gate",), TimeRange(T0, T0 + HOUR), "17", "collision", "ann", T0, T0 + 9 * HOUR
)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"range": TimeRange(T0 + SECOND, T0 + HOUR)}, "its start is"),
        ({"range": TimeRange(T0, T0 + 2 * HOUR)}, "its end is"),
        ({"cameras": ("north/gate", "north/yard")}, "are north/gate, not north/gate, north"),
        ({"cameras": ("south/gate",)}, "its cameras are north/gate, not south/gate"),
        ({"case": "18"}, "its case is 17, not 18"),
        ({"reason": "theft"}, "its reason is collision, not theft"),
        ({"owner": "ben"}, "its owner is ann, not ben"),
        ({"expires": None}, "not never"),
    ],
)  # fmt: skip
def test_each_difference_of_two_holds_is_named(more: dict[str, Any], said: str) -> None:
    (found,) = differences(replace(HOLD, created=T0 + SECOND, **more), HOLD)
    assert said in found


def test_the_same_hold_again_is_the_same_whoever_wrote_its_cameras_and_when() -> None:
    before = replace(HOLD, cameras=("yard", "north/gate"))
    asked = replace(HOLD, cameras=("north/gate", "north/yard"), created=T0 + HOUR)
    assert differences(asked, before) == []
    assert differences(replace(asked, cameras=("north/gate",)), before) != []


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(Settings(site="north", node="n1", data=tmp_path / "data"))
    for name in ("gate", "yard"):
        one.catalog.cameras.put(parse_camera(name, {"url": "rtsp://h/x"}), 1, None)
    yield one
    one.close()


def test_a_quicker_hold_of_that_id_is_found_out_too(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.catalog.holds.add(replace(HOLD, reason="theft"))
    monkeypatch.setattr(app.catalog.holds, "get", lambda _: None)
    with pytest.raises(StateError, match="its reason is theft"):
        place(app.catalog.holds, HOLD)


def test_another_hold_under_an_id_is_refused_and_the_first_stays(app: App, tmp_path: Path) -> None:
    api = httpx.ASGITransport(make_api(app, None))
    body: dict[str, Any] = {
        "id": "h1", "cameras": ["gate"], "case": "17", "reason": "r", "owner": "ann",
        "start": format_instant(T0), "end": format_instant(T0 + HOUR),
    }  # fmt: skip

    def ask(**more: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            async with httpx.AsyncClient(transport=api, base_url="http://localhost") as client:
                return await client.post("/api/v1/holds", json={**body, **more})

        return asyncio.run(run())

    assert [ask().status_code, ask().status_code] == [201, 200]
    before = app.catalog.holds.all()
    for more, said in (
        ({"cameras": ["yard"]}, "cameras are north/gate, not north/yard"),
        ({"end": format_instant(T0 + 2 * HOUR)}, "its end is"),
        ({"reason": "x"}, "its reason is r, not x"),
    ):
        answer = ask(**more).json()
        assert (answer["status"], answer["title"]) == (409, "StateError")
        assert said in answer["detail"]
        assert "an id of its own" in answer["hint"]
    assert app.catalog.holds.all() == before
    config = tmp_path / "recorder.yaml"
    config.write_text(json.dumps({"site": "north", "node": "n1", "data": str(tmp_path / "data")}))
    words = ["--config", str(config), "hold", "add", "gate", "--id", "h1", "--case", "17",
             "--owner", "ann", "--start", body["start"], "--end", body["end"]]  # fmt: skip
    assert CliRunner().invoke(recorder, [*words, "--reason", "r"]).exit_code == 0
    refused = CliRunner().invoke(recorder, [*words, "--reason", "x"]).exception
    assert isinstance(refused, StateError)
    assert "its reason is r, not x" in str(refused)
    assert app.catalog.holds.all() == before
