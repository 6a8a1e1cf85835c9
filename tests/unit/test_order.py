"""What a site below says is taken in in the order in which it said it, however long that hangs."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder.api.routes import sites
from recorder.api.server import make_api
from recorder.app import App
from recorder.config import Settings, StorePart
from recorder.errors import StateError
from recorder.model.keys import CameraId
from recorder.sites.documents import hear_child
from recorder.sites.order import Order

WORD: dict[str, Any] = {
    "site": "post1", "level": "post", "url": "", "catalog": "one", "changes": [],
    "statuses": [], "nodes": [], "sites": [], "holds": {}, "heard": [], "facts": {},
}  # fmt: skip


def test_what_a_site_said_before_does_not_undo_what_it_has_said_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = StorePart(name="main", kind="directory", path=tmp_path / "main")
    app = App(Settings(site="centre", node="n1", data=tmp_path / "data", stores=(part,)))
    hear, hangs, came = hear_child, threading.Event(), list[str]()

    def slow(catalog: Any, body: dict[str, Any], *more: Any) -> Any:
        came.append(body["changes"][0]["group"])
        if len(came) == 1:
            hangs.wait(30)  # a catalog that is frozen; its child asks again meanwhile
        return hear(catalog, body, *more)

    order = Order()
    monkeypatch.setattr(sites, "_ORDER", order)
    monkeypatch.setattr(sites, "hear_child", slow)

    async def say(client: httpx.AsyncClient, group: str) -> int:
        change = {"k": "camera", "name": "gate", "group": group, "site": "post1"}
        answer = await client.post("/api/v1/feed", json={**WORD, "changes": [change]})
        return answer.status_code

    async def run() -> list[int]:
        transport = httpx.ASGITransport(make_api(app, None), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            said = []
            for group in ("first", "second", "third"):
                known = order._newest.get("post1", 0)
                said.append(asyncio.create_task(say(client, group)))
                while order._newest.get("post1", 0) == known or not came:  # noqa: ASYNC110 - threads
                    await asyncio.sleep(0.01)
            hangs.set()
            return list(await asyncio.gather(*said))

    assert asyncio.run(run()) == [200, 409, 200]
    assert came == ["first", "third"]
    assert app.catalog.cameras.groups()[CameraId("post1", "gate")] == "third"
    app.close()


def test_each_site_has_turns_of_its_own_and_one_that_fails_keeps_none() -> None:
    order = Order()
    first, other = order.came(), order.came()
    with order.turn("post1", first), order.turn("post2", other):
        pass
    with pytest.raises(ValueError, match="odd"), order.turn("post1", order.came()):
        raise ValueError("odd")
    late, newest = order.came(), order.came()
    with order.turn("post1", newest):
        pass
    with pytest.raises(StateError, match="newer"), order.turn("post1", late):
        pass
    with pytest.raises(ValueError, match="odd"), order.turn("nobody", order.came()):
        raise ValueError("odd")
    assert "nobody" not in order._newest
