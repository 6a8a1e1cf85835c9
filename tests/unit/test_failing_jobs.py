"""A job that fails each second is told in one line, not in a hundred thousand a day."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

import pytest

from recorder.errors import SiteUnreachable
from recorder.failing import AGAIN_S, Failing, Repeated
from recorder.rounds import Rounds


def test_a_job_that_fails_again_and_again_is_said_once_until_it_is_well_or_fails_otherwise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    jobs = Failing(lambda: now[0])

    def said() -> list[tuple[str, str]]:
        found = [(one.message, str(one.__dict__.get("reason", ""))) for one in caplog.records]
        caplog.clear()
        return found

    for _ in range(9):
        jobs.failed("tell", SiteUnreachable("away"))
        jobs.failed("carry", OSError(5, "Input/output error"))
        now[0] += 1
    assert said() == [("job failed", "away"), ("job failed", "[Errno 5] Input/output error")]
    jobs.failed("tell", SiteUnreachable("refuses"))
    assert said() == [("job failed", "refuses")]
    jobs.passed("tell")
    jobs.passed("tell")
    assert said() == [("job is well again", "")]
    jobs.failed("tell", SiteUnreachable("refuses"))
    now[0] += AGAIN_S
    jobs.failed("tell", SiteUnreachable("refuses"))
    assert said() == [("job failed", "refuses")] * 2


def test_what_each_plan_warns_of_is_said_once_whatever_its_figures_and_of_each_camera() -> None:
    now = [0.0]
    plans = Repeated(lambda: now[0])
    low, over = "still {} below the floor", "quota share of s/cam-{} is over by 2 GB"
    assert plans.news("main", [low.format("8.5 GB")]) == ["still 8.5 GB below the floor"]
    now[0] += 60
    assert plans.news("main", [low.format("900 MB"), over.format(1)]) == [over.format(1)]
    assert plans.news("other", [low.format("1 GB")]), "another store's is another"
    assert plans.news("main", [over.format(1), over.format(2)]) == [over.format(2)]
    assert plans.news("main", [low.format("1 GB")]), "it was well in between"
    now[0] += AGAIN_S
    assert plans.news("main", [low.format("2 GB")]), "again now and then"


def test_what_comes_round_says_so_of_its_jobs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rounds, away = Rounds(monotonic), [True]

    def tell() -> None:
        if away[0]:
            raise SiteUnreachable("away")

    async def run() -> None:
        for _ in range(3):
            await rounds.threaded(tell)
        away[0] = False
        await rounds.threaded(tell)

    asyncio.run(run())
    said = [one.message for one in caplog.records if "job" in one.__dict__]
    assert said == ["job failed", "job is well again"]
