"""What the catalog has in a node's spool, and is not there, is said: nobody else would notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder import telemetry
from recorder.app import App
from recorder.config import Settings
from recorder.doctor import examine
from recorder.janitor.check import Tally, check_spool
from recorder.jobs.news import absent_metrics
from recorder.model.media import Copy
from recorder.model.places import spool_of
from tests.support.make import T0, segment

SPOOL = spool_of("n1")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(Settings(site="north", node="n1", data=tmp_path))
    yield one
    one.close()


def test_footage_that_a_lost_disk_took_along_is_named_by_log_metric_and_doctor(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    stored, alone, elsewhere, there = (segment(60 * one) for one in range(4))
    for one, places in ((stored, (SPOOL, "main")), (alone, (SPOOL,)), (there, (SPOOL,)),
                        (elsewhere, (spool_of("n2"),))):  # fmt: skip
        for place in places:
            app.catalog.commits.add_segment(one, place, "", T0)
    path = app.spool.root / "sealed" / there.key
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    absent_metrics(app)
    assert telemetry.SPOOL_ABSENT._value.get() == 1
    (said,) = [one for one in caplog.records if one.message == "footage is not in the spool"]
    assert said.__dict__["why"].startswith("2 segments that")
    assert "1 of them nowhere else" in said.__dict__["why"]
    (found,) = [one for one in examine(app) if one.subject == "footage here"]
    assert (found.level, "--lose-missing" in found.advice) == ("bad", True)
    app.catalog.commits.forget(app.catalog.footage.copies([alone])[alone.key], "lost")
    (copy,) = [one for one in app.catalog.footage.copies([stored])[stored.key] if one.in_spool]
    app.catalog.commits.forget([copy], "lost")
    absent_metrics(app)
    assert telemetry.SPOOL_ABSENT._value.get() == 0
    assert [one.level for one in examine(app) if one.subject == "footage here"] == ["ok"]


def test_what_leaves_the_spool_while_it_is_checked_is_not_missing(app: App) -> None:
    going, gone = segment(0), segment(60)
    for one in (going, gone):
        app.catalog.commits.add_segment(one, SPOOL, "", T0)

    def pause() -> None:
        app.catalog.commits.forget([Copy(going, SPOOL)], "purged")  # its file went first

    found = list(check_spool(app.catalog.planning, SPOOL, app.spool.path_of, Tally(), pause))
    assert [(one.subject, one.missing_at) for one in found] == [(gone.key, SPOOL)]
