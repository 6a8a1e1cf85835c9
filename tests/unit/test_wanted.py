"""What should be recorded, and what of it is remembered beside the spool."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder import wanted
from recorder.api.vital import ready
from recorder.app import App
from recorder.capture.share import Share, Wanted
from recorder.catalog.backup import read_backup, write_backup
from recorder.catalog.rows import camera_body
from recorder.config import Settings
from recorder.errors import CatalogUnavailable
from recorder.model.cameras import Camera, StreamSource
from recorder.model.keys import StreamId
from recorder.patience import Patience
from recorder.service import Service
from recorder.wanted import WantedStreams
from tests.support.make import T0

CAMERA = Camera("gate", {"main": StreamSource("rtsp://gate/main")})


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(Settings(site="north", node="n1", data=tmp_path))
    yield one
    one.close()


def test_cameras_are_written_down_when_they_changed_and_not_looked_through_otherwise(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    show = camera_body

    def noting(camera: Camera) -> dict[str, Any]:
        shown.append(camera.name)
        return show(camera)

    monkeypatch.setattr(wanted, "camera_body", noting)
    file = app.spool.root / "cameras.json"

    async def look() -> None:
        one = WantedStreams(app, Patience("test", 10))
        app.catalog.cameras.put(CAMERA, T0, None)
        await one.look()
        before = file.read_bytes()
        await one.look()
        assert shown == ["gate"]
        app.catalog.cameras.put(replace(CAMERA, name="yard"), T0, None)
        await one.look()
        assert shown == ["gate", "gate", "yard"]
        assert file.read_bytes() != before

    asyncio.run(look())


def test_while_the_catalog_is_away_nothing_known_is_not_taken_for_nothing_wanted(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> list[Camera]:
        raise CatalogUnavailable("it is away")

    monkeypatch.setattr(app.catalog.cameras, "all", away)
    with pytest.raises(CatalogUnavailable, match="it is away"):
        asyncio.run(WantedStreams(app, Patience("test", 10)).look())


def test_a_catalog_that_is_away_is_said_once_not_at_each_look(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> Any:
        raise CatalogUnavailable("it is away")

    async def look() -> None:
        one = WantedStreams(app, Patience("test", 10))
        for _ in range(2):
            await one.look()
            with monkeypatch.context() as patch:
                patch.setattr(app.catalog.cameras, "all", away)
                for _ in range(5):
                    await one.look()
        await one.look()

    app.catalog.cameras.put(CAMERA, T0, None)
    asyncio.run(look())
    assert caplog.text.count("catalog away, recording goes on") == 2, "each time that it goes"


def test_who_is_asked_is_said_once_to_be_unknown(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> Any:
        raise CatalogUnavailable("it is away")

    monkeypatch.setattr(app.catalog.accounts, "any", away)
    for _ in range(5):
        app.knower.look_whether()
    assert caplog.text.count("nobody knows whether there are users") == 1


def test_a_disk_that_does_not_answer_is_not_waited_for_at_each_look(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: object) -> None:
        pytest.fail("it was asked")

    async def look() -> None:
        app.catalog.cameras.put(CAMERA, T0, None)
        monkeypatch.setattr(wanted, "remember", hangs)
        monkeypatch.setattr(type(app.spool.silence), "silent", property(lambda _: True))
        found = await WantedStreams(app, Patience("test", 10)).look()
        assert [stream.camera for stream in found] == ["gate"]

    asyncio.run(look())


def test_a_disk_that_takes_nothing_keeps_no_stream_from_being_wanted(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = app.spool.root / "cameras.json"

    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    class One(Share):
        def __init__(self) -> None:
            """Of a site that has no other node."""

        def choose(self, wanted: Wanted, twice: Collection[StreamId] = ()) -> Wanted:
            return wanted

    async def look() -> None:
        one = WantedStreams(app, Patience("test", 10))
        one.share = One()
        app.catalog.cameras.put(CAMERA, T0, None)
        with monkeypatch.context() as disk:
            disk.setattr(wanted, "remember", full)
            for _ in range(2):
                assert [stream.camera for stream in await one.look()] == ["gate"]
        assert not file.exists()
        assert len(await one.look()) == 1
        assert {path.name for path in app.spool.root.iterdir()} >= {file.name, "held.json"}

    asyncio.run(look())


def lose(app: App) -> App:
    """End, lose the catalog, and begin anew."""
    app.close()
    for path in app.settings.data.glob("catalog.db*"):
        path.unlink()
    return App(app.settings)


def looked(app: App) -> tuple[WantedStreams, list[str]]:
    one = WantedStreams(app, Patience("test", 10))
    return one, sorted(stream.camera for stream in asyncio.run(one.look()))


SECRET = Camera("yard", {"main": StreamSource("rtsp://yard/main", credentials="u:p4ss")})


def test_a_node_whose_catalog_was_lost_goes_on_recording_what_it_did(app: App) -> None:
    for one in (CAMERA, SECRET):
        app.catalog.cameras.put(one, T0, None)
    assert looked(app)[1] == ["gate", "yard"]
    fresh = lose(app)
    for _ in range(2):  # started twice before anybody looks
        wants, found = looked(fresh)
        assert (found, bool(wants.lost)) == (["gate", "yard"], True)
    (yard,) = [each for each in wants.cameras if each.name == "yard"]
    assert yard.streams["main"].credentials == "u:p4ss"
    fresh.catalog.cameras.put(CAMERA, T0, None)
    assert len(asyncio.run(wants.look())) == 2, "more may be on their way"
    assert len(asyncio.run(wants.look())) == 1
    assert not wants.lost
    assert looked(fresh)[1] == ["gate"]
    fresh.close()


def test_the_last_camera_that_is_removed_stays_removed(app: App) -> None:
    app.catalog.cameras.put(CAMERA, T0, None)
    looked(app)
    app.catalog.cameras.delete("gate")  # while the node is off
    one, found = looked(app)
    assert (found, one.lost) == ([], "")


def test_a_rebuild_takes_cameras_back_with_their_secrets_from_what_the_node_remembers(
    app: App,
) -> None:
    for one in (CAMERA, SECRET):
        app.catalog.cameras.put(one, T0, None)
    looked(app)
    assert wanted.take_back(app) == [], "nothing was lost"
    fresh = lose(app)
    fresh.catalog.secrets.begin(T0)
    assert wanted.take_back(fresh) == ["gate", "yard"]
    (yard,) = [each for each in fresh.catalog.cameras.all() if each.name == "yard"]
    assert yard.streams["main"].credentials == "u:p4ss"
    assert wanted.take_back(fresh) == []
    fresh.close()


def set_back(app: App) -> App:
    """Add a camera, and begin anew with the catalog of before, which the store is newer than."""
    app.catalog.cameras.put(CAMERA, T0, None)
    app.catalog.secrets.begin(T0)
    app.admit("main")
    app.upkeep.keeper.keep(app.stores.values(), T0)
    write_backup(app.catalog.database, app.settings.data / "before")
    app.catalog.cameras.put(SECRET, T0, None)
    assert looked(app)[1] == ["gate", "yard"]
    app.upkeep.keeper.keep(app.stores.values(), T0 + 1)
    fresh = lose(app)
    read_backup(app.settings.data / "before", fresh.catalog.database, T0 + 2)
    return fresh


def test_a_camera_newer_than_the_catalog_that_was_put_back_is_recorded_still(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = set_back(app)
    wants, found = looked(fresh)
    assert found == ["gate"], "it may have been taken away while the node was off"
    assert fresh.upkeep.keeper.behind(fresh.stores.values())
    for _ in range(2):
        assert len(asyncio.run(wants.look())) == 2
    assert [one.message for one in caplog.records].count(wanted.OLDER) == 1
    assert looked(fresh)[1] == ["gate", "yard"], "what is remembered is not overwritten meanwhile"
    fresh.catalog.cameras.delete("gate")
    assert [one.camera for one in asyncio.run(wants.look())] == ["yard"], "somebody took it away"
    fresh.upkeep.keeper.settle(fresh.stores["main"], T0 + 3)
    assert not fresh.upkeep.keeper.behind(fresh.stores.values())
    assert len(asyncio.run(wants.look())) == 0, "a rebuild has settled it"
    fresh.close()


def test_a_rebuild_takes_back_the_cameras_that_an_older_catalog_lacks(app: App) -> None:
    fresh = set_back(app)
    assert wanted.take_back(fresh) == [], "nobody says that they were there to the last"
    fresh.upkeep.keeper.behind(fresh.stores.values())
    assert wanted.take_back(fresh, fresh.upkeep.keeper.knew) == ["yard"]
    (yard,) = [each for each in fresh.catalog.cameras.all() if each.name == "yard"]
    assert yard.streams["main"].credentials == "u:p4ss"
    fresh.close()


def test_who_asks_whether_a_node_is_ready_hears_that_its_catalog_was_lost_or_is_older(
    app: App,
) -> None:
    service = Service(app)
    assert "older" not in str(ready(app, service, told=True))
    app.upkeep.keeper.older = "the catalog is older than store main"
    assert "older than store main" in str(ready(app, service, told=True)[1]["checks"])
    service.wanted.lost = wanted.LOST
    assert ready(app, service, told=True)[1]["checks"]["catalog"] == wanted.LOST
