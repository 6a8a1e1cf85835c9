"""Footage up: one segment that cannot be sent keeps no other waiting."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from click.testing import CliRunner

from policies.replicate import Transfer
from recorder.catalog.sql import SqlCatalog
from recorder.cli import recorder as commands
from recorder.errors import (
    DigestMismatch,
    NotAllowed,
    SiteUnreachable,
    StoreUnavailable,
)
from recorder.model.media import Segment
from recorder.model.places import PARENT
from recorder.ports import SiteBeat
from recorder.ship.rests import BACKOFF_S, REST_S
from recorder.sites.link import Link
from recorder.sites.linked import LinkSettings
from recorder.sites.replied import refused
from recorder.sites.unsent import MOST_IN_A_ROW
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import T0, segment


class Parent:
    """A parent that checks what it gets, and may be away or refuse all."""

    url = "memory:"

    def __init__(self) -> None:
        self.has: dict[str, bytes] = {}
        self.tries: list[str] = []
        self.asked: list[str] = []
        self.sent: list[tuple[str, int]] = []
        self.away: Exception | None = None
        self.stored = True

    def standing(self, key: str, digest: str = "") -> tuple[int, str]:
        if self.away is not None:
            raise self.away
        self.asked.append(digest)
        return len(self.has.get(key, b"")), "main" if key in self.has and self.stored else ""

    def send(self, key: str, offset: int, size: int, digest: str, body: Iterator[bytes]) -> bool:
        self.tries.append(key)
        self.sent.append((key, offset))
        whole = self.has.get(key, b"")[:offset] + b"".join(body)
        if hashlib.sha256(whole).hexdigest() != digest:
            raise DigestMismatch(f"site sub refuses: send {key}: not what was announced")
        self.has[key] = whole
        return True


class Child:
    """A site with six segments in its store, all wanted above."""

    def __init__(self) -> None:
        self.clock, self.parent = FakeClock(T0), Parent()
        self.catalog, self.store = SqlCatalog("sqlite://"), MemoryStore("main")
        self.reads: Callable[[str, int, int], Iterator[bytes]] = self.store.read
        self.link = Link(
            self.parent, self.catalog, self.store, self.clock,  # type: ignore[arg-type]
            LinkSettings("post1", "post", "memory:"),
            lambda one, offset, left: self.reads(one.key, offset, left), self.no_thin,
        )  # fmt: skip
        self.segments = [self._record(i) for i in range(6)]

    @staticmethod
    def no_thin(_: Segment) -> tuple[Path, Segment]:
        raise AssertionError

    def _record(self, i: int) -> Segment:
        body = bytes([i]) * 1000
        one = segment(60 * i, digest=hashlib.sha256(body).hexdigest())
        self.store.put(one.key, body, "video/mp4", {})
        self.catalog.commits.add_segment(one, "main", "", T0)
        return one

    @staticmethod
    def transfer(one: Segment) -> Transfer:
        return Transfer(
            one.stream, one.start, one.end, one.writer, 1000, "sub", "normal", None, "r"
        )

    def carry(self) -> int:
        wanted = [self.transfer(one) for one in self.segments if one.key not in self.parent.has]
        return self.link.carry(wanted, self.clock.monotonic() + 5)

    def unsent(self) -> int:
        return int(self.link.uplink.unsent.facts.get("count", 0))


@pytest.fixture
def child() -> Child:
    return Child()


def keys(segments: list[Segment]) -> set[str]:
    return {one.key for one in segments}


def test_a_segment_that_is_gone_or_altered_keeps_no_other_waiting(child: Child) -> None:
    gone, altered, *well = child.segments
    child.store.delete([gone.key])
    child.store.put(altered.key, b"?" * 1000, "video/mp4", {})
    child.carry()
    assert set(child.parent.has) == keys(well)
    assert child.unsent() == 2
    assert child.parent.tries.count(altered.key) == 1
    assert set(child.parent.asked) >= {one.digest for one in well}, "each is asked for by it"


def test_what_failed_by_itself_is_tried_again_after_growing_pauses(child: Child) -> None:
    altered = child.segments[0]
    child.store.put(altered.key, b"?" * 1000, "video/mp4", {})
    for _ in range(60):
        child.carry()
        child.clock.sleep(1)
    assert child.parent.tries.count(altered.key) == 4, f"at 0 and after {REST_S[:3]} s"
    child.store.put(altered.key, bytes([0]) * 1000, "video/mp4", {})
    child.clock.sleep(REST_S[3])
    child.carry()
    assert altered.key in child.parent.has
    assert child.unsent() == 0


def test_a_segment_altered_in_the_store_is_suspected_and_one_that_is_gone_is_not_called_so(
    child: Child,
) -> None:
    gone, altered, *_ = child.segments
    child.store.delete([gone.key])
    child.store.put(altered.key, b"?" * 1000, "video/mp4", {})
    child.carry()
    suspects = child.catalog.integrity.suspects("main", child.clock.now() + 1, 10)
    assert [copy.segment.key for copy in suspects] == [altered.key]


def test_a_segment_whose_read_breaks_off_alone_does_not_end_the_round(child: Child) -> None:
    bad, *well = child.segments

    def reads(key: str, offset: int, left: int) -> Iterator[bytes]:
        if key == bad.key:
            raise StoreUnavailable("broke off")
        return child.store.read(key, offset, left)

    child.reads = reads
    child.carry()
    assert set(child.parent.has) == keys(well)


def test_a_store_that_gives_nothing_ends_the_round_and_all_is_sent_once_it_is_back(
    child: Child,
) -> None:
    tries: list[str] = []

    def away(key: str, _: int, __: int) -> Iterator[bytes]:
        tries.append(key)
        raise StoreUnavailable("away")

    child.reads = away
    with pytest.raises(StoreUnavailable):
        child.carry()
    assert len(tries) == MOST_IN_A_ROW
    for _ in range(600):  # ten minutes
        with contextlib.suppress(StoreUnavailable):
            child.carry()
        child.clock.sleep(1)
    child.reads = child.store.read
    child.clock.sleep(BACKOFF_S[-1])
    child.carry()
    assert set(child.parent.has) == keys(child.segments)


def test_reads_that_break_off_between_others_that_do_not_are_not_the_store_s(child: Child) -> None:
    bad = keys(child.segments[::2])

    def reads(key: str, offset: int, left: int) -> Iterator[bytes]:
        if key in bad:
            raise StoreUnavailable("broke off")
        return child.store.read(key, offset, left)

    child.reads = reads
    assert len(bad) == MOST_IN_A_ROW
    child.carry()
    assert set(child.parent.has) == keys(child.segments[1::2])


def test_a_transfer_that_is_whole_above_and_not_stored_is_ended_once_and_then_waited_for(
    child: Child,
) -> None:
    one = child.segments[0]
    child.segments = [one]
    child.parent.has[one.key] = b"".join(child.store.read(one.key, 0, 1000))
    child.parent.stored = False
    for _ in range(5):
        child.link.carry([child.transfer(one)], child.clock.monotonic() + 5)
    assert child.parent.sent == [(one.key, 1000)]


@pytest.mark.parametrize("exc", [SiteUnreachable("cut"), NotAllowed("does not ship")])
def test_a_parent_that_does_not_answer_or_takes_nothing_ends_the_round(
    child: Child, exc: Exception
) -> None:
    child.parent.away = exc
    with pytest.raises(type(exc)):
        child.carry()
    child.parent.away = None
    child.clock.sleep(2)
    child.carry()
    assert set(child.parent.has) == keys(child.segments)


def test_what_is_not_wanted_any_more_is_not_told_of_any_more(child: Child) -> None:
    child.store.delete([child.segments[0].key])
    child.carry()
    assert "no such object" in str(child.link.uplink.unsent.facts["why"])
    assert child.link.plan() == [], "no policy, so nothing is wanted"
    assert child.link.uplink.unsent.facts == {}


def problem(title: str, status: int) -> urllib3.HTTPResponse:
    return urllib3.HTTPResponse(json.dumps({"title": title, "detail": "x"}).encode(), status=status)


def test_an_answer_about_the_bytes_is_the_segment_s_fault_and_no_other_is() -> None:
    assert isinstance(refused("sub", "send", problem("DigestMismatch", 500)), DigestMismatch)
    for title in ("CopyMissing", "CatalogUnavailable", "RecorderError"):
        assert isinstance(refused("sub", "send", problem(title, 500)), SiteUnreachable)


def test_the_tree_shows_what_cannot_be_sent(tmp_path: Path) -> None:
    settings = tmp_path / "recorder.yaml"
    settings.write_text(f"site: sub\nnode: n1\ndata: {tmp_path / 'data'}\n")
    url = f"sqlite:///{tmp_path / 'data' / 'catalog.db'}"
    (tmp_path / "data").mkdir()
    facts: dict[str, Any] = {"unsent": {"count": 2, "why": "read x: no such object"}}
    catalog = SqlCatalog(url)
    for name in ("post1", PARENT):
        catalog.sites.put(SiteBeat(name, "post", "http://x", T0, facts))
    said = CliRunner().invoke(commands, ["--config", str(settings), "site"]).output
    assert said.count("2 segments cannot be sent up, the last: read x: no such object") == 2
