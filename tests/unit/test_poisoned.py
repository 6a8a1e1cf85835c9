"""What lies in a store and says what none can: left out by itself, whatever it says."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import pytest

from recorder.bmff.boxes import box
from recorder.bmff.footer import FOOTER_ID, MAGIC, read_footer
from recorder.bmff.fragments import mfra_size
from recorder.catalog.sql import SqlCatalog
from recorder.ingest.leftovers import Leftovers
from recorder.model.media import Segment
from recorder.model.timebase import DAY
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
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
