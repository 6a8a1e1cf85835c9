"""Whether a store takes what is written is known from what was written last, and is said."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from recorder import doctor, telemetry
from recorder.api import vital
from recorder.api.server import make_api
from recorder.app import App
from recorder.capture.state import StreamState
from recorder.cli import recorder
from recorder.config import Settings, StorePart
from recorder.errors import StoreRefused, StoreUnavailable
from recorder.jobs import news
from recorder.model.keys import StreamId
from recorder.model.offered import offers
from recorder.model.timebase import MINUTE, SECOND, format_instant
from recorder.ports import NodeBeat
from recorder.reading.extent import OnDisk
from recorder.store.earlier import VersionedStore
from recorder.store.files import FileStore
from recorder.store.memory import MemoryStore
from recorder.store.s3 import S3Store
from recorder.store.uploads import FolderStore, PartedStore
from recorder.store.watched import WatchedStore, Writes, read_writes, told_writes
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0
from tests.unit.test_guard import ask


class Quota(MemoryStore):
    """A bucket that answers, and takes nothing while it is over its quota."""

    over: Exception | None = StoreUnavailable("put k in store main: QuotaExceeded")

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        if self.over is not None:
            raise self.over
        return super().put(key, body, content_type, metadata)


def metric(name: str) -> float | None:
    return telemetry.REGISTRY.get_sample_value(name, {"store": "main"})


def test_how_the_last_writes_went_is_remembered_with_since_when(tmp_path: Path) -> None:
    clock, inner = FakeClock(T0), Quota("main")
    store = WatchedStore(inner, clock)
    assert store.writes == Writes()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            store.put("k", b"", "", {})
        clock.sleep(60)
    assert store.writes == Writes(None, T0, "put k in store main: QuotaExceeded")
    assert metric("recorder_store_refusing_writes") == 1
    inner.over = None
    file = tmp_path / "f"
    file.write_bytes(b"x")
    store.put_file("k", file, "", {})
    assert store.writes == Writes(T0 + 3 * MINUTE)
    assert metric("recorder_store_refusing_writes") == 0
    assert metric("recorder_store_last_write_timestamp_seconds") == (T0 + 3 * MINUTE) / SECOND
    clock.sleep(30)
    store.put("k", b"", "", {})
    assert store.writes.at == T0 + 3 * MINUTE, "to the minute: it is told with every sign of life"
    inner.over = StoreRefused("put: AccessDenied")
    with pytest.raises(StoreRefused):
        store.put("k", b"", "", {})
    assert store.writes.failing_since == T0 + 3 * MINUTE + 30 * SECOND
    assert read_writes(json.loads(json.dumps(store.writes.facts()))) == store.writes


def test_of_a_sites_living_nodes_the_worst_counts() -> None:
    bad, good = Writes(T0, T0 + 1, "quota"), Writes(T0 + 5)

    def beat(node: str, writes: Writes, site: str = "s", at: int = T0, **facts: Any) -> NodeBeat:
        return NodeBeat(node, site, at, {"writes": {"main": writes.facts()}, **facts})

    living = [beat("n1", good), beat("n2", bad), beat("n3", Writes(T0 + 9))]
    assert told_writes(living, "s", T0) == {"main": ("n2", bad)}
    gone = [
        beat("n1", good), beat("n2", bad, state="stopped"), beat("n3", bad, at=T0 - MINUTE),
        beat("x/n", bad, site="x"), NodeBeat("n4", "s", T0, {"writes": 5}), NodeBeat("n5", "s", T0),
    ]  # fmt: skip
    assert told_writes(gone, "s", T0) == {"main": ("n1", good)}


# -- doors ----------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A node whose store answers, and has taken nothing for two minutes."""
    one = App(
        Settings(
            data=tmp_path, site="here", node="n1",
            stores=[StorePart(name="main", path=tmp_path / "store")],
        )
    )  # fmt: skip
    one.admit("main")
    now = one.site_clock.now()
    writes = Writes(None, now - 2 * MINUTE - SECOND // 2, "put: QuotaExceeded")
    one.stores["main"]._writes = writes
    one.catalog.nodes.beat(NodeBeat("n1", "here", now, {"writes": {"main": writes.facts()}}))
    yield one
    one.close()


class Capture:
    """What a node that records says of itself."""

    def __init__(self, condition: str = "", detail: str = "", unsealed: str = "") -> None:
        self._state = StreamState(condition=condition, detail=detail)
        self._unsealed = unsealed

    def states(self) -> dict[StreamId, StreamState]:
        return {STREAM: self._state}

    def unsealed(self) -> dict[StreamId, str]:
        return {STREAM: self._unsealed} if self._unsealed else {}


def serving(capture: object, register: object = None, *, sheds: bool = False) -> object:
    """A node's service, as far as it is asked how it does: its catalog is the one that it was."""
    keeper = SimpleNamespace(older="")
    return SimpleNamespace(
        capture=capture,
        register=register,
        wanted=SimpleNamespace(lost=""),
        lacks_spool=False,
        keeper=SimpleNamespace(sheds=sheds),
        untold_s=0.0,
        app=SimpleNamespace(upkeep=SimpleNamespace(keeper=keeper)),
    )


def ready(app: App, service: object) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_api(app, service))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/readyz")

    return asyncio.run(run())


def test_a_node_that_records_is_degraded_and_not_down_while_its_store_takes_nothing(
    app: App,
) -> None:
    recording = serving(Capture())
    said = ready(app, recording)
    assert (said.status_code, said.json()["state"], said.json()["ready"]) == (200, "degraded", True)
    assert "takes nothing since" in said.json()["checks"]["store main"]
    assert "QuotaExceeded" in said.json()["checks"]["store main"]
    for service in (None, serving(None)):
        down = ready(app, service)
        assert (down.status_code, down.json()["state"]) == (503, "down")
    app.stores["main"]._writes = Writes(T0)
    assert ready(app, recording).json()["state"] == "ok"


@pytest.mark.parametrize(
    ("capture", "refused", "check", "said"),
    [
        (Capture("spool-refused", "Read-only file system"), "", "spool", "Read-only file system"),
        (Capture("", "", "[Errno 5] Input/output error"), "", "spool",
         "[Errno 5] Input/output error"),
        (Capture(), "database or disk is full", "catalog",
         "takes nothing: database or disk is full"),
        (Capture("unreachable", "Connection refused"), "", "", ""),
    ],
)  # fmt: skip
def test_a_node_whose_disk_refuses_is_degraded_and_says_why(
    app: App, capture: Capture, refused: str, check: str, said: str
) -> None:
    app.stores["main"]._writes = Writes(T0)
    body = ready(app, serving(capture, SimpleNamespace(refused=refused)))
    assert body.status_code == 200
    assert body.json()["state"] == ("degraded" if check else "ok")
    assert body.json()["checks"].get(check, "") == said


def test_a_node_that_sheds_footage_is_degraded_and_says_so(app: App) -> None:
    app.stores["main"]._writes = Writes(T0)
    body = ready(app, serving(Capture(), sheds=True)).json()
    assert body["state"] == "degraded"
    assert body["checks"]["spool"] == "too full: footage went that was in no store"


def test_a_store_or_a_catalog_that_hangs_keeps_one_thread_and_nobody_waiting_for_long(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, asked = threading.Event(), list[str]()

    def hang(what: str) -> None:
        asked.append(what)
        assert let_go.wait(60)

    monkeypatch.setattr(vital, "PATIENCE_S", 0.05)
    monkeypatch.setattr(app.stores["main"], "head", lambda _: hang("store"))
    recording = serving(Capture())
    for _ in range(5):
        said = ready(app, recording)
        assert (said.status_code, said.json()["state"]) == (200, "degraded")
        assert said.json()["checks"] == {"catalog": "ok", "store main": "does not answer"}
    monkeypatch.setattr(app.catalog.footage, "streams", lambda: hang("catalog"))
    for _ in range(5):
        said = ready(app, recording)
        assert (said.status_code, said.json()["checks"]["catalog"]) == (503, "does not answer")
    assert asked == ["store", "catalog"]
    let_go.set()


def test_a_node_asks_its_catalog_and_its_stores_at_once_whether_it_is_ready(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_asked = threading.Event()
    monkeypatch.setattr(app.stores["main"], "head", lambda _: store_asked.set())
    monkeypatch.setattr(app.catalog.footage, "streams", lambda: store_asked.wait(60))
    said = ready(app, serving(Capture()))
    assert said.json()["checks"]["catalog"] == "ok"


def test_a_node_that_only_answers_stays_in_reading_while_the_store_of_its_nodes_is_away(
    app: App,
) -> None:
    said = ready(app, None)
    assert (said.status_code, said.json()["state"]) == (503, "down")
    shared = {"catalog": "postgresql://recorder@db.example.org/recorder"}
    app.settings = app.settings.model_copy(update=shared)  # the catalog is open already
    said = ready(app, None)
    assert (said.status_code, said.json()["state"]) == (200, "degraded")


def test_the_doctor_and_the_list_of_stores_say_that_a_store_takes_nothing(app: App) -> None:
    found = next(one for one in doctor.examine(app) if one.subject == "writes main")
    assert found.level == "bad"
    assert found.detail.startswith("it takes nothing that node n1 writes, for 2m")
    assert found.detail.endswith(": put: QuotaExceeded")
    config = app.settings.data / "r.yaml"
    config.write_text(
        f"site: here\nnode: n1\ndata: {app.settings.data}\n"
        f"stores: [{{name: main, path: {app.settings.data}/store}}]\n"
    )
    said = CliRunner().invoke(recorder, ["-c", str(config), "store", "list"]).output
    assert "TAKES NOTHING: it takes nothing that node n1 writes, for 2m" in said


def test_a_directory_that_nobody_wrote_to_lately_is_tried_by_the_doctor(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def findings() -> list[str]:
        return [one.detail for one in doctor.examine(app) if one.subject == "writes main"]

    app.catalog.nodes.beat(NodeBeat("n1", "here", app.site_clock.now(), {}))
    assert findings() == []
    left = [one.key for one in app.stores["main"].list()]
    assert [key for key in left if "owners" not in key] == ["spanstore.json"], "nothing is left"

    def full(*_: object) -> str:
        raise StoreUnavailable("put: No space left on device")

    monkeypatch.setattr(app.stores["main"], "put", full)
    assert findings() == ["put: No space left on device"]


def test_a_node_tells_how_its_writes_went(app: App) -> None:
    service: Any = SimpleNamespace(capture=None, roles=set(), sender=None, register=None)
    facts = news.node_facts(app, service, "running", draining=False).facts
    assert facts["writes"]["main"]["error"] == "put: QuotaExceeded"
    (said,) = ask(app, "GET", "/api/v1/nodes").json()
    assert said["writes"]["main"] == {
        "at": None,
        "failing_since": format_instant(facts["writes"]["main"]["failing_since"], 0),
        "error": "put: QuotaExceeded",
    }


@pytest.mark.parametrize(
    ("inner", "kinds"),
    [(FileStore, {OnDisk, FolderStore}), (S3Store, {PartedStore, VersionedStore})],
)
def test_what_only_some_stores_offer_is_seen_through_who_watches_them(
    inner: type[FileStore] | type[S3Store], kinds: set[type]
) -> None:
    """``isinstance`` of Python 3.12 sees the class of the watcher alone."""
    bare = inner.__new__(inner)
    bare.name = "main"
    store = WatchedStore(bare, FakeClock(T0))
    assert {
        kind for kind in (OnDisk, FolderStore, PartedStore, VersionedStore) if offers(store, kind)
    } == kinds
    for kind in kinds:
        with pytest.raises(TypeError):
            isinstance(store, kind)
