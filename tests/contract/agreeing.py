"""Rows that follow from others (law L16), on each database."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete, update

from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.model.camera_document import parse_camera
from recorder.model.events import Event
from recorder.model.timebase import SECOND, TimeRange
from tests.support.make import STREAM, T0, segment

TOUCHED = TimeRange(T0, T0 + SECOND)
EVENT = Event("e1", "here", "alarm", "", (str(STREAM.camera_id),), TOUCHED, TOUCHED, T0)


class AgreeingContract:
    """Subclassed once per database; each provides ``catalog``."""

    def test_rows_that_others_contradict_are_named(self, catalog: SqlCatalog) -> None:
        whole = [segment(start, counter=start // 4) for start in (0, 4, 8)]
        thin = replace(whole[0], writer="n1.1.thin", key="", digest="cd" * 32)
        catalog.commits.add_segments([*whole, thin], "main", T0)
        camera = parse_camera("gate", {"url": "rtsp://10.0.0.7/1", "group": "key"})
        catalog.cameras.put(camera, T0, None)
        catalog.events.add(EVENT, None)
        assert list(catalog.agreeing.differences()) == []
        catalog.commits.forget(catalog.footage.copies(whole[:1])[whole[0].key], "purged")
        assert list(catalog.agreeing.differences()) == []
        with catalog.database.write() as db:
            db.execute(update(schema.span).values(end_ns=T0 + 1))
            db.execute(update(schema.member).values(group_name="general"))
            db.execute(delete(schema.touch))
        subjects = {subject for subject, _ in catalog.agreeing.differences()}
        assert subjects == {str(STREAM), "event e1", "camera gate"}
