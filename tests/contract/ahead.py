"""What was noted by a clock that was ahead, and is right again, must not wait for that time."""

from __future__ import annotations

from recorder.catalog.sql import SqlCatalog
from recorder.model.media import Copy
from recorder.model.timebase import DAY, HOUR, MINUTE
from recorder.ports import AuditEntry
from tests.support.make import STREAM, T0, segment

MONTH = 30 * DAY
PLACE = "main"


class AheadContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_what_was_marked_by_a_clock_that_was_ahead_is_marked_from_now_on(
        self, catalog: SqlCatalog
    ) -> None:
        one = segment()
        catalog.commits.add_segment(one, PLACE, "", T0)
        catalog.deletion.condemn([Copy(one, PLACE)], T0 + MONTH, [])
        assert catalog.deletion.take_due(PLACE, T0 - DAY, T0, 9) == [], "its grace begins"
        assert catalog.deletion.take_due(PLACE, T0 - 1, T0 + DAY - 1, 9) == []
        assert len(catalog.deletion.take_due(PLACE, T0, T0 + DAY, 9)) == 1
        catalog.deletion.postpone([Copy(one, PLACE)], T0 + MONTH + HOUR)
        assert len(catalog.deletion.take_due(PLACE, T0, T0 + DAY + 1, 9)) == 1
        catalog.deletion.postpone([Copy(one, PLACE)], T0 + DAY + HOUR)
        assert catalog.deletion.take_due(PLACE, T0, T0 + DAY + 2, 9) == [], "the store refused"

    def test_what_was_recorded_or_let_go_by_a_clock_that_was_ahead_is_not_of_this_hour(
        self, catalog: SqlCatalog
    ) -> None:
        segments = [segment(start) for start in (0, 60, MONTH // 10**9)]
        for one in segments:
            catalog.commits.add_segment(one, PLACE, "", one.end)
        now, marked = T0 + 2 * MINUTE, [Copy(one, PLACE) for one in segments[:2]]
        for copy, at in zip(marked, (now, now + MONTH), strict=True):
            own = copy.segment
            entry = AuditEntry(
                at, "condemn", STREAM, own.key, PLACE, own.range, 1000, "r", "old", 1
            )
            catalog.deletion.condemn([copy], at, [entry])
        assert catalog.planning.going_bytes(PLACE, now - HOUR, now) == (0, 1000)
        found = catalog.planning.stored(PLACE, now - DAY, now - MINUTE, now)
        assert found.bytes == 3000
        assert (found.recent_bytes, found.late_bytes, found.oldest_recent) == (2000, 0, T0)
        late = catalog.planning.stored(PLACE, now - DAY, now - HOUR, now)
        assert late.late_bytes == 2000

    def test_a_lease_taken_by_a_clock_that_was_ahead_is_over(self, catalog: SqlCatalog) -> None:
        catalog.leases.take("n1", ["a"], [], T0 + MONTH, T0 + MONTH + MINUTE)
        taken = catalog.leases.take("n2", ["a"], [], T0, T0 + MINUTE)["a"]
        assert (taken.node, taken.term) == ("n2", 2)
        assert catalog.leases.take("n1", ["a"], ["a"], T0, T0 + MINUTE)["a"].node == "n2"

    def test_what_was_found_missing_by_a_clock_that_was_ahead_is_asked_for_again(
        self, catalog: SqlCatalog
    ) -> None:
        copies = [Copy(segment(start), PLACE) for start in (0, 60)]
        for copy, at in zip(copies, (T0 + MINUTE, T0 + MONTH), strict=True):
            catalog.commits.add_segment(copy.segment, PLACE, "", T0)
            catalog.integrity.mark_damaged([copy], at)
        assert [one.segment for one in catalog.integrity.suspects(PLACE, T0, 9)] == [segment(60)]
