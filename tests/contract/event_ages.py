"""What a catalog must do to forget events whose time is over, whatever its database."""

from __future__ import annotations

from dataclasses import replace

from recorder.catalog.sql import SqlCatalog
from recorder.model.media import Copy
from recorder.model.timebase import HOUR, MINUTE, SECOND, TimeRange
from tests.contract.events import ALL, alarm, told
from tests.support.make import STREAM, T0, segment


class EventAgesContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_an_event_is_free_to_go_only_when_nobody_needs_it(self, catalog: SqlCatalog) -> None:
        film = segment(stream=replace(STREAM, camera="gate"))
        catalog.commits.add_segment(film, "main", "", T0)
        inside = alarm("inside", at=film.start + SECOND)
        catalog.events.add(inside, b"jpeg")
        catalog.events.add(alarm("other", at=T0 + 50 * HOUR), None)
        catalog.events.add(replace(alarm("anywhere"), cameras=("gate",)), None)
        catalog.events.add(alarm("owed", at=T0 + 60 * HOUR), None)
        catalog.owed_events.begin("store main")
        catalog.owed_events.settle("store main", [("inside", 1), ("other", 1), ("anywhere", 1)])
        every = ["anywhere", "inside", "other", "owed", "none"]
        ages = catalog.event_ages
        assert ages.free(every) == [], "the parent has not been told"
        told(catalog)
        assert ages.free(every) == ["other"]
        assert ages.expire(every) == 1
        assert ages.known(every) == {"anywhere", "inside", "owed"}
        assert catalog.events.image("inside") == b"jpeg"
        catalog.owed_events.settle("store main", [("owed", 1)])
        assert ages.expire(every) == 1
        catalog.commits.forget([Copy(film, "main")], "purged")
        assert ages.expire(every) == 2
        assert (ages.known(every), ages.oldest()) == (set(), None)
        assert catalog.events.windows(ALL) == []
        assert catalog.events.take([(inside, None)]) == 1, "who still has it may tell of it again"
        assert ages.oldest() == inside.noted

    def test_old_events_are_found_page_by_page_by_when_they_were_noted(
        self, catalog: SqlCatalog
    ) -> None:
        for i in range(5):
            catalog.events.add(alarm(f"e{i}", at=T0 + i * HOUR), None)
        far = replace(alarm("far"), range=TimeRange(T0, T0 + 90 * HOUR))
        catalog.events.add(far, None)
        catalog.events.remove("e1", T0 + HOUR + MINUTE)
        ages, before = catalog.event_ages, T0 + 4 * HOUR
        first = ages.aged(before, (-1, ""), 2)
        rest = ages.aged(before, (first[-1].noted, first[-1].event_id), 9)
        assert [one.event_id for one in (*first, *rest)] == ["e0", "e1", "e2", "e3"]
        assert [one.sites for one in first] == [{"north"}, set()], "removed, it touches none"
        assert ages.aged(T0, (-1, ""), 9) == []
