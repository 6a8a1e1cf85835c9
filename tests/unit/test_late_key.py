"""A node that shares a catalog runs only with the key of its secrets, however late it is known."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from recorder.cli import serve
from recorder.errors import CatalogUnavailable, ConfigError, KeyMissing

AWAY, MISSING = CatalogUnavailable("away"), KeyMissing("under key k1, which is not here")


def asked(*answers: Exception | None, shared: bool = True) -> Any:
    """Return a node whose catalog answers so, one time after the other."""
    left = list(answers)

    def begin(_: int) -> str:
        answer = left.pop(0)
        if answer is not None:
            raise answer
        return "k1"

    return SimpleNamespace(
        settings=SimpleNamespace(shared=shared),
        clock=SimpleNamespace(now=lambda: 0),
        catalog=SimpleNamespace(secrets=SimpleNamespace(begin=begin)),
        left=left,
    )


def heard(app: Any, monkeypatch: pytest.MonkeyPatch, patience_s: float) -> list[ConfigError]:
    """Look for the key, and on until all that the catalog has to say was said."""
    monkeypatch.setattr(serve, "STORES_S", patience_s)
    monkeypatch.setattr(serve, "AGAIN_S", 0.01)
    told: list[ConfigError] = []

    async def run() -> None:
        await serve._look_for_key(app, told.append)
        async with asyncio.timeout(20):
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait({task})
        assert not app.left, "it was asked until it answered"

    asyncio.run(run())
    return told


def test_a_key_that_is_not_here_keeps_a_node_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    for answers in ((MISSING,), (AWAY, AWAY, MISSING)):
        with pytest.raises(KeyMissing):
            heard(asked(*answers), monkeypatch, 20)
    assert heard(asked(AWAY, None), monkeypatch, 20) == []
    assert heard(asked(MISSING, shared=False), monkeypatch, 20) == [], "it records what it can"


def test_what_a_catalog_says_after_the_start_is_heard_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(asked(AWAY, AWAY, MISSING), monkeypatch, 0) == [MISSING]
    assert heard(asked(AWAY, None), monkeypatch, 0) == []
    assert heard(asked(AWAY, MISSING, shared=False), monkeypatch, 0) == []


def test_a_node_that_lacks_it_hands_its_streams_over_and_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def hand_over(_: object) -> None:
        done.append("handed over")

    @contextlib.asynccontextmanager
    async def running(
        _: Any, lacks: Callable[[ConfigError], None], told: object
    ) -> AsyncIterator[Any]:
        lacks(MISSING)
        yield SimpleNamespace(hand_over=hand_over)
        done.append("stopped")

    monkeypatch.setattr(serve, "running", running)
    monkeypatch.setattr("recorder.process.keep_what_is_made", lambda: None)
    app: Any = SimpleNamespace(settings=SimpleNamespace(node="n1", site="s", roles=("ship",)))

    async def run() -> None:
        async with asyncio.timeout(20):
            await serve.until_told(app)

    with pytest.raises(KeyMissing):
        asyncio.run(run())
    assert done == ["handed over", "stopped"]


def test_what_else_goes_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert heard(asked(AWAY, OSError("no disk")), monkeypatch, 0) == []
    assert "nobody knows whether secrets can be read" in caplog.messages
