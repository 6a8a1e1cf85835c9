"""Access: what it adds to a request, what a login costs, and that a login delays nobody else.

A request is asked of the API in this process, by turns with
access off and on; the bare thing beside a login is argon2id itself.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from recorder.access.words import SESSION
from recorder.accounts.passwords import hash_password, is_password
from recorder.api.server import make_api
from recorder.app import App
from recorder.config import ApiPart, load_settings
from recorder.limits import LimitsPart
from recorder.model.timebase import HOUR

ROUNDS, ASKED = 30, 50
UNHINDERED = LimitsPart(rate=10_000, burst=100_000)
PATH = "/api/v1/points"
PASSWORD = "four quiet words in a row"


def _app(folder: Path, access: str) -> App:
    part = ApiPart(access=access, listen="127.0.0.1:0", limits=UNHINDERED)
    return App(load_settings(None, data=folder, site="bench", node="n1", api=part))


async def _round(client: httpx.AsyncClient, headers: dict[str, str]) -> float:
    begin = time.perf_counter()
    for _ in range(ASKED):
        answer = await client.get(PATH, headers=headers)
        assert answer.status_code in (200, 429), answer.text
    return (time.perf_counter() - begin) / ASKED * 1000


async def _compare(off: App, on: App, headers: dict[str, str]) -> tuple[float, float]:
    """Return the medians, ms a request, without and with access."""
    clients = []
    for app in (off, on):
        api = make_api(app, None)
        transport = httpx.ASGITransport(api)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"))
    bare, asked = [], []
    for _ in range(ROUNDS):
        bare.append(await _round(clients[0], {}))
        asked.append(await _round(clients[1], headers))
    for client in clients:
        await client.aclose()
    return statistics.median(bare), statistics.median(asked)


async def _beside(on: App, headers: dict[str, str]) -> tuple[float, float, float]:
    """Return ms: a login, and another's request at the median, alone and beside logins."""
    transport = httpx.ASGITransport(make_api(on, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        alone = [await _round(client, headers) for _ in range(3)]
        logins: list[float] = []
        done = asyncio.Event()

        async def sign_in() -> None:
            while not done.is_set():
                begin = time.perf_counter()
                body = {"name": "ana", "password": PASSWORD}
                answer = await client.post("/api/v1/access/login", json=body)
                if answer.status_code == 200:
                    logins.append((time.perf_counter() - begin) * 1000)
                await asyncio.sleep(0.02)

        task = asyncio.create_task(sign_in())
        beside = [await _round(client, headers) for _ in range(10)]
        await asyncio.sleep(1)
        done.set()
        await task
    return statistics.median(logins), statistics.median(alone), statistics.median(beside)


def measure() -> dict[str, Any]:
    """Measure all three."""
    with tempfile.TemporaryDirectory() as folder:
        off, on = _app(Path(folder) / "off", "off"), _app(Path(folder) / "on", "on")
        on.people.put("ana", [{"role": "viewer"}])
        on.people.set_password("ana", PASSWORD)
        word, _ = on.people.give(SESSION, "ana", HOUR)
        headers = {"Authorization": f"Bearer {word}"}
        bare, asked = asyncio.run(_compare(off, on, headers))
        kept, costs = hash_password(PASSWORD), []
        for _ in range(5):
            begin = time.perf_counter()
            is_password(kept, PASSWORD)
            costs.append((time.perf_counter() - begin) * 1000)
        login, alone, beside = asyncio.run(_beside(on, headers))
        off.close()
        on.close()
    return {
        "request_ms": {"off": round(bare, 3), "on": round(asked, 3)},
        "added_ms": round(asked - bare, 3),
        "login_ms": round(login),
        "argon2id_ms": round(statistics.median(costs)),
        "beside_logins_ms": {"alone": round(alone, 3), "beside": round(beside, 3)},
    }
