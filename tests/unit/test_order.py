"""What a site below says is taken in in the order in which it said it, however long that hangs."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from recorder.api.routes import sites
from recorder.api.server import make_api
from recorder.app import App
from recorder.config import Settings, StorePart
from recorder.errors import StateError, UnavailableError
from recorder.model.keys import CameraId
from recorder.sites.announced import Announced
from recorder.sites.documents import hear_child
from recorder.sites.order import Coming, Order

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


async def in_turn(order: Order, child: str, number: int, fails: bool = False) -> None:
    async with order.turn(child, number):
        if fails:
            raise ValueError("odd")


def test_each_site_has_turns_of_its_own_and_one_that_fails_keeps_none() -> None:
    async def run() -> None:
        order = Order()
        first, other = order.came(), order.came()
        async with order.turn("post1", first), order.turn("post2", other):
            pass
        with pytest.raises(ValueError, match="odd"):
            await in_turn(order, "post1", order.came(), fails=True)
        late, newest = order.came(), order.came()
        await in_turn(order, "post1", newest)
        with pytest.raises(StateError, match="newer"):
            await in_turn(order, "post1", late)
        with pytest.raises(ValueError, match="odd"):
            await in_turn(order, "nobody", order.came(), fails=True)
        assert "nobody" not in order._newest

    asyncio.run(run())


def test_who_waits_for_a_turn_and_goes_keeps_nobody_from_it() -> None:
    async def run() -> None:
        order = Order()
        async with order.turn("post1", order.came()):
            gone = asyncio.create_task(in_turn(order, "post1", order.came()))
            await asyncio.sleep(0)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
        await asyncio.wait_for(in_turn(order, "post1", order.came()), 30)
        async with order.turn("post1", order.came()):
            late = asyncio.create_task(in_turn(order, "post1", order.came()))
            await asyncio.sleep(0)
        late.cancel()  # its turn has just come
        await asyncio.gather(late, return_exceptions=True)
        await asyncio.wait_for(in_turn(order, "post1", order.came()), 30)

    asyncio.run(run())


def test_a_site_whose_word_hangs_keeps_no_other_waiting_however_often_it_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = StorePart(name="main", kind="directory", path=tmp_path / "main")
    app = App(Settings(site="centre", node="n1", data=tmp_path / "data", stores=(part,)))
    hear, hangs = hear_child, threading.Event()

    def slow(catalog: Any, body: dict[str, Any], *more: Any) -> Any:
        if body["site"] == "post1":
            hangs.wait(60)
        return hear(catalog, body, *more)

    order = Order()
    monkeypatch.setattr(sites, "_ORDER", order)
    monkeypatch.setattr(sites, "hear_child", slow)

    async def run() -> None:
        transport = httpx.ASGITransport(make_api(app, None), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            said = []
            for many in range(2 * sites._FEEDS.size):
                said.append(asyncio.create_task(client.post("/api/v1/feed", json=WORD)))
                while order._newest.get("post1", 0) <= many:  # noqa: ASYNC110 - threads
                    await asyncio.sleep(0.01)
            other = {**WORD, "site": "post2", "catalog": "two"}
            answer = await asyncio.wait_for(client.post("/api/v1/feed", json=other), 30)
            assert answer.status_code == 200
            assert "post1" in order._taken, "it hangs still"
            hangs.set()
            codes = [one.status_code for one in await asyncio.gather(*said)]
            assert (codes.count(200), codes.count(409)) == (2, len(said) - 2)

    try:
        asyncio.run(run())
    finally:
        hangs.set()
    app.close()


def test_a_child_that_sends_nothing_keeps_no_other_from_sending(tmp_path: Path) -> None:
    """Each transfer of its holds a thread for two minutes."""
    app = App(Settings(site="here", data=tmp_path))
    begun, go = threading.Semaphore(0), threading.Event()

    class Receiver:
        def append(self, announced: Announced, _: object) -> bool:
            begun.release()
            return announced.child != "post1" or go.wait(30)

    api = make_api(app, None)
    api.state.service = SimpleNamespace(receiver=Receiver())

    async def run() -> tuple[int, int, set[int]]:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

            async def send(child: str, number: int) -> int:
                said = {"x-site": child, "x-digest": "0" * 64, "x-size": "9", "upload-offset": "0"}
                path = f"/api/v1/transfers/{child}/gate/main/{number}"
                return (await client.patch(path, headers=said, content=b"x")).status_code

            held = [asyncio.create_task(send("post1", n)) for n in range(sites.MOST_OF_ONE)]
            for _ in held:
                await asyncio.to_thread(begun.acquire)
            more, other = await send("post1", 99), await send("post2", 1)
            go.set()
            return more, other, set(await asyncio.gather(*held))

    assert asyncio.run(run()) == (503, 200, {200})
    with pytest.raises(UnavailableError, match="others come in"):
        Coming(0, 1).check("post3")
