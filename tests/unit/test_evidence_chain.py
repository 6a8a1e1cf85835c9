"""Bundles of evidence: that segments are those that were sealed, and none is left out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.audit.note import read_checkpoint
from recorder.evidence.chain import GENESIS, read_link, write_link
from recorder.evidence.chained import check_part, read_runs
from recorder.evidence.manifest import CHECKPOINT, NAME, Part, read
from recorder.evidence.verdict import Verdict
from recorder.model.keys import StreamId
from tests.support.bundles import kinds, lie, look, natives, sign_again
from tests.support.exhibit import Exhibit
from tests.support.make import segment


def test_a_segment_that_was_replaced_since_it_was_sealed_is_named(
    exhibit: Exhibit, bundle: Path
) -> None:
    path = natives(bundle)[2]
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 0x01
    path.write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    verdict = lie(
        bundle, exhibit, lambda body: body["cameras"][0]["segments"][2].update(sha256=digest)
    )
    assert "chain" in kinds(verdict)


Chained = Callable[[list[dict[str, Any]]], object]
FORGED: dict[str, Chained] = {
    "a link is gone": lambda runs: runs[0]["links"].pop(1),
    "links in another order": lambda runs: runs[0]["links"].reverse(),
    "another entry": lambda runs: runs[0].update(entry=runs[0]["entry"].replace("n1", "n2")),
    "another place": lambda runs: runs[0]["batch"].update(leaf=0),
    "another log": lambda runs: runs[0]["log"].update(leaf=0),
    "another way of writing": lambda runs: runs[0]["links"].append(runs[0]["links"][0] + " "),
    "links that are no lines": lambda runs: runs[0].update(links=[1]),
    "details that are none": lambda runs: runs[0].update(
        entry=json.dumps({**json.loads(runs[0]["entry"]), "details": []})
    ),
    "no runs": lambda runs: runs[0].clear(),
}


@pytest.mark.parametrize("name", FORGED)
def test_links_that_were_tampered_with_are_named(exhibit: Exhibit, bundle: Path, name: str) -> None:
    (path,) = (bundle / "chain").iterdir()
    runs = json.loads(path.read_text())
    FORGED[name](runs)
    path.write_text(json.dumps(runs))
    sign_again(bundle, exhibit.app.press.signer())
    assert "chain" in kinds(look(bundle)), name


def test_links_prove_since_when_the_log_has_them_and_what_lies_beyond_the_range(
    exhibit: Exhibit, whole: Path, tmp_path: Path
) -> None:
    said = "those that were sealed, in that order, none between them left out"
    assert any(said in one for one in look(whole).proven)
    assert not any("right before the range" in one for one in look(whole).unproven)
    all_of_it = look(exhibit.bundle(tmp_path / "all", start_s=-1, end_s=40))
    assert all_of_it.whole
    assert any("right before the range" in one for one in all_of_it.unproven)


def test_segments_that_were_recorded_before_there_were_links_are_said_to_have_none(
    exhibit: Exhibit, bundle: Path
) -> None:
    shutil.rmtree(bundle / "chain")
    sign_again(bundle, exhibit.app.press.signer())
    verdict = look(bundle)
    assert verdict.whole
    assert any("no link of theirs" in one for one in verdict.unproven)


def test_links_of_another_stream_prove_nothing_of_this_one(whole: Path) -> None:
    (path,) = (whole / "chain").iterdir()
    part = Part(StreamId("north", "cam08", "main"), (), ())
    checkpoint = read_checkpoint((whole / CHECKPOINT).read_text())
    body = read((whole / NAME).read_bytes())
    faults = list(check_part(part, read_runs(path.read_bytes()), body.asked, checkpoint, Verdict()))
    assert {one.detail for one in faults} >= {
        f"north/cam08/main: link {number} is of north/cam07/main" for number in range(8)
    }


def test_a_line_has_one_way_of_being_written() -> None:
    line = write_link(segment(), 0, GENESIS)
    assert read_link(line).key == segment().key
    for other in (line + b" ", line.replace(b":", b": "), line.replace(b"cam07", b"c\\u0061m07")):
        with pytest.raises(ValueError, match="another way"):
            read_link(other)
    for lacking in (b"{}", b"[]", b"1", b"", line.replace(b'"v":1', b'"v":2')):
        with pytest.raises(ValueError, match=r"link|Expecting"):
            read_link(lacking)
