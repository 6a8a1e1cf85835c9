"""Signed notes: checkpoints, keys, and who vouches for them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.audit.entry import Entry, Result, Subject, canonical, read_entry, write_entry
from recorder.audit.note import (
    COSIGNATURE,
    BadNote,
    Checkpoint,
    Key,
    cosign,
    read_checkpoint,
    read_key,
)
from recorder.model.caller import Caller, CallerKind
from recorder.model.timebase import SECOND, TimeRange
from tests.support.make import T0

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = Key("spanstore/north/1f", PRIVATE.public_key().public_bytes_raw())
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
POINT = Checkpoint(KEY.name, 7, bytes(32)).signed(KEY, PRIVATE.sign)


def test_the_example_of_the_specification_is_read_and_holds() -> None:
    """Source: C2SP signed-note, "Example"; its key is PeterNeumann+c74f20a3+…"""
    key = read_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    signature = read_checkpoint(
        "x\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvI"
        "AQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    ).signatures[0]
    assert signature.key_id == key.id
    assert key.verifies(text.encode(), signature.body)


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    assert read_checkpoint(POINT.note) == POINT
    assert POINT.note.startswith(f"{KEY.name}\n7\n")
    assert POINT.by(KEY)
    assert read_key(str(KEY)) == KEY


def test_neither_another_key_nor_a_changed_text_passes() -> None:
    other = Key(KEY.name, OTHER.public_key().public_bytes_raw())
    assert not POINT.by(other)
    assert not Checkpoint(KEY.name, 8, bytes(32), (), POINT.signatures).by(KEY)
    forged = Checkpoint(KEY.name, 7, bytes(32)).signed(KEY, OTHER.sign)
    assert not forged.by(KEY), "its line names our key, and is another's"


def test_a_countersignature_holds_for_its_time_and_its_checkpoint_alone() -> None:
    key = Key("spanstore/centre/witness", OTHER.public_key().public_bytes_raw(), COSIGNATURE)
    line = cosign(POINT, key, OTHER.sign, 1_800_000_000)
    both = POINT.joined(line)
    assert read_checkpoint(both.note).by(key)
    assert both.by(KEY)
    assert (
        both.joined(cosign(POINT, key, OTHER.sign, 1_800_000_060)).signatures[0]
        == (POINT.signatures[0])
    )
    later = bytes([line.body[0] ^ 1]) + line.body[1:]
    assert not key.verifies(POINT.text, later)
    assert not key.verifies(b"x" + POINT.text, line.body)
    assert not Key(key.name, key.public).verifies(POINT.text, line.body[8:]), "nor as a log's"


@pytest.mark.parametrize(
    "note",
    ["", "a\n1\n", "a\n01\nAA==\n\n— a AAAAAAAA\n", "a\n1\nAA==\n\n— a AAAAAAAA\n",
     POINT.note.replace("—", "-"), POINT.note.rstrip() + "!\n"],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(BadNote):
        read_checkpoint(note)


def test_a_key_with_another_id_is_refused() -> None:
    with pytest.raises(BadNote, match="its id is"):
        read_key(str(KEY).replace(KEY.id.hex(), "00000000"))


ENTRY = Entry(
    T0 + 1,
    Caller(CallerKind.USER, "ana", "10.0.0.7", "s1", "accident 7"),
    "footage.clip",
    Subject("north", "gate", "main", TimeRange(T0, T0 + SECOND)),
    Result.ALLOWED,
    {"format": "mp4", "bytes": 7},
)


def test_the_bytes_of_an_entry_stay_what_they_are() -> None:
    """Once written they are signed for ever: another version gets another ``v``."""
    assert write_entry(ENTRY, "north", "n1") == (
        b'{"action":"footage.clip","at":"2026-01-05T14:03:07.000000001Z",'
        b'"details":{"bytes":7,"format":"mp4"},"node":"n1","purpose":"accident 7",'
        b'"result":"allowed","site":"north","subject":{"camera":"gate",'
        b'"end":"2026-01-05T14:03:08.000000000Z","site":"north",'
        b'"start":"2026-01-05T14:03:07.000000000Z","stream":"main"},"v":1,'
        b'"who":{"address":"10.0.0.7","kind":"user","name":"ana","session":"s1"}}'
    )


def test_an_entry_is_read_as_it_was_written() -> None:
    assert read_entry(write_entry(ENTRY, "north", "n1")) == ENTRY
    for raw in (b"", b"[]", b"{}", b'{"who":1}'):
        with pytest.raises(ValueError, match="entry"):
            read_entry(raw)


def test_an_entry_is_never_longer_than_a_bundle_takes() -> None:
    who = Caller(CallerKind.USER, "ä" * 5000, "", "", "ö" * 5000)
    details = {str(number): "x" * 500 for number in range(200)}
    raw = write_entry(Entry(T0, who, "a.b", Subject(name="n" * 5000), details=details), "n", "n1")
    assert len(raw) < 40_000
    assert b"left_out_bytes" in raw


def test_fractions_and_large_numbers_stand_as_texts() -> None:
    raw = write_entry(Entry(T0, ENTRY.caller, "a.b", details={"x": 0.1, "y": 1 << 60}), "n", "n1")
    assert b'"x":"0.1","y":"1152921504606846976"' in raw
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
