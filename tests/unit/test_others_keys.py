"""Keys that another site tells: each is the key of the segment it is told with, and of no other.

What has a key is read by it here, from this site's own spool first, and deleted by it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.catalog.told import COLUMNS
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import Segment
from recorder.model.timebase import HOUR, TimeRange
from recorder.sites.documents import hear_child
from recorder.sites.word import Word
from tests.support.make import T0
from tests.unit.test_told import NOW, centre, child, message, one_of

__all__ = ["centre", "child"]

GUEST = StreamId("post1", "gate", "main")
OURS = one_of(StreamId("here", "cam07", "main"))
KEPT = one_of(GUEST, 60)
"""Of the same camera, held above, perhaps."""


def told(one: Segment, key: str | None = None) -> dict[str, Any]:
    """Say a segment as a child does, under a key."""
    other = SqlCatalog("sqlite://", parent=True)
    other.commits.add_segment(replace(one, key=key or one.key), "main", "e", 7)
    found: dict[str, Any] = json.loads(json.dumps(other.outbox.take(9, NOW)[1][-1]))
    other.close()
    return found


def keys_of(catalog: SqlCatalog, stream: StreamId) -> list[str]:
    return [one.key for one in catalog.footage.segments(stream, TimeRange(0, T0 + HOUR))]


@pytest.mark.parametrize(
    "key",
    [OURS.key, KEPT.key, segment_key("post2/gate/main", T0, "n1.1", 0), "etc/passwd",
     segment_key(str(GUEST), T0, "n1.2", 0), segment_key(str(GUEST), T0, "n1.1", 0) + "_end"],
)  # fmt: skip
def test_a_child_tells_no_footage_under_the_key_of_another(
    key: str, child: SqlCatalog, centre: SqlCatalog
) -> None:
    centre.commits.add_segment(OURS, "main", "e", 7)
    body = {**message(child), "changes": [told(one_of(GUEST), key), told(KEPT)]}
    aside = hear_child(centre, body, "here", NOW)
    assert [one.why for one in aside] == ["key: is not that of this segment"]
    assert keys_of(centre, GUEST) == [KEPT.key]


@pytest.mark.parametrize(
    "key", ["CAM-1/2026-01-05/14/03-07Z.0.mp4", "a/b/2026-01-05/n1/14/03-07.0Z.0.mp4"]
)
def test_what_other_recorders_wrote_is_told_under_its_own_key(
    key: str, child: SqlCatalog, centre: SqlCatalog
) -> None:
    writer = "n1" if "n1" in key else "foreign"
    one = replace(one_of(GUEST), writer=writer, counter=0)
    assert hear_child(centre, {**message(child), "changes": [told(one, key)]}, "here", NOW) == []
    assert keys_of(centre, GUEST) == [key]


def test_a_parent_tells_no_footage_under_the_key_of_another(child: SqlCatalog) -> None:
    (own,) = child.footage.segments(StreamId("post1", "cam07", "main"), TimeRange(0, NOW))
    said = told(replace(one_of(GUEST), writer="old.1", key=""), own.key)
    start = said["row"][COLUMNS.index("start_ns")]
    document = {"seq": 1, "stream": str(GUEST), "start": start, "writer": "old.1",
                "places": ["main"], "segment": said}  # fmt: skip
    Word(child).hear([document], "here", NOW)
    assert keys_of(child, GUEST) == []
    said["row"][COLUMNS.index("key")] = None
    Word(child).hear([document], "here", NOW)
    assert len(keys_of(child, GUEST)) == 1
