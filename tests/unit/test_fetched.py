"""An auditor on another machine proves a log by what a server sends, and believes none of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from recorder.audit.note import read_checkpoint, read_key
from recorder.audit.tiles import tile_path, write_bundle
from recorder.cli.fetched import ServerEvidence
from recorder.client import Client
from recorder.logbook.proof import MOST_FAULTS, Proof, prove
from recorder.logbook.shown import all_entries, show_logged, show_logs
from recorder.ports import AskedEntries
from tests.support.logs import House

Entries = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


class Server:
    """A site's server as its client knows it; ``entries``: what it makes of its list."""

    server = "https://north.example"

    def __init__(self, house: House, entries: Entries = list) -> None:
        self._house, self._entries, self.asked = house, entries, list[str]()

    def logs(self) -> list[dict[str, Any]]:
        return [dict(one) for one in show_logs(self._house.catalog.audit_tree)]

    def log_object(self, log_id: str, path: str) -> bytes | None:
        self.asked.append(path)
        return self._house.shelf.read(path) if self._house.shelf.origin.endswith(log_id) else None

    def audit(self, *, oldest: bool) -> Iterator[dict[str, Any]]:
        assert oldest
        catalog = self._house.catalog
        origins = {one.number: one.origin for one in catalog.audit_tree.logs()}
        found = all_entries(catalog.audit_log, AskedEntries(None, None, None, "", "", ""))
        sent = json.loads(json.dumps([show_logged(one, origins) for one in found]))
        yield from self._entries(sent)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    one.write(300)
    one.press.publish()
    yield one
    one.catalog.close()


def auditor(server: Server, key: str, kept: str = "") -> Proof:
    evidence = ServerEvidence(cast(Client, server))
    return prove(evidence, None, [read_key(key)], [read_checkpoint(kept)] if kept else [])


def kept_of(house: House) -> tuple[str, str]:
    state = house.catalog.audit_tree.logs()[-1]
    return state.key, state.checkpoint


def test_a_log_is_proved_from_afar_since_a_checkpoint_that_was_kept(house: House) -> None:
    key, kept = kept_of(house)
    house.write(300, 300)
    house.press.publish()
    house.write(2, 600)
    server = Server(house)
    proof = auditor(server, key, kept)
    assert (proof.faults, proof.waiting) == ([], 2)
    assert proof.checkpoint is not None
    assert proof.checkpoint.size == 601
    tiles = [path for path in server.asked if path.startswith("tile/0/")]
    assert len(tiles) == len(set(tiles)) == 3, "each tile of leaves is fetched once"


def _seventh(sent: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in sent if one["leaf"] == 7)


def _changed(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    _seventh(sent)["entry"]["who"]["name"] = "bob"
    return sent


def _left_out(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in sent if one["leaf"] != 7]


def _damaged(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    _seventh(sent)["entry"] = {"damaged": "00"}
    return sent


@pytest.mark.parametrize("entries", [_changed, _left_out, _damaged])
def test_entries_that_a_server_shows_otherwise_than_they_were_signed_are_named(
    house: House, entries: Entries
) -> None:
    key, kept = kept_of(house)
    (fault,) = auditor(Server(house, entries), key, kept).faults
    assert fault.kind == "changed"
    assert fault.detail.startswith("entry 7: the catalog has not")


def test_a_server_that_rewrote_its_log_and_signs_anew_is_found_by_the_key_and_the_checkpoint(
    house: House, tmp_path: Path
) -> None:
    key, kept = kept_of(house)
    (tmp_path / "other").mkdir()
    other = House(tmp_path / "other")
    other.write(300, 1)
    other.press.publish()
    assert other.catalog.audit_tree.logs()[-1].origin == house.catalog.audit_tree.logs()[-1].origin
    lie = Server(other)
    assert {one.kind for one in auditor(lie, key, kept).faults} >= {"key", "fork"}
    believed = prove(ServerEvidence(cast(Client, lie)), None)
    assert believed.faults == [], "without a key that was kept it is a log like any"
    other.catalog.close()


def test_a_tile_that_was_swapped_is_not_what_was_signed(house: House) -> None:
    key, kept = kept_of(house)
    entries = house.bundle(0, 256)
    entries[4] = entries[4].replace(b"ana", b"bob")
    house.shelf.put(tile_path("entries", 0), write_bundle(entries))
    found = auditor(Server(house), key, kept).faults
    assert any("entry 4: not the bytes" in one.detail for one in found)
    assert {one.kind for one in found} == {"changed", "tree"}


def test_a_size_that_nobody_can_show_is_given_up(house: House) -> None:
    key, kept = kept_of(house)
    size = kept.splitlines()[1]
    house.shelf.put("checkpoint", kept.replace(f"\n{size}\n", "\n999999999999\n", 1).encode())
    faults = auditor(Server(house), key).faults
    assert faults[0].kind == "key"
    assert len(faults) == MOST_FAULTS
