"""The API is made once, whoever asks at the moment when it is made."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fastapi import FastAPI

from recorder.api.at_rest import AtRest
from recorder.app import App
from recorder.config import Settings


def test_who_asks_when_the_api_has_just_been_made_gets_that_one_and_after_a_failure_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(Settings(site="s", node="n1", data=tmp_path))
    other, made = FastAPI(), FastAPI()
    answers = AtRest(app, None)
    monkeypatch.setattr(answers, "_make", lambda: other)

    async def ask() -> None:
        answers._making = asyncio.get_running_loop().create_future()
        answers._making.set_result(made)  # whom it was made for has not been told yet
        assert await answers._made() is made
        answers._making = asyncio.get_running_loop().create_future()
        answers._making.set_exception(OSError("no descriptor left"))
        assert await answers._made() is other

    asyncio.run(ask())
    app.close()
