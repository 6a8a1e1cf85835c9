"""Exports of masked copies: where the clear pictures lie meanwhile, and who may have them later."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.errors import UnavailableError
from recorder.export.burnt import Burn, burnt_picture
from recorder.model.camera_document import parse_camera
from recorder.model.timebase import SECOND
from tests.support.access import ADMIN, ask, person
from tests.support.exhibit import Exhibit
from tests.support.make import STREAM, T0
from tests.unit.test_burnt import BLACK
from tests.unit.test_exports_asked import asked, bundle, film, make

__all__ = ["film"]
GUARD = [{"role": "officer", "masked": True}]


def masks(app: App, at: int, *polygons: Any) -> None:
    """Give the camera masks."""
    given = [{"polygon": [list(point) for point in one], "fill": "black"} for one in polygons]
    document = parse_camera(STREAM.camera, {"url": "rtsp://x/y", "masks": given})
    app.catalog.cameras.put(document, T0 + at * SECOND, None)


@pytest.fixture
def app(film: Path, tmp_path: Path) -> Iterator[App]:
    one = Exhibit(tmp_path / "site", film)
    masks(one.app, 0, BLACK.polygon)
    person(one.app, "boss", ADMIN)
    yield one.app
    one.close()


def test_originals_lie_beside_the_bundle_and_none_is_left_of_a_try_that_was_killed(
    app: App,
) -> None:
    guard = person(app, "lea", GUARD)
    id_ = asked(app, guard, masked=True)
    left = app.bundles.aside(id_) / "originals.x" / "native" / "clear.mp4"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"clear")
    spool = app.spool.root / "burning"
    before = spool.stat().st_mtime_ns
    make(app)
    assert [one.name for one in app.bundles.root.iterdir()] == [f"{id_}.zip"]
    assert spool.stat().st_mtime_ns == before, "nothing was ever put into the recorder's own room"
    got = bundle(app, id_, guard)
    assert got.status_code == 200
    with zipfile.ZipFile(app.bundles.root / f"{id_}.zip") as archive:
        kinds = {one.split("/")[1] for one in archive.namelist()}
    assert not kinds & {"native", "onvif", "c2pa"}


def test_who_may_have_masked_copies_alone_gets_none_that_hides_other_than_now(app: App) -> None:
    guard, boss = person(app, "lea", GUARD), person(app, "max", ADMIN)
    id_ = asked(app, guard, masked=True)
    make(app)
    masks(app, 1, BLACK.polygon, ((0.5, 0.5), (0.9, 0.5), (0.9, 0.9)))
    early = bundle(app, id_, guard)
    assert (early.status_code, "other masks now" in early.text) == (403, True)
    path = f"/api/v1/exports/{id_}/bundle.zip"
    assert ask(app, "HEAD", path, guard).status_code == 403
    assert bundle(app, id_, boss).status_code == 200, "who may see it all may have it"
    again = asked(app, guard, masked=True)
    make(app)
    assert bundle(app, again, guard).status_code == 200
    masks(app, 2)
    assert bundle(app, again, guard).status_code == 403


def test_a_disk_without_room_for_a_copy_is_said_to_be_that(tmp_path: Path) -> None:
    full = tmp_path / "ffmpeg"
    full.write_text("#!/bin/sh\necho 'out.jpg: No space left on device' >&2\nexit 1\n")
    full.chmod(0o755)
    jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x10\x00\x10" + bytes(8)
    with pytest.raises(UnavailableError, match="room for a copy"):
        burnt_picture(jpeg, Burn((BLACK,)), str(full), tmp_path / "burning")
    assert list((tmp_path / "burning").iterdir()) == []
