"""Secrets of cameras lie encrypted in the catalog; a lost key costs those alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from recorder.capture.allowed import check_readable
from recorder.capture.starting import condition_of
from recorder.catalog import schema, wiping
from recorder.catalog.rows import camera_body, read_body
from recorder.catalog.secrets import ROWS
from recorder.catalog.sql import SqlCatalog
from recorder.errors import BadDocument, CatalogUnavailable, KeyMissing
from recorder.keyring import Keyring
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.cameras import Camera
from recorder.model.changing import change_camera, differences
from recorder.model.secrets import MASK
from recorder.sites.below import put_below
from recorder.sites.changing import change_below
from tests.support.keys import PassingKeys

SECRET = "t0p-s3cret"
GATE = parse_camera(
    "gate",
    {
        "url": f"rtsp://ana:{SECRET}@10.0.0.7/a",
        "streams": {"sub": {"url": f"http://10.0.0.7/b?token={SECRET}"}},
    },
)


@pytest.fixture
def keys() -> PassingKeys:
    return PassingKeys()


@pytest.fixture
def catalog(tmp_path: Path, keys: PassingKeys) -> Iterator[SqlCatalog]:
    one = SqlCatalog(f"sqlite:///{tmp_path / 'catalog.db'}", keys=keys)
    yield one
    one.close()


def stored(catalog: SqlCatalog, table: Any = schema.camera) -> dict[str, Any]:
    with catalog.database.read() as db:
        return {row.name: row.body for row in db.execute(select(table))}


def in_files(folder: Path, secret: str = SECRET) -> list[str]:
    """Which files of a catalog hold a text."""
    return [one.name for one in folder.glob("catalog.db*") if secret.encode() in one.read_bytes()]


def put_plain(catalog: SqlCatalog, camera: Camera) -> None:
    """Store a document as an earlier release did."""
    with catalog.database.write() as db:
        row = {"name": camera.name, "version": 1, "created_ns": 1, "body": camera_body(camera)}
        db.execute(schema.camera.insert().values(**row))
        below = {"site": "post1", "name": camera.name, "version": 1, "author": "", "at_ns": 1}
        db.execute(schema.camera_below.insert().values(**below, body=camera_body(camera)))


def test_secrets_of_cameras_here_and_below_are_encrypted_and_come_back(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    kept = catalog.cameras.put(GATE, 1, None)
    put_below(catalog, "post1", GATE, "ann", 2)
    assert kept.streams == GATE.streams
    assert catalog.cameras.get("gate") == kept
    assert catalog.cameras.all() == [kept]
    (below,) = catalog.child_cameras.since()
    assert read_body("gate", below.body or {}).streams == GATE.streams
    assert in_files(tmp_path) == []
    assert "10.0.0.7" in json.dumps(stored(catalog)), "what is no secret can be read"


def test_the_same_secret_twice_is_not_the_same_ciphertext_and_its_length_says_little(
    catalog: SqlCatalog,
) -> None:
    def cipher(credentials: str) -> str:
        source = replace(GATE.streams["main"], credentials=credentials)
        catalog.cameras.put(replace(GATE, streams={"main": source}), 1, None)
        return str(stored(catalog)["gate"]["streams"]["main"]["cipher"])

    assert cipher("u:same") != cipher("u:same")
    assert len(cipher("u:1")) == len(cipher("u:a-longer-one"))


def test_a_ciphertext_moved_to_another_camera_or_stream_is_not_read(catalog: SqlCatalog) -> None:
    catalog.cameras.put(GATE, 1, None)
    catalog.cameras.put(parse_camera("yard", {"url": "rtsp://evil.example/x"}), 1, None)
    moved = stored(catalog)["gate"]["streams"]["main"]["cipher"]
    bodies = stored(catalog)
    bodies["yard"]["streams"]["main"]["cipher"] = moved
    bodies["gate"]["streams"]["sub"]["cipher"] = moved
    with catalog.database.write() as db:
        for name, body in bodies.items():
            own = schema.camera.c.name == name
            db.execute(update(schema.camera).where(own).values(body=body, version=2))
    gate, yard = catalog.cameras.all()
    assert gate.streams["main"].credentials == f"ana:{SECRET}"
    assert SECRET not in repr(yard) + gate.streams["sub"].url
    assert yard.streams["main"].cipher == gate.streams["sub"].cipher == moved
    assert catalog.secrets.look().unreadable == ["gate, stream sub", "yard, stream main"]


def test_another_address_beside_a_ciphertext_gets_no_password(catalog: SqlCatalog) -> None:
    catalog.cameras.put(GATE, 1, None)
    body = stored(catalog)["gate"]
    body["streams"]["main"]["url"] = "rtsp://evil.example/a"
    with catalog.database.write() as db:
        db.execute(update(schema.camera).values(body=body))
    found = catalog.cameras.get("gate")
    assert found is not None
    assert found.streams["main"].full_url().endswith("@10.0.0.7/a")


def test_what_an_earlier_release_left_is_encrypted_and_nothing_of_it_stays_in_the_file(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    for number in range(ROWS + 20):
        put_plain(catalog, replace(GATE, name=f"cam{number}"))
    with catalog.database.write() as db:
        db.execute(schema.camera.delete().where(schema.camera.c.name > "cam5"))
    assert in_files(tmp_path), "the test looks in the right place"
    before = catalog.cameras.all()
    assert catalog.secrets.look().plain == 2 * (len(before) + ROWS + 20)
    assert catalog.secrets.settle(5)
    assert in_files(tmp_path) == []
    assert catalog.cameras.all() == before
    seen = catalog.secrets.look()
    assert (seen.plain, seen.wiped, seen.unreadable) == (0, True, [])
    assert not catalog.secrets.settle(6), "once"


def test_a_file_without_room_to_be_written_anew_is_tried_again_and_said(
    catalog: SqlCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_plain(catalog, GATE)
    monkeypatch.setattr(wiping, "ROOM", 1e12)
    with pytest.raises(CatalogUnavailable, match="GB are free"):
        catalog.secrets.settle(5)
    assert (catalog.secrets.look().plain, catalog.secrets.look().wiped) == (0, False)
    monkeypatch.undo()
    assert catalog.secrets.settle(6)
    assert catalog.secrets.look().wiped
    assert in_files(tmp_path) == []


def test_another_key_takes_all_over_and_may_be_stopped_after_every_step(
    catalog: SqlCatalog, keys: PassingKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        catalog.cameras.put(replace(GATE, name=f"cam{number}"), 1, None)
    monkeypatch.setattr("recorder.catalog.secrets.ROWS", 2)
    catalog.secrets.settle(1)
    before, old = catalog.cameras.all(), catalog.secrets.begin(1)
    catalog.secrets.take(catalog.secrets.unused(), 2)
    real, left = type(catalog.secrets)._settle_some, 2  # type: ignore[attr-defined]

    def dying(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(*arguments)

    for steps in (0, 1, 2):
        left = steps
        monkeypatch.setattr(type(catalog.secrets), "_settle_some", dying)
        with pytest.raises(KeyboardInterrupt):
            catalog.secrets.settle(3)
        monkeypatch.setattr(type(catalog.secrets), "_settle_some", real)
        anew = SqlCatalog(str(catalog.database.engine.url), keys=keys)
        assert anew.cameras.all() == before, "both keys read meanwhile"
        anew.close()
    assert old in catalog.secrets.look().under
    assert catalog.secrets.settle(4)
    assert catalog.secrets.look().under == {catalog.secrets.begin(4): 10}
    del keys.there[old]
    keys._known.clear()
    assert catalog.cameras.all() == before
    assert catalog.secrets.unused() != old, "a key that was in force is not one that never was"


def test_with_the_key_lost_cameras_are_shown_and_nothing_is_destroyed(
    catalog: SqlCatalog, keys: PassingKeys
) -> None:
    catalog.cameras.put(GATE, 1, None)
    catalog.cameras.put(parse_camera("open", {"url": "rtsp://10.0.0.8/x"}), 1, None)
    there = dict(keys.there)
    keys.lose()
    gate, unlocked = catalog.cameras.all()
    shown = show_camera(gate)["streams"]
    assert (shown["main"]["url"], shown["main"]["credentials"]) == ("rtsp://10.0.0.7/a", MASK)
    assert unlocked.streams["main"].full_url() == "rtsp://10.0.0.8/x"
    with pytest.raises(KeyMissing, match="cannot be read") as said:
        check_readable(gate.streams["main"], "gate")
    assert "recorder camera set gate --credentials-file" in str(said.value)
    assert condition_of(said.value) == "no-key"
    changed = catalog.cameras.put(change_camera(gate, {"group": "key"}), 2, None)
    assert changed.group == "key"
    with pytest.raises(KeyMissing, match="not in"):
        catalog.cameras.put(GATE, 3, None)
    with pytest.raises(KeyMissing, match="not in"):
        catalog.secrets.settle(3)
    assert catalog.cameras.get("gate") == changed, "what is refused changes nothing"
    keys.there = there
    found = catalog.cameras.get("gate")
    assert found is not None
    assert (found.group, found.streams) == ("key", GATE.streams)
    assert catalog.cameras.all()[0].streams == GATE.streams


def test_secrets_that_cannot_be_read_are_set_again_under_a_key_that_is_begun(
    catalog: SqlCatalog, keys: PassingKeys
) -> None:
    catalog.cameras.put(GATE, 1, None)
    lost = catalog.secrets.begin(1)
    keys.lose()
    catalog.secrets.take(catalog.secrets.unused(), 2)
    (gate,) = catalog.cameras.all()
    again = change_camera(gate, {"streams": {"main": {"credentials": "ana:new"}}})
    assert [one.path for one in differences(gate, again)] == ["streams.main.credentials"]
    with pytest.raises(BadDocument, match=r"sub\.url: shows a secret"):
        change_camera(gate, {"streams": {"sub": {"credentials": "ana:new"}}})
    with pytest.raises(BadDocument, match=r"main\.credentials: those there are cannot be read"):
        change_camera(gate, {"streams": {"main": {"url": "rtsp://10.0.0.9/a"}}})
    catalog.cameras.put(again, 3, None)
    found = catalog.cameras.get("gate")
    assert found is not None
    assert found.streams["main"].full_url() == "rtsp://ana:new@10.0.0.7/a"
    assert found.streams["sub"].cipher, "and the other one waits"
    catalog.secrets.settle(4)
    assert catalog.secrets.look().under == {catalog.secrets.begin(4): 1, lost: 1}


def test_what_was_asked_of_a_site_below_is_changed_without_its_secret_being_known(
    catalog: SqlCatalog, keys: PassingKeys
) -> None:
    put_below(catalog, "post1", GATE, "ann", 1)
    there = dict(keys.there)
    keys.lose()
    change_below(catalog.child_cameras, "post1", "gate", {"group": "key"}, "ben", 2)
    keys.there = there
    (below,) = catalog.child_cameras.since()
    found = read_body("gate", below.body or {})
    assert (found.group, found.streams) == ("key", GATE.streams)


def test_a_file_of_keys_is_made_once_for_its_owner_alone_and_only_added_to(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secrets.key"
    ring = Keyring("", path)
    assert (ring.ids(), path.exists()) == ((), False), "reading makes nothing"
    first = ring.add()
    assert path.stat().st_mode & 0o777 == 0o600
    line = path.read_text()
    second = ring.add()
    assert path.read_text().startswith(line)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Keyring(f"file:{path}", tmp_path / "none").ids() == (first, second)
    cipher = ring.encrypt(second, {"a": "b"}, "x")
    other = Keyring("", path)
    assert other.decrypt(cipher, "x") == {"a": "b"}
    assert other.decrypt(cipher, "y") is None
    path.unlink()
    assert other.has(first), "a key that was read once stays for the process's life"
    assert not Keyring("", path).has(first)


def test_what_is_no_key_is_said_by_its_line_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secrets.key"
    path.write_text("# two\nspanstore_k_AAAA\n")
    with pytest.raises(KeyMissing, match="line 1 is no key") as said:
        Keyring("", path).ids()
    assert "AAAA" not in str(said.value) + said.value.hint
    monkeypatch.setenv("GONE", "")
    with pytest.raises(KeyMissing, match="env:GONE is empty"):
        Keyring("env:GONE", path).ids()
    with pytest.raises(KeyMissing, match="not the recorder's to write"):
        Keyring("env:GONE", path).add()


def test_a_node_with_another_key_is_refused_and_makes_no_second_one(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    first = catalog.secrets.begin(1)
    path = tmp_path / "secrets.key"
    other = SqlCatalog(str(catalog.database.engine.url), keys=Keyring("", path))
    with pytest.raises(KeyMissing, match=f"under key {first}, which is not in {path}"):
        other.secrets.begin(2)
    assert not path.exists()
    with pytest.raises(KeyMissing):
        other.cameras.put(GATE, 2, None)
    assert other.cameras.all() == []
    other.close()


def test_a_backup_holds_ciphertext(catalog: SqlCatalog, tmp_path: Path) -> None:
    from recorder.catalog.backup import write_backup

    catalog.cameras.put(GATE, 1, None)
    write_backup(catalog.database, tmp_path / "backup")
    assert SECRET.encode() not in (tmp_path / "backup").read_bytes()
    with sqlite3.connect(tmp_path / "backup") as file:
        assert "spanstore:1:" in file.execute("SELECT body FROM camera").fetchone()[0]
    file.close()
