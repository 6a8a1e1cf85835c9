"""What a catalog must do for what a site believes of copies above, whatever its database."""

from __future__ import annotations

from recorder.catalog.sql import SqlCatalog
from recorder.model.media import Segment
from tests.support.make import segment


class BeliefsContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_what_lies_at_a_parent_of_before_is_known_to_lie_there(
        self, catalog: SqlCatalog
    ) -> None:
        here, above = segment(0), segment(60)
        for one, places in ((here, ("main", "../main")), (above, ("../main", "../../main"))):
            for place in places:
                catalog.commits.add_segment(one, place, "", 1)
        catalog.inbox.apply("post1", [], 1)
        with catalog.database.write() as db:
            db.exec_driver_sql("UPDATE stream SET via = 'post1'")

        def known(one: Segment) -> list[tuple[str, int]]:
            copies = catalog.footage.copies([one])[one.key]
            return sorted((copy.place, copy.verified_at) for copy in copies)

        for _ in range(2):
            catalog.outbox.begin_anew(5, "suba", "subb")
            assert known(here) == [("main", 1)]
            assert known(above) == [("..suba/../main", 1), ("..suba/main", 1)]
        told = {one["start"]: one for one in catalog.notices.pending("post1", 9)}
        assert told[here.start]["places"] == ["main"]
        assert told[above.start]["doubted"] == ["..suba/../main", "..suba/main"]
        catalog.outbox.begin_anew(5, "subb", "suba")
        assert known(above) == [("../../main", 0), ("../main", 0)]
        catalog.notices.acknowledge("post1", [one["seq"] for one in told.values()])
        catalog.inbox.end_anew("post1", 9)
        seqs = [one["start"] for one in catalog.notices.pending("post1", 9)]
        assert seqs.count(here.start) == 1, "it hears what lies here, not what is in doubt"
