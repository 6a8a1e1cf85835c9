"""What lies in a store and says what none can: left out by itself, whatever it says."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.bmff.boxes import box
from recorder.bmff.footer import FOOTER_ID, MAGIC, read_footer
from recorder.bmff.fragments import mfra_size
from recorder.catalog.sql import SqlCatalog
from recorder.errors import CopyMissing, DigestMismatch, StoreRefused, StoreUnavailable
from recorder.ingest.leftovers import Leftovers
from recorder.janitor.keeping import Keeper
from recorder.janitor.keeping_events import EventKeeper
from recorder.model.media import ObjectInfo, Segment
from recorder.model.timebase import DAY
from recorder.spool.disk import Spool
from recorder.store.identity import read_identity
from recorder.store.kept import KeptDocuments, read_kept, write_kept
from recorder.store.memory import MemoryStore
from recorder.store.owners import read_owners
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0
from tests.unit.test_rebuild import NOW, again, catalog, filled, known

__all__ = ["catalog"]

ODD: list[dict[str, object]] = [
    {"site": "south"}, {"site": 5}, {"site": []}, {"camera": "yard"}, {"camera": "\ud800"},
    {"start_ns": T0 - DAY}, {"start_ns": 2**63}, {"start_ns": "x"}, {"end_ns": T0 + 2 * DAY},
    {"span_ns": None}, {"counter": 10**40}, {"node": "n2"}, {"writer": None}, {"width": []},
    {"timescale": "x"}, {"timescale": 0}, {"codecs": None}, {"codecs": "\ud800"},
    {"decoder_digest": [1]}, {"gap_cause": None}, {"activity": "zz"}, {"frames": "x"},
    {"frames": float("inf")}, {"init_bytes": None}, {"init_bytes": 2**63}, {"media_start": {}},
    {"holes": [["a", "b"]]}, {"holes": [[-5, 10]]}, {"holes": 5}, {"camera_offset_ns": 1.5},
]  # fmt: skip


def saying(store: MemoryStore, one: Segment, odd: dict[str, object]) -> bytes:
    """Return an object whose footer, whole by its digest, says something else of it."""
    body = b"".join(store.read(one.key, 0, one.size_bytes))
    footer, mfra = read_footer(body, len(body)), mfra_size(body)
    assert footer is not None
    assert mfra is not None
    text = json.dumps({**footer.meta, **odd}).encode()
    payload = struct.pack(">HHI", 1, 0, len(text)) + text
    payload += struct.pack(">I", len(footer.table)) + footer.table
    payload += hashlib.sha256(payload).digest()
    end = struct.pack(">I4s", 8 + 16 + len(payload) + 8, MAGIC)
    return body[: footer.offset] + box("uuid", FOOTER_ID, payload, end) + body[-mfra:]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_footer_that_says_what_none_can_or_is_not_its_keys_is_left_out_and_no_other(
    odd: dict[str, object], catalog: SqlCatalog
) -> None:
    store, held = filled("main")
    store.put(held[1].key, saying(store, held[1], odd), "video/mp4", {})
    done = again(catalog, store)
    assert [key for key, _ in done.unreadable] == [held[1].key]
    assert known(catalog) == [held[0], held[2]]
    assert [str(one) for one in catalog.footage.streams()] == [str(STREAM)]


def test_a_digest_beside_an_object_that_is_none_is_not_taken_for_one(catalog: SqlCatalog) -> None:
    store, held = filled("main", (0,))
    body = b"".join(store.read(held[0].key, 0, held[0].size_bytes))
    store.put(held[0].key, body, "video/mp4", {"sha256": "zz"})
    assert again(catalog, store).ours == 1
    assert known(catalog) == held


@pytest.mark.parametrize("odd", [{"start_ns": 2**63}, {"codecs": 5}, {"site": "south"}], ids=str)
def test_a_sealed_file_whose_footer_says_what_none_can_keeps_no_other_from_the_catalog(
    odd: dict[str, object], catalog: SqlCatalog, tmp_path: Path
) -> None:
    store, held = filled("main")
    spool = Spool(tmp_path / "spool")
    for one in held:
        path = spool.root / "sealed" / one.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(store.read(one.key, 0, one.size_bytes)))
    (spool.root / "sealed" / held[1].key).write_bytes(saying(store, held[1], odd))
    assert Leftovers(catalog, spool, FakeClock(NOW), "n1", "north").register() == 2
    assert known(catalog, "spool:n1") == [held[0], held[2]]


HOLD = {
    "hold_id": "h1", "cameras": ["north/cam07"], "start_ns": T0, "end_ns": NOW, "case_name": "c",
    "reason": "r", "owner": "ann", "created_ns": 1, "expires_ns": None, "released_ns": None,
    "released_by": "",
}  # fmt: skip
POINT = {"name": "door", "version": 1, "body": {"kind": "alarm", "cameras": ["cam07"]}}
POLICY = {"kind": "policy", "version": 3, "author": "ann", "at_ns": 1,
          "body": {"rules": [{"name": "all", "keep": {"any": "30d"}}]}}  # fmt: skip
GROUP = {"site": "north", "camera": "cam07", "group_name": "key", "about": None}
WHOLE: dict[str, list[Any]] = {
    "holds": [HOLD], "documents": [POLICY], "points": [POINT], "groups": [GROUP],
    "cameras": [{"name": "cam07"}],
}  # fmt: skip
ODD_ROWS: list[tuple[str, object]] = [
    ("holds", {**HOLD, "hold_id": "h2", "expires_ns": "x"}),
    ("holds", {**HOLD, "hold_id": "h2", "start_ns": True}),
    ("holds", {**HOLD, "hold_id": None}), ("holds", {**HOLD, "cameras": [None]}), ("holds", 5),
    ("holds", {**HOLD, "hold_id": "h2", "end_ns": 10**40}), ("holds", {}),
    ("documents", {**POLICY, "kind": "draining", "body": 5}), ("documents", None),
    ("documents", {**POLICY, "kind": "draining", "version": "x"}),
    ("points", {**POINT, "name": "gate", "body": {"cameras": 5}}), ("points", []),
    ("groups", {**GROUP, "camera": "\ud800"}), ("groups", {"a": None}), ("cameras", {}),
    ("groups", {**GROUP, "camera": "yard", "about": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "odd"), ODD_ROWS, ids=str)
def test_one_odd_row_of_what_a_store_keeps_is_left_out_and_named_and_the_rest_is_put_back(
    kind: str, odd: object, catalog: SqlCatalog
) -> None:
    content = {**WHOLE, kind: [odd, *WHOLE[kind]]}
    done = catalog.kept.put_back(content)
    assert (done.holds, done.points, done.groups) == (1, 1, 1)
    assert done.documents == ["policy version 3"]
    assert [one for one in done.left if one.startswith(f"{kind}: ")]
    assert [one.hold_id for one in catalog.holds.live(NOW)] == ["h1"], "it can be read"
    assert catalog.kept.take()["points"]


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("odd", [5, None, "x", {"a": 1}], ids=str)
def test_what_a_store_keeps_may_lack_a_list(kind: str, odd: object, catalog: SqlCatalog) -> None:
    done = catalog.kept.put_back({**WHOLE, kind: odd})
    assert done.left
    assert (kind == "holds") == (catalog.holds.live(NOW) == [])


WRITTEN = KeptDocuments(1, NOW, WHOLE)
DOCUMENT = {"format": 1, "site": "north", "seq": 1, "at": NOW, "digest": WRITTEN.digest,
            "content": WHOLE}  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [{**DOCUMENT, "seq": float("inf")}, {**DOCUMENT, "at": 10**40}, {**DOCUMENT, "at": None},
     {**DOCUMENT, "content": 5}, 5],
    ids=str,
)  # fmt: skip
def test_documents_that_say_what_none_can_are_damaged(body: object) -> None:
    store = MemoryStore("main")
    store.put("spanstore.documents/north.0.json", json.dumps(body).encode(), "", {})
    with pytest.raises(DigestMismatch):
        read_kept(store, "north")
    write_kept(store, "north", KeptDocuments(2, NOW, WHOLE))
    assert read_kept(store, "north") is not None


@pytest.mark.parametrize(
    "raw", [b"[" * 60_000, b"1e999", b'{"node":"a","spool":"b","at":1e999}',
            b'{"node":"a","spool":"b","at":' + b"9" * 40 + b"}"],
    ids=["deep", "infinite", "for ever", "huge"],
)  # fmt: skip
def test_a_sign_an_identity_and_documents_that_are_none_are_told_as_such(raw: bytes) -> None:
    store = MemoryStore("main")
    store.put("spanstore.owners/north/c2.json", raw, "", {})
    store.put("spanstore.json", raw, "", {})
    store.put("spanstore.documents/north.0.json", raw, "", {})
    assert [(one.catalog, one.at) for one in read_owners(store, "north")] == [("c2", None)]
    with pytest.raises(StoreRefused, match="is not an identity"):
        read_identity(store)
    with pytest.raises(DigestMismatch):
        read_kept(store, "north")


LINE = {
    "event_id": "e1", "site": "north", "kind": "alarm", "source": "cam07", "cameras": ["cam07"],
    "range": [T0, T0], "touched": [T0, T0 + 1], "received": T0, "attributes": {},
}  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [5, None, [], {}, {**LINE, "received": float("inf")}, {**LINE, "range": [0, 10**40]},
     {**LINE, "kind": "\ud800"}, {**LINE, "cameras": [{}]}, {**LINE, "attributes": 5},
     {**LINE, "touched": ["a", "b"]}, {**LINE, "site": "a/b"}],
    ids=str,
)  # fmt: skip
def test_an_odd_event_in_a_store_keeps_no_other_object_of_events_back(
    odd: object, catalog: SqlCatalog
) -> None:
    store = MemoryStore("main")
    for one in (odd, LINE):
        body = json.dumps(one).encode() + b"\n"
        name = f"{hashlib.sha256(body).hexdigest()}.jsonl"
        store.put(f"spanstore.events/north/2026-01-05/{name}", body, "", {})
    done = EventKeeper(catalog, "north").take_back([store])
    assert (done.events, len(done.damaged)) == (1, 1)


class Hiding(MemoryStore):
    """A store that does not give what it lists, for a moment."""

    hides = ""

    def head(self, key: str) -> ObjectInfo | None:
        return None if self.hides == "head" else super().head(key)

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        if self.hides == "read":
            raise CopyMissing("no such object")
        return super().read(key, offset, length)


@pytest.mark.parametrize("how", ["head", "read"])
def test_documents_that_are_listed_and_not_given_are_not_taken_for_none(
    how: str, catalog: SqlCatalog
) -> None:
    """A catalog that was lost would delete what they hold."""
    store = Hiding("main")
    write_kept(store, "north", KeptDocuments(7, NOW, WHOLE))
    keeper, store.hides = Keeper(catalog, "north"), how
    with pytest.raises(StoreUnavailable, match="is not given"):
        keeper.newest([store])
    assert keeper.behind([store]) == "", "nobody knows"
    store.hides = ""
    assert "older than store main" in keeper.behind([store])


def test_nothing_is_deleted_in_a_store_that_does_not_say_what_documents_it_keeps(
    catalog: SqlCatalog,
) -> None:
    store = Hiding("main")
    write_kept(store, "north", KeptDocuments(7, NOW, WHOLE))
    keeper, store.hides = Keeper(catalog, "north"), "read"
    assert keeper.behind([store]) == ""
    with pytest.raises(StoreUnavailable):
        keeper.doubt(store)
    store.hides = ""
    assert "older than store main" in keeper.doubt(store)
    keeper.settle(store, NOW)
    assert keeper.doubt(store) == ""
