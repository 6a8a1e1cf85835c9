"""A camera's name is its site's alone: what is said of one says nothing of another site's."""

from __future__ import annotations

from policies.facts import StoreFacts, Touch
from policies.read import parse_policy
from policies.retain import retain
from recorder.model.copies import CopyColumns
from recorder.model.keys import ANY_SITE, CameraId, StreamId
from recorder.model.timebase import DAY, HOUR, TimeRange

NOW = 1_000 * DAY
WHEN = TimeRange(NOW - 50 * DAY, NOW - 50 * DAY + HOUR)
LONGER = parse_policy({"rules": [
    {"name": "alarms", "match": {"event": "alarm"}, "keep": {"any": "90d"}},
    {"name": "all", "keep": {"any": "30d"}},
]})  # fmt: skip


def lane(site: str) -> CopyColumns:
    one = CopyColumns(StreamId(site, "gate", "main"))
    one.add(WHEN.start, WHEN.end, 100, "n.1")
    return one


def sites_going(facts: StoreFacts) -> list[str]:
    return [action.stream.site for action in retain(LONGER, facts).actions]


def test_an_alarm_keeps_longer_at_its_own_sites_camera_alone() -> None:
    lanes = [lane("post1"), lane("post2")]
    for site, going in (("post1", ["post2"]), ("post2", ["post1"]), (ANY_SITE, [])):
        touches = {CameraId(site, "gate"): [Touch(WHEN, "alarm")]}
        assert sites_going(StoreFacts("main", "post", lanes, NOW, touches=touches)) == going
