"""Which node records what: placement, leases, take-over, hand-over."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from policies.place import place
from recorder.capture.share import LEASE_NS, SECOND_COPY, Share, alive
from recorder.catalog.sql import SqlCatalog
from recorder.clock import SiteClock
from recorder.model.cameras import StreamSource
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND
from recorder.ports import NodeBeat
from tests.support.clock import FakeClock

STREAMS = [f"s/cam{i}/main" for i in range(2000)]


def test_streams_are_shared_by_weight() -> None:
    counts = Counter(place(STREAMS, {"a": 1.0, "b": 1.0, "c": 2.0}).values())
    assert abs(counts["a"] - 500) < 80
    assert abs(counts["c"] - 1000) < 100


@given(st.sets(st.sampled_from("abcdefgh"), min_size=2), st.integers(0, 7))
def test_only_the_streams_of_a_node_that_goes_move(names: set[str], which: int) -> None:
    nodes = {name: 1.0 for name in sorted(names)}
    gone = sorted(names)[which % len(names)]
    before = place(STREAMS[:200], nodes)
    after = place(STREAMS[:200], {name: 1.0 for name in nodes if name != gone})
    assert all(after[stream] == node for stream, node in before.items() if node != gone)


def test_a_node_whose_clock_is_off_neither_takes_nor_loses_what_is_held() -> None:
    true, catalog = FakeClock(1000 * SECOND), SqlCatalog("sqlite://")
    ahead = FakeClock(1060 * SECOND)
    clocks = {"right": SiteClock(true, true.now), "ahead": SiteClock(ahead, true.now)}
    wanted = {StreamId("s", f"cam{i}", "main"): StreamSource(f"file:/{i}") for i in range(20)}
    shares = {
        name: Share(catalog.leases, catalog.nodes, clock, "s", name, lambda _: True)
        for name, clock in clocks.items()
    }
    for _ in range(5):
        held = {}
        for name, share in shares.items():
            facts = {"state": "running", "roles": ["capture"]}
            catalog.nodes.beat(NodeBeat(name, "s", clocks[name].now(), facts))
            held[name] = set(share.choose(wanted))
        true.sleep(2)
        ahead.sleep(2)
    assert held["right"], "not all of them went to the one that is ahead"
    assert held["ahead"]
    assert not held["right"] & held["ahead"]
    assert clocks["ahead"].own_offset_ns == 60 * SECOND, "and it says so"
    assert clocks["right"].own_offset_ns == 0


class Nodes:
    """Some nodes on one catalog; ``settled`` is what each is recording well."""

    def __init__(self, *names: str) -> None:
        self.catalog, self.clock = SqlCatalog("sqlite://"), FakeClock(1000 * SECOND)
        self.settled: dict[str, set[StreamId]] = {name: set() for name in names}
        self.shares = {name: self._share(name) for name in names}
        self.draining: set[str] = set()
        self.full: set[str] = set()
        self.critical: set[StreamId] = set()
        self.wanted = {
            StreamId("s", f"cam{i}", "main"): StreamSource(f"file:/{i}") for i in range(20)
        }

    def _share(self, name: str) -> Share:
        return Share(
            self.catalog.leases,
            self.catalog.nodes,
            self.clock,
            "s",
            name,
            lambda one: one in self.settled[name],
        )

    def step(self, *alive_now: str) -> dict[str, set[StreamId]]:
        """Two seconds pass; each living node beats, chooses, and records what it chose."""
        self.clock.at += 2 * SECOND
        for name in alive_now:
            facts = {"state": "running", "roles": ["capture"], "draining": name in self.draining,
                     "full": name in self.full}  # fmt: skip
            self.catalog.nodes.beat(NodeBeat(name, "s", self.clock.at, facts))
        chosen = {
            name: set(self.shares[name].choose(self.wanted, self.critical)) for name in alive_now
        }
        for name, streams in chosen.items():
            self.settled[name] = streams
        return chosen


def test_every_stream_is_recorded_by_one_node_and_moves_when_it_dies() -> None:
    nodes = Nodes("a", "b")
    for _ in range(6):
        chosen = nodes.step("a", "b")
    assert chosen["a"] | chosen["b"] == set(nodes.wanted)
    assert not chosen["a"] & chosen["b"]
    assert chosen["a"]
    assert chosen["b"]
    for _ in range(LEASE_NS // (2 * SECOND) + 1):
        after = nodes.step("b")
    assert after["b"] == set(nodes.wanted), "within eight seconds"


def test_a_drained_node_stops_a_stream_only_when_the_other_has_it() -> None:
    nodes = Nodes("a", "b")
    for _ in range(6):
        nodes.step("a", "b")
    nodes.draining.add("a")
    for _ in range(8):
        chosen = nodes.step("a", "b")
        assert chosen["a"] | chosen["b"] == set(nodes.wanted), "never nobody"
    assert chosen["a"] == set()


def test_a_node_cut_off_is_not_alive_and_a_silent_one_of_another_site_never_was() -> None:
    beats = [
        NodeBeat("a", "s", 100 * SECOND, {"state": "running", "roles": ["capture"]}),
        NodeBeat("b", "s", 90 * SECOND, {"state": "running", "roles": ["capture"]}),
        NodeBeat("c", "t", 100 * SECOND, {"state": "running", "roles": ["capture"]}),
        NodeBeat("d", "s", 100 * SECOND, {"state": "running", "roles": ["api"]}),
        NodeBeat("e", "s", 100 * SECOND, {"state": "stopped", "roles": ["capture"]}),
    ]
    assert alive(beats, "s", "a", 101 * SECOND) == {"a": 1.0}


def test_a_critical_stream_has_two_nodes_and_never_none_while_they_change() -> None:
    nodes = Nodes("a", "b", "c")
    nodes.critical = set(list(nodes.wanted)[:8])
    for _ in range(6):
        nodes.step("a", "b", "c")
    for living in (("a", "b", "c"), ("b", "c"), ("c",), ("b", "c"), ("a", "b", "c")):
        for step in range(10):
            chosen = nodes.step(*living)
            many = Counter(stream for streams in chosen.values() for stream in streams)
            assert len(living) < 2 or all(many[one] >= 1 for one in nodes.critical), living
            if step == 9:
                wanted = min(2, len(living))
                assert all(many[one] == wanted for one in nodes.critical), living
                assert all(many[one] == 1 for one in nodes.wanted if one not in nodes.critical)
    stream = next(iter(nodes.critical))
    speakers = [name for name in "abc" if stream in chosen[name]
                and nodes.shares[name].speaks_for(stream)]  # fmt: skip
    assert len(speakers) == 1, "one of the two tells its state"


def test_a_node_that_leaves_waits_for_who_goes_on_and_for_nobody_else() -> None:
    clock, catalog = FakeClock(1000 * SECOND), SqlCatalog("sqlite://")
    stream = StreamId("s", "cam", "main")
    shares = {
        name: Share(catalog.leases, catalog.nodes, clock, "s", name, lambda _: True)
        for name in ("a", "b")
    }

    def beat(name: str, *, leaving: bool = False) -> None:
        facts = {"state": "running", "roles": ["capture"], "draining": leaving}
        catalog.nodes.beat(NodeBeat(name, "s", clock.now(), facts))

    beat("a")
    shares["a"].choose({stream: StreamSource("file:/x")}, [stream])
    assert (shares["a"].alone_with([stream]), shares["a"].has_others()) == (True, False)
    beat("b")
    beat("a", leaving=True)
    assert shares["a"].has_others()
    for _ in range(3):
        for share in shares.values():
            share.choose({stream: StreamSource("file:/x")}, [stream])
    assert not shares["a"].alone_with([stream]), "the other has it now"
    shares["a"].held.add(f"{stream}{SECOND_COPY}")
    assert not shares["a"].alone_with([stream]), "nobody goes on with a second copy"
    beat("b", leaving=True)
    assert not shares["a"].has_others(), "all are stopped at once"


def test_a_node_whose_disk_is_full_gives_its_streams_to_one_that_has_room() -> None:
    nodes = Nodes("a", "b")
    for _ in range(6):
        nodes.step("a", "b")
    nodes.full.add("a")
    for _ in range(8):
        chosen = nodes.step("a", "b")
        assert chosen["a"] | chosen["b"] == set(nodes.wanted), "never nobody"
    assert chosen["a"] == set()
    nodes.full.add("b")
    for _ in range(8):
        chosen = nodes.step("a", "b")
    assert chosen["a"], "where all are full each tries"
    assert chosen["b"]
