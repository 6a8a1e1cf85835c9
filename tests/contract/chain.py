"""What a catalog must do for the chains of sealed segments, whatever its database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

from recorder.catalog.sql import SqlCatalog
from recorder.evidence.chain import GENESIS, head_of, read_link
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.ports import ChainLink
from tests.support.make import STREAM, segment

OTHER = StreamId("north", "cam08", "main")


def follow(links: list[ChainLink]) -> list[int]:
    """Prove that links follow one another from the first on; return their numbers."""
    read = [read_link(one.line) for one in links]
    assert read[0].before == GENESIS
    for (first, _), (_, two) in pairwise(zip(links, read, strict=True)):
        assert two.before == head_of(first.line)
    return [one.number for one in read]


def lines_of_a_lost_catalog(made: list[Segment]) -> list[bytes]:
    lost = SqlCatalog("sqlite://", site="north")
    lost.commits.add_segments(made, "spool:n1", 7)
    lines = [one.line for one in lost.chain.waiting(99)]
    lost.close()
    return lines


class ChainContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_each_sealed_segment_has_a_link_that_goes_on_from_the_one_before(
        self, catalog: SqlCatalog
    ) -> None:
        made = [segment(60 * i) for i in range(5)]
        catalog.commits.add_segments(made[:2], "spool:n1", 7)
        catalog.commits.add_segments([made[2], segment(0, stream=OTHER)], "spool:n1", 7)
        catalog.commits.add_segments(made[1:], "spool:n1", 7)  # some of them again
        links = catalog.chain.of([one.id for one in reversed(made)])
        assert follow(links) == [0, 1, 2, 3, 4]
        assert [read_link(one.line).sha256 for one in links] == [one.digest for one in made]
        assert [one.number for one in catalog.chain.waiting(100)] == [0, 1, 2, 3, 4, 0]
        assert len(catalog.chain.waiting(2)) == 2

    def test_what_was_made_of_footage_and_what_nobody_saw_sealed_has_no_link(
        self, catalog: SqlCatalog
    ) -> None:
        below = segment(0, stream=StreamId("post1", "gate", "main"))
        thin = segment(60, writer="n1.1.thin")
        catalog.commits.add_segments([below, thin], "spool:n1", 7)
        catalog.commits.add_segment(segment(120), "main", "", 7)
        assert catalog.chain.waiting(9) == []

    def test_what_came_from_a_site_below_is_linked_in_the_order_of_its_coming(
        self, catalog: SqlCatalog
    ) -> None:
        made = [segment(60 * i, stream=StreamId("post1", "gate", "main")) for i in range(3)]
        for one in (made[1], made[0], made[1], made[2]):
            catalog.commits.add_segment(one, "main", "", 7)
        links = sorted(catalog.chain.of([one.id for one in made]), key=lambda one: one.number)
        assert follow(links) == [0, 1, 2]
        assert [one.id for one in links] == [made[1].id, made[0].id, made[2].id]

    def test_links_come_back_to_the_segments_that_are_cataloged_and_chains_go_on(
        self, catalog: SqlCatalog
    ) -> None:
        made = [segment(60 * i) for i in range(5)]
        lines = lines_of_a_lost_catalog(made[:4])
        found = [(one, "") for one in (*made[:2], replace(made[3], digest="cd" * 32))]
        catalog.rebuilding.put(found, "main", 8)
        assert catalog.chain.take_back(lines, b"a" * 32, 7) == 3, "also of what is another now"
        assert catalog.chain.take_back(lines, b"b" * 32, 7) == 0, "twice is once"
        assert catalog.chain.waiting(9) == []
        catalog.chain.go_on({STREAM: (4, head_of(lines[3]))})
        catalog.chain.go_on({STREAM: (2, head_of(lines[1]))})
        catalog.commits.add_segments([made[4]], "spool:n1", 9)
        links = catalog.chain.of([one.id for one in made])
        assert [one.number for one in links] == [0, 1, 3, 4]
        assert {one.batch for one in links} == {b"a" * 32, b""}
        assert read_link(links[-1].line).before == head_of(lines[3])

    def test_links_of_a_log_that_is_not_signed_any_more_wait_again(
        self, catalog: SqlCatalog
    ) -> None:
        lines = lines_of_a_lost_catalog([segment(0)])
        catalog.rebuilding.put([(segment(0), "")], "main", 8)
        catalog.chain.take_back(lines, b"", 7)
        assert [one.number for one in catalog.chain.waiting(9)] == [0]

    def test_the_link_of_a_segment_that_went_before_it_was_logged_goes_once_it_is(
        self, catalog: SqlCatalog
    ) -> None:
        made = [segment(60 * i) for i in range(3)]
        catalog.commits.add_segments(made, "spool:n1", 7)
        catalog.commits.forget([Copy(made[1], "spool:n1")], "purged")
        waiting = catalog.chain.waiting(9)
        assert [one.number for one in waiting] == [0, 1, 2]
        catalog.chain.log(waiting, b"a" * 32, 8)
        assert [one.number for one in catalog.chain.of([one.id for one in made])] == [0, 2]

    def test_what_is_logged_waits_no_more_and_is_logged_once(self, catalog: SqlCatalog) -> None:
        made = [segment(60 * i) for i in range(3)]
        catalog.commits.add_segments(made, "spool:n1", 7)
        first = catalog.chain.waiting(2)
        catalog.chain.log(first, b"a" * 32, 8)
        assert [one.number for one in catalog.chain.waiting(9)] == [2]
        catalog.chain.log([*first, *catalog.chain.waiting(9)], b"b" * 32, 9)
        found = catalog.chain.of([one.id for one in made])
        assert [(one.batch[:1], one.at) for one in found] == [(b"a", 8), (b"a", 8), (b"b", 9)]
        assert catalog.chain.waiting(9) == []

    def test_the_link_of_what_is_purged_goes_once_it_stands_in_the_log(
        self, catalog: SqlCatalog
    ) -> None:
        made = [segment(60 * i) for i in range(3)]
        catalog.commits.add_segments(made, "spool:n1", 7)
        catalog.chain.log(catalog.chain.waiting(1), b"a" * 32, 8)
        catalog.commits.forget([Copy(one, "spool:n1") for one in made[:2]], "purged")
        assert [one.number for one in catalog.chain.of([one.id for one in made])] == [1, 2]
        catalog.commits.add_segments([segment(180)], "spool:n1", 7)
        assert [one.number for one in catalog.chain.waiting(9)] == [1, 2, 3]

    def test_nodes_that_commit_at_once_make_one_chain(self, catalog: SqlCatalog) -> None:
        def of(node: int) -> list[Segment]:
            writer = f"n{node}.1"
            made = [segment(60 * i, writer=writer) for i in range(8)]
            return [*made, *(replace(one, stream=OTHER) for one in reversed(made))]

        batches = [of(node)[at : at + 4] for node in range(4) for at in range(0, 16, 4)]
        in_memory = catalog.database.shown == "sqlite://"  # one connection, for one thread
        with ThreadPoolExecutor(1 if in_memory else 4) as pool:
            for done in [
                pool.submit(catalog.commits.add_segments, batch, f"spool:n{i}", 7)
                for i, batch in enumerate(batches)
            ]:
                done.result(60)
        for stream in (STREAM, OTHER):
            links = [one for one in catalog.chain.waiting(999) if one.id.stream == stream]
            assert follow(links) == list(range(32))
