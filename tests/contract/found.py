"""What readers ask of the catalog's footage all the time."""

from __future__ import annotations

from dataclasses import replace

from recorder.catalog.sql import SqlCatalog
from recorder.model.media import Copy
from recorder.model.timebase import MINUTE, TimeRange
from tests.contract.dated import DatedContract
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, T0 + 10**18)


class FoundContract(DatedContract):
    """Subclassed once per database; each provides ``catalog``."""

    def test_what_a_timeline_is_made_of_comes_at_once(self, catalog: SqlCatalog) -> None:
        hour = 60 * MINUTE
        assert catalog.footage.around(STREAM, ALL, after=True) == ([], [], None, None)
        kept, gone = segment(0), segment(60)
        later = segment(3600, span_start=T0 + hour)
        for one in (kept, gone, later):
            catalog.commits.add_segment(one, "main", "", 7)
        catalog.commits.forget([Copy(gone, "main")], "purged")
        first, second = catalog.footage.spans(STREAM, ALL)
        asked = TimeRange(T0, T0 + 10 * MINUTE)
        found = catalog.footage.around(STREAM, asked, after=True)
        assert [gap.cause for gap in found.gaps] == ["purged"]
        assert found == ([first], catalog.footage.gaps(STREAM, asked), None, second)
        between = TimeRange(T0 + 20 * MINUTE, T0 + 30 * MINUTE)
        assert catalog.footage.around(STREAM, between, after=False) == ([], [], first, None)

    def test_what_lies_in_a_range_is_counted(self, catalog: SqlCatalog) -> None:
        assert catalog.footage.amount(STREAM, ALL) == (0, 0)
        found = [segment(60 * i, size_bytes=10**12 + i) for i in range(4)]
        for one in (*found, segment(stream=replace(STREAM, camera="cam08"))):
            catalog.commits.add_segment(one, "main", "", 7)
        asked = TimeRange(found[1].end - 1, found[3].start)
        assert catalog.footage.amount(STREAM, asked) == (2, 2 * 10**12 + 3)
        assert catalog.footage.segments(STREAM, asked) == found[1:3]

    def test_streams_are_found_by_their_cameras_name(self, catalog: SqlCatalog) -> None:
        others = [replace(STREAM, stream="sub"), replace(STREAM, site="south")]
        for one in (STREAM, *others, replace(STREAM, camera="cam08")):
            catalog.commits.add_segment(segment(stream=one), "main", "", 7)
        assert catalog.footage.streams(STREAM.camera) == [STREAM, *others]
        assert catalog.footage.streams("cam") == []
        assert len(catalog.footage.streams()) == 4

    def test_what_is_missing_between_segments_is_found(self, catalog: SqlCatalog) -> None:
        def at(minute: int) -> TimeRange:
            return TimeRange(T0 + minute * MINUTE, T0 + (minute + 1) * MINUTE)

        found = [segment(60 * i, counter=i) for i in (0, 1, 3, 4, 6)]
        other = replace(STREAM, camera="cam08")
        found += [segment(60 * i, counter=i, stream=other) for i in range(7)]
        for one in found:
            catalog.commits.add_segment(one, "main", "", 7)
        assert catalog.rebuilding.holes(STREAM.site) == {STREAM: [at(2), at(5)]}
        assert catalog.rebuilding.holes("south") == {}
        catalog.rebuilding.open_gaps(STREAM, [at(2), at(4)], "lost", 7)
        assert [(one.range, one.cause) for one in catalog.footage.gaps(STREAM, ALL)] == [
            (at(2), "lost")
        ]
        assert catalog.rebuilding.holes(STREAM.site) == {STREAM: [at(5)]}
