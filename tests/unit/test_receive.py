"""Footage from a site below: what is taken for whose, how much of it, and where it lies then."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.bmff.footer import build_footer
from recorder.bmff.fragments import build_mfra
from recorder.catalog.sql import SqlCatalog
from recorder.config import Settings
from recorder.errors import (
    BadDocument,
    DigestMismatch,
    IndexCorrupt,
    KeyTaken,
    NotAllowed,
    RequestError,
    TooLarge,
)
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import Copy, InitInfo, Segment, TrackInfo
from recorder.model.timebase import DAY, HOUR, SECOND
from recorder.ports import SiteBeat
from recorder.segment.meta import footer_meta
from recorder.sites.announced import Announced, read_announced
from recorder.sites.receive import Receiver
from recorder.spool.disk import Spool
from tests.support.access import ask
from tests.support.clock import FakeClock
from tests.support.make import T0, segment, table

GUEST = StreamId("post1", "gate", "main")
DIGEST = "0" * 64


@dataclass(frozen=True)
class Sent:
    """A file as a child sends it: what it announces, and its bytes."""

    announced: Announced
    body: bytes


def make(key: str = "", **more: Any) -> Sent:
    """Make a file whose footer says what a segment does, but for ``more``."""
    one = segment(0, 10, stream=GUEST, frames=50, init_bytes=100)
    frames = table(50)
    meta = {**footer_meta(one, "n1", 1, "file:test", ""), **more}
    init = InitInfo(100, 90000, (TrackInfo(1, "video", 90000, "avc1", b""),), "d")
    body = b"\0" * frames.ends[-1] + build_footer(meta, frames) + build_mfra(frames, init)
    digest = hashlib.sha256(body).hexdigest()
    key = key or segment_key(str(GUEST), one.start, "n1.1", one.counter)
    return Sent(Announced(key, 0, len(body), digest, "post1"), body)


@dataclass(frozen=True)
class Centre:
    receiver: Receiver
    spool: Spool
    catalog: SqlCatalog
    arrived: list[Segment]

    def files(self) -> list[str]:
        return [path.name for path in self.spool.root.parent.rglob("*") if path.is_file()]


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    catalog, spool, arrived = SqlCatalog("sqlite://"), Spool(tmp_path / "spool"), list[Segment]()
    for name, facts in (("post1", {}), ("sub", {}), ("post2", {"parent": "sub"}), ("..", {})):
        catalog.sites.put(SiteBeat(name, "post", "", T0, facts))
    receiver = Receiver(
        spool,
        catalog,
        FakeClock(T0 + HOUR),
        "n9",
        "here",
        lambda: 1 << 30,
        arrived.append,
    )
    yield Centre(receiver, spool, catalog, arrived)
    catalog.close()


def test_footage_is_taken_in_under_the_key_that_its_footer_gives(centre: Centre) -> None:
    sent = make()
    assert centre.receiver.append(sent.announced, [sent.body[:1000], sent.body[1000:]])
    assert [one.key for one in centre.arrived] == [sent.announced.key]
    path = centre.spool.path_of(sent.announced.key)
    assert path is not None
    assert path.read_bytes() == sent.body


def test_something_else_under_a_known_key_is_not_said_to_be_here(centre: Centre) -> None:
    """Whoever sends it would let its own go."""
    sent, other = make(), make(source="file:another")
    key = sent.announced.key
    assert other.announced.key == key
    assert other.body != sent.body
    assert centre.receiver.append(sent.announced, [sent.body])
    for place in ("", "main"):
        if place:
            centre.catalog.commits.add_segment(centre.arrived[0], place, "", T0)
            centre.spool.shipped(key)
        assert centre.receiver.standing(key, sent.announced.digest) == (len(sent.body), place)
        assert centre.receiver.standing(key, other.announced.digest) == (0, "")
        with pytest.raises(KeyTaken, match="something else"):
            centre.receiver.append(other.announced, [other.body])
        assert centre.receiver.append(sent.announced, []), "the one that is here is"
    path = centre.spool.path_of(key)
    assert path is not None
    assert path.read_bytes() == sent.body


def test_what_is_damaged_here_is_taken_in_again(centre: Centre) -> None:
    sent = make()
    key, catalog = sent.announced.key, centre.catalog
    assert centre.receiver.append(sent.announced, [sent.body])
    (one,) = centre.arrived
    catalog.commits.add_segment(one, "main", "", T0)
    centre.spool.shipped(key)
    assert centre.receiver.standing(key) == (one.size_bytes, "main")
    catalog.integrity.mark_damaged([Copy(one, "main")], T0)
    assert centre.receiver.standing(key) == (0, ""), "nor is the spool's link to the same file"
    assert centre.receiver.append(sent.announced, [sent.body])
    assert centre.receiver.standing(key) == (one.size_bytes, ""), "it waits for the store"
    catalog.commits.add_segment(one, "main", "", T0 + HOUR)
    centre.spool.shipped(key)
    assert centre.receiver.standing(key) == (one.size_bytes, "main")


@pytest.mark.parametrize(
    "change", [{"site": "post2"}, {"site": "here"}, {"camera": "yard"}, {"stream": "sub"},
               {"start_ns": T0 - 4 * HOUR}, {"node": "n2"}, {"term": 2}, {"counter": 7},
               {"writer": "n1.1/x"}, {"end_ns": T0 + 2 * DAY}, {"end_ns": T0}, {"counter": "0"},
               {"start_ns": None}, {"timescale": 0}, {"width": 10**30}, {"codecs": 5}],
)  # fmt: skip
def test_a_footer_that_is_not_its_keys_is_refused_and_nothing_is_left(
    change: dict[str, Any], centre: Centre
) -> None:
    sent = make(**change)
    with pytest.raises((BadDocument, IndexCorrupt), match="footer"):
        centre.receiver.append(sent.announced, [sent.body])
    assert (centre.arrived, centre.files()) == ([], [])
    assert centre.catalog.counts()["segment"] == 0


@pytest.mark.parametrize(
    ("site", "child", "taken"),
    [("post1", "post1", True), ("post1", "", True), ("post2", "sub", True),
     ("post2", "post1", False), ("ghost", "", False), ("ghost", "post1", False),
     ("sub", "", True), ("here", "", False), ("here", "here", False)],
)  # fmt: skip
def test_a_child_sends_footage_of_itself_and_of_what_lies_below_it(
    site: str, child: str, taken: bool, centre: Centre
) -> None:
    key = make().announced.key.replace("post1", site)
    sent = make(key, site=site)
    announced = replace(sent.announced, child=child)
    if taken:
        assert centre.receiver.append(announced, [sent.body])
        return
    with pytest.raises(NotAllowed):
        centre.receiver.append(announced, [sent.body])
    assert centre.files() == []


@pytest.mark.parametrize(
    "key",
    [
        "evil/c/main/2026-11-25/../../../x/10/29-00.000000Z.1.mp4",
        "evil/../main/2026-11-25/n.1/10/29-00.000000Z.1.mp4",
        "../c/main/2026-11-25/n.1/10/29-00.000000Z.1.mp4",
        "post1/c/main/2026-11-25/n\0.1/10/29-00.000000Z.1.mp4",
        "post1/c/main/2026-11-25/" + "n" * 300 + "/10/29-00.000000Z.1.mp4",
        "post1/main/2026-11-25/n.1/10/29-00.000000Z.1.mp4",
        "post1/c/main/2026-11-25/n.1/10/29-00.000000Z.1.mp4_end",
    ],
)
def test_no_key_leaves_the_spools_folder(key: str, centre: Centre) -> None:
    sent = make(key)
    with pytest.raises(BadDocument):
        centre.receiver.append(sent.announced, [sent.body])
    with pytest.raises(BadDocument):
        centre.receiver.standing(key)
    assert centre.files() == []


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "a\0", ""])
def test_the_spool_joins_nothing_that_leaves_its_folder(key: str, centre: Centre) -> None:
    part = centre.spool.root / "incoming" / "x.part"
    part.touch()
    for join in (
        centre.spool.path_of,
        centre.spool.mark_end,
        lambda k: centre.spool.take_in(part, k),
    ):
        with pytest.raises(RequestError):
            join(key)


def test_a_part_that_was_whole_when_the_process_died_is_taken_in_when_it_is_asked_for(
    centre: Centre,
) -> None:
    sent = make()
    key, size = sent.announced.key, sent.announced.size
    centre.spool.incoming.part_of(key).write_bytes(sent.body)
    assert centre.receiver.standing(key) == (size, "")
    assert centre.receiver.append(replace(sent.announced, offset=size), [])
    assert [one.key for one in centre.arrived] == [key]
    path = centre.spool.path_of(key)
    assert path is not None
    assert path.read_bytes() == sent.body
    assert centre.receiver.append(replace(sent.announced, offset=size), []), "asked once more"
    assert len(centre.arrived) == 1


def test_one_that_goes_where_what_is_stored_lies_as_it_is_asked_for_is_here(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = make()
    key, size = sent.announced.key, sent.announced.size
    assert centre.receiver.append(sent.announced, [sent.body])
    stat = Path.stat

    def moved(self: Path, **more: Any) -> os.stat_result:
        found = stat(self, **more)
        if self == centre.spool.root / "sealed" / key:
            monkeypatch.setattr(Path, "stat", stat)
            centre.spool.shipped(key)
        return found

    monkeypatch.setattr(Path, "stat", moved)
    assert centre.receiver.standing(key) == (size, "")


@pytest.mark.parametrize("more", [b"", b"more"])
def test_a_part_that_is_not_what_was_announced_is_dropped_when_it_is_asked_for(
    more: bytes, centre: Centre
) -> None:
    sent = make()
    key, size = sent.announced.key, sent.announced.size
    centre.spool.incoming.part_of(key).write_bytes(b"?" * size + more)
    with pytest.raises(TooLarge if more else DigestMismatch):
        centre.receiver.append(replace(sent.announced, offset=size), [])
    assert centre.receiver.standing(key) == (0, "")
    assert centre.receiver.append(sent.announced, [sent.body])


def test_no_byte_more_than_announced_is_written(centre: Centre) -> None:
    came = 0

    def blocks() -> Iterator[bytes]:
        nonlocal came
        for _ in range(1000):
            came += 1
            yield b"\0" * 10

    sent = make()
    with pytest.raises(TooLarge):
        centre.receiver.append(replace(sent.announced, size=25), blocks())
    assert came == 3
    assert centre.files() == []


@pytest.mark.parametrize(
    ("offset", "size", "digest", "child"),
    [("0", "0", DIGEST, ""), ("0", "-5", DIGEST, ""), ("", "5", DIGEST, ""), ("0", "", DIGEST, ""),
     ("6", "5", DIGEST, ""), ("-1", "5", DIGEST, ""), ("0", "5", "", ""), ("0", "5", "X" * 64, ""),
     ("0", "5", DIGEST, "a b"), ("0", "５", DIGEST, ""), ("0", "9" * 50, DIGEST, "")],
)  # fmt: skip
def test_headers_of_a_transfer_that_make_no_sense_are_refused(
    offset: str, size: str, digest: str, child: str
) -> None:
    with pytest.raises(RequestError) as caught:
        read_announced("post1/c/main/x", offset, size, digest, child)
    assert caught.value.http_status == 400


def test_a_transfer_is_gone_on_with_where_it_stands(centre: Centre) -> None:
    sent = make()
    assert not centre.receiver.append(sent.announced, [sent.body[:700]])
    assert centre.receiver.standing(sent.announced.key) == (700, "")
    assert centre.receiver.append(replace(sent.announced, offset=700), [sent.body[700:]])
    assert centre.arrived[0].end - centre.arrived[0].start == SECOND * 10


def test_a_node_that_does_not_ship_takes_nothing_in_and_says_which_does(tmp_path: Path) -> None:
    app = App(Settings(site="centre", data=tmp_path, roles=("api",)))
    path, named = f"/api/v1/transfers/{make().announced.key}", {"x-site": "post1"}
    assert ask(app, "HEAD", path, named).status_code == 403
    said = ask(app, "PATCH", path, named, content=b"x")
    app.close()
    assert (said.status_code, "role ship" in said.json()["hint"]) == (403, True)
