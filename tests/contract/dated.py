"""When footage of a wrong clock was committed is known, whatever becomes of it and its catalog."""

from __future__ import annotations

from sqlalchemy import text

from recorder.catalog.dated import AT_ODDS
from recorder.catalog.sql import SqlCatalog
from recorder.janitor.keeping import Keeper
from recorder.model.copies import CopyColumns
from recorder.model.timebase import DAY, HOUR, MINUTE
from recorder.store.memory import MemoryStore
from tests.support.make import STREAM, T0, segment

YEAR = 365 * DAY
NOW = T0 + YEAR


def ages(catalog: SqlCatalog) -> list[int]:
    """Return how old copies at ``main`` are, by start."""
    lanes: list[CopyColumns] = catalog.planning.copy_columns("main")
    return [lane.age(i, NOW) for lane in lanes for i in range(len(lane))]


class DatedContract:
    """Subclassed once per database; each provides ``catalog``."""

    def test_the_clean_points_of_footage_are_as_old_as_that(self, catalog: SqlCatalog) -> None:
        """A clock a year behind: else they would go as soon as they were made."""
        whole, right = segment(0), segment(60, writer="n1.2")
        catalog.commits.add_segments([whole], "spool:n1", NOW - HOUR)
        catalog.commits.add_segments([right], "spool:n1", right.end)
        for one in (whole, right):
            thin = segment((one.start - T0) / 10**9, writer=f"{one.writer}.thin", digest="cd" * 32)
            catalog.commits.add_segment(thin, "main", "", NOW)
        assert ages(catalog) == [HOUR, NOW - right.end]

    def test_what_is_believed_instead_of_another_was_committed_when_that_was(
        self, catalog: SqlCatalog
    ) -> None:
        false = segment(digest="cd" * 32)
        catalog.commits.add_segments([false], "spool:n1", NOW - HOUR)
        catalog.rebuilding.replace(segment(), "", "main", NOW, [])
        assert ages(catalog) == [HOUR]

    def test_a_lost_catalog_learns_from_a_store_when_footage_was_committed(
        self, catalog: SqlCatalog
    ) -> None:
        one, store = segment(), MemoryStore("main")
        lost = SqlCatalog("sqlite://", site=STREAM.site)
        lost.commits.add_segments([one], "main", NOW - HOUR)
        Keeper(lost, STREAM.site).keep([store], NOW - HOUR)
        lost.close()
        assert (
            catalog.rebuilding.put([(one, ""), (segment(60, writer="n1.2"), "")], "main", NOW) == []
        )
        assert min(ages(catalog)) > YEAR - HOUR, "so much older than it is"
        Keeper(catalog, STREAM.site).settle(store, NOW)
        assert ages(catalog)[0] <= HOUR
        assert ages(catalog)[1] > YEAR - HOUR, "another run's clock was right"

    def test_what_is_kept_of_wrong_clocks_is_another_once_a_day(self, catalog: SqlCatalog) -> None:
        right = segment(0, writer="n1.1")
        catalog.commits.add_segments([right], "main", right.end + HOUR)
        assert catalog.kept.take()["dated"] == []
        for minute in range(3):
            one = segment(60 * minute, writer="n1.2")
            catalog.commits.add_segments([one], "main", NOW + minute * MINUTE)
        catalog.progress.put("a sweep", {}, NOW)  # what is sealed alone is looked at with the next
        (row,) = catalog.kept.take()["dated"]
        assert (row["site"], row["writer"]) == (STREAM.site, "n1.2")
        assert row["day_ns"] <= T0 < row["day_ns"] + DAY
        assert 0 <= row["committed_ns"] - NOW <= DAY

    def test_what_wrong_clocks_recorded_is_found_without_reading_all(
        self, catalog: SqlCatalog
    ) -> None:
        database, query = catalog.database, f"SELECT 1 FROM segment WHERE {AT_ODDS}"
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        with database.read() as db:
            if not database.is_sqlite:
                db.execute(text("SET LOCAL enable_seqscan = off"))
            plan = " ".join(str(row) for row in db.execute(text(explain + query)))
        assert "ix_segment_dated" in plan
