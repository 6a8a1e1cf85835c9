"""The node that signs the log lets old rows leave; whatever is in doubt keeps them, and is said."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from click.testing import CliRunner

from recorder import telemetry
from recorder.api.routes.audit import list_entries
from recorder.app import App
from recorder.audit.entry import Entry, Subject
from recorder.audit.tiles import WIDTH
from recorder.cli import recorder
from recorder.config import Settings
from recorder.config.checked import check_settings
from recorder.doctor import examine
from recorder.errors import ConfigError, RequestError
from recorder.jobs.signing import let_rows_leave, sign_log
from recorder.model.caller import Caller, CallerKind
from recorder.model.timebase import DAY, SECOND
from tests.support.doors import ask
from tests.support.make import T0

ANA = Caller(CallerKind.USER, "ana")


def settings(folder: Path, **audit: str) -> Settings:
    stores = [
        {"name": name, "kind": "directory", "path": str(folder / name)}
        for name in ("main", "archive")
    ]
    return Settings.model_validate(
        {"data": folder, "site": "north", "node": "n1", "stores": stores, "audit": audit}
    )


def made(folder: Path, **audit: str) -> App:
    """A node with four tiles of entries from long ago, and one of now."""
    app = App(settings(folder, **audit))
    sign_log(app)
    looks = [
        Entry(T0 + n * SECOND, ANA, "footage.clip", Subject("north", f"cam{n % 3}", "main"))
        for n in range(4 * WIDTH)
    ]
    app.catalog.audit_log.write([*looks, Entry(app.clock.now(), ANA, "hold.add")])
    sign_log(app)
    return app


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = made(tmp_path, store="archive")
    yield one
    one.close()


def found(app: App) -> tuple[str, str]:
    (one,) = [one for one in examine(app) if one.subject == "audit entries"]
    return one.level, one.detail


def run(app: App, *words: str) -> str:
    data = app.settings.data
    lines = [f"site: north\nnode: n1\ndata: {data}\naudit: {{store: archive}}\nstores:"]
    lines += [f"- {{name: {n}, kind: directory, path: {data / n}}}" for n in ("main", "archive")]
    (data / "settings.yaml").write_text("\n".join(lines))
    done = CliRunner().invoke(recorder, ["--config", str(data / "settings.yaml"), *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_old_rows_leave_and_every_command_answers_as_before(app: App) -> None:
    asked = (
        ("audit", "export", "--format", "jsonl"),
        ("audit", "show", "--camera", "cam1", "--limit", "400"),
        ("audit", "show", "--who", "user:ana", "--until", "2026-01-05T14:10:00Z"),
    )
    before, counted = [run(app, *one) for one in asked], telemetry.AUDIT_LEFT._value.get()
    let_rows_leave(app)
    assert app.catalog.audit_left.count() == 2 * WIDTH, "neither what began now nor the last full"
    assert telemetry.AUDIT_LEFT._value.get() - counted == 2 * WIDTH
    assert [run(app, *one) for one in asked] == before
    assert "clean" in run(app, "audit", "verify")
    assert found(app)[0] == "ok", "what may not leave yet is no fault"
    assert found(app)[1].startswith("512 entries have left the catalog")
    let_rows_leave(app)
    assert telemetry.AUDIT_STAY._value.get() == 0
    assert telemetry.AUDIT_OLDEST._value.get() == T0 / SECOND


def test_pages_over_http_are_as_before_and_hold_up_no_others(app: App) -> None:
    def pages(**more: object) -> list[str]:
        found, path = list[str](), "/api/v1/audit"
        params: dict[str, object] | None = {"limit": 300, **more}
        while path:
            answer = ask(app, "GET", path, params=params)
            found.append(answer.text)
            onward = answer.links.get("next", {}).get("url")
            path, params = urljoin(path, onward) if onward else "", None
        return found

    before = pages(), pages(oldest=True), pages(camera="cam1", oldest=True)
    assert len(before[0]) == 4
    let_rows_leave(app)
    assert (pages(), pages(oldest=True), pages(camera="cam1", oldest=True)) == before
    assert not inspect.iscoroutinefunction(list_entries), "a store may be slow: not of few threads"


def test_a_second_store_that_is_empty_gets_again_what_left(app: App) -> None:
    let_rows_leave(app)
    tiles = sorted((app.settings.data / "archive").rglob("entries/*"))
    tiles[0].unlink()
    let_rows_leave(app)
    assert sorted((app.settings.data / "archive").rglob("entries/*")) == tiles
    tiles[1].unlink()
    (app.settings.data / "main" / tiles[1].relative_to(app.settings.data / "archive")).unlink()
    let_rows_leave(app)
    assert "entries 512 to 767 have left the catalog, and no store has them" in found(app)[1]


def test_a_doubt_keeps_them_and_is_said_once_and_to_the_doctor(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "recorder.jobs")
    ahead = app.clock.now() + 30 * DAY
    app.catalog.progress.put("clock", {"wall": ahead}, ahead)
    for _ in range(2):
        let_rows_leave(app)
    assert app.catalog.audit_left.count() == 0
    assert [one.why for one in caplog.records if "rows" in one.message] == [  # type: ignore[attr-defined]
        "the clock is 30d behind the last sweep: nothing is deleted until it is right"
    ]
    assert telemetry.AUDIT_STAY._value.get() == 1
    level, said = found(app)
    assert (level, "none may leave: the clock is" in said) == ("bad", True)
    app.catalog.progress.put("clock", {"wall": app.clock.now()}, app.clock.now())
    let_rows_leave(app)
    assert app.catalog.audit_left.count() == 2 * WIDTH
    assert found(app)[0] != "bad"


def test_a_catalog_that_is_not_believed_lets_none_leave(app: App) -> None:
    app.damage = "a page is torn"
    let_rows_leave(app)
    assert app.catalog.audit_left.count() == 0
    assert "a page is torn" in found(app)[1]


def test_what_is_not_proven_stays_and_is_said(app: App) -> None:
    (bundle,) = (app.settings.data / "main").glob("spanstore.audit/north/*/tile/entries/001")
    bundle.write_bytes(bundle.read_bytes().replace(b'"ana"', b'"bob"'))
    let_rows_leave(app)
    assert app.catalog.audit_left.count() == 0
    assert "entries 256 to 511 are not there as the catalog has them" in found(app)[1]


def test_a_node_that_does_not_sign_lets_none_leave(app: App) -> None:
    now = app.site_clock.now()
    app.catalog.leases.release("n1")
    app.catalog.leases.take("n2", ["audit"], ["audit"], now, now + DAY)
    let_rows_leave(app)
    assert app.catalog.audit_left.count() == 0


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ({}, "none leaves while the log lies in one store"),
        ({"keep_rows": "0s"}, "0 entries have left"),
    ],
)
def test_in_one_store_alone_or_kept_for_ever_none_leaves(
    tmp_path: Path, audit: dict[str, str], said: str
) -> None:
    app = made(tmp_path, **audit)
    let_rows_leave(app)
    assert app.catalog.audit_left.count() == 0
    level, text = found(app)
    assert (level == "ok", said in text) == (bool(audit), True)
    app.close()


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ({"store": "main"}, "audit.store: 'main' is no second store"),
        ({"store": "other"}, "audit.store: 'other' is no second store"),
        ({"keep_rows": "6d"}, "audit.keep_rows: 6d"),
        ({"keep_rows": "long"}, "audit.keep_rows"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    tmp_path: Path, audit: dict[str, str], said: str
) -> None:
    with pytest.raises((ConfigError, RequestError), match=said):
        check_settings(settings(tmp_path, **audit))
