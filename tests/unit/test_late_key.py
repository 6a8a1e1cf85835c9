"""A node that shares a catalog runs only with the key of its secrets, however late it is known."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from recorder.cli import serve
from recorder.errors import CatalogUnavailable, KeyMissing

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


def heard(app: Any, monkeypatch: pytest.MonkeyPatch, patience_s: float) -> list[KeyMissing]:
    """Look for the key, and on until all that the catalog has to say was said."""
    monkeypatch.setattr(serve, "STORES_S", patience_s)
    monkeypatch.setattr(serve, "AGAIN_S", 0.01)
    told: list[KeyMissing] = []

    async def run() -> None:
        await serve._look_for_key(app, told.append)
        async with asyncio.timeout(20):
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                await task
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
