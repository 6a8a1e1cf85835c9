"""What an address takes: times as people write them, parameters it knows, methods it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recorder.api.deps import instant_at
from recorder.app import App
from recorder.errors import RequestError
from recorder.model.moments import read_moment
from recorder.model.timebase import SECOND, parse_instant
from tests.support.doors import ask, make_app

NOW = parse_instant("2026-01-05T14:03:07Z")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    one = make_app(tmp_path_factory.mktemp("app"))
    yield one
    one.close()


@pytest.mark.parametrize(
    ("text", "zone", "meant"),
    [
        ("2026-01-05T14:03:07Z", "", "2026-01-05T14:03:07Z"),
        ("2026-01-05T15:03:07 01:00", "", "2026-01-05T14:03:07Z"),
        ("2026-01-05T15:03:07.25 01:00", "", "2026-01-05T14:03:07.25Z"),
        ("2026-07-05 16:03:07", "Europe/Berlin", "2026-07-05T14:03:07Z"),
        ("now", "", "2026-01-05T14:03:07Z"),
        ("-60s", "", "2026-01-05T14:02:07Z"),
        ("+1h", "", "2026-01-05T15:03:07Z"),
        (" 10s", "", "2026-01-05T14:03:17Z"),
        ("1767621787", "", "2026-01-05T14:03:07Z"),
        ("1767621787.5", "", "2026-01-05T14:03:07.5Z"),
        ("2026-01-05T15:03:07.5", "Europe/Berlin", "2026-01-05T14:03:07.5Z"),
        ("2026-07-05 16:03", "Europe/Berlin", "2026-07-05T14:03:00Z"),
        ("09:30", "America/New_York", "2026-01-05T14:30:00Z"),
        ("2026-01-05T14:03:07Z", "Europe/Berlin", "2026-01-05T14:03:07Z"),
    ],
)
def test_a_time_is_taken_as_it_is_written(text: str, zone: str, meant: str) -> None:
    assert instant_at(text, "at", NOW, zone) == parse_instant(meant)


def test_a_day_that_is_not_said_is_today_where_the_zone_is() -> None:
    late = parse_instant("2026-01-05T23:30:00Z")
    assert read_moment("00:15", "at", late, "Europe/Berlin") == late - 15 * 60 * SECOND


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("2026-10-25T02:30:00", "Europe/Berlin", "twice in Europe/Berlin"),
        ("2026-03-29T02:30:00", "Europe/Berlin", "not at all in Europe/Berlin"),
        ("2026-01-05T15:03:07", "", "no time zone"),
        ("2026-02-30T15:03", "UTC", "not a time that exists"),
        ("12:00", "Mars/Base", "zone 'Mars/Base' is not known"),
        ("12:00", "../../etc/passwd", "is not known"),
        ("now", "Mars/Base", "zone 'Mars/Base' is not known"),
        ("-60s", "Mars/Base", "zone 'Mars/Base' is not known"),
        ("2026-07-01T12:00:00Z", "Mars/Base", "zone 'Mars/Base' is not known"),
        ("12345", "", "not an RFC 3339 time"),
        ("-soon", "", "not a duration"),
        ("+99999d", "", "between 1678 and 2261"),
    ],
)
def test_a_time_that_may_mean_two_or_none_is_refused(text: str, zone: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read_moment(text, "at", NOW, zone)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("30d", "write +30d for after now, -30d for before now"),
        ("soon", "write it like 2026-01-05"),
    ],
)
def test_a_time_that_lost_its_sign_is_answered_with_where_to_put_it(text: str, hint: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_moment(text, "at", NOW)
    assert str(refused.value.hint).startswith(hint)


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("cameras/cam/clip.mp4?from=-1h&end=now", "did you mean start? "),
        ("cameras/cam/clip.mp4?start=-1h&to=now", "did you mean end? "),
        ("cameras/cam/frame.jpg?at=now&widht=160", "this address takes"),
        ("cameras/cam/timeline?start=-1h&end=now&cite=pb", "did you mean site? "),
        ("policy?limit=1", "this address takes none"),
        ("policy/log?limt=1", "did you mean limit? "),
    ],
)
def test_a_parameter_that_does_nothing_is_refused(app: App, path: str, near: str) -> None:
    answer = ask(app, "GET", f"/api/v1/{path}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"].endswith("no such parameter")
    assert near in answer.json()["hint"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("cameras/cam/clip.mp4?start=-9s", "end: is missing"),
        ("events?start=-1h&end=now&limit=abc", "limit: must be a whole number"),
        ("events?start=-1h&end=now&limit=0", "limit: should be greater than or equal to 1"),
        ("policy/log?limit=1&cursor=x", "cursor: must be a whole number"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_said_in_plain_words(
    app: App, path: str, said: str
) -> None:
    answer = ask(app, "GET", f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["detail"]) == (400, said)


def test_who_asks_by_the_api_is_led_to_its_list_of_cameras(app: App) -> None:
    answer = ask(app, "GET", "/api/v1/cameras/nope/timeline?start=-1h&end=now")
    assert (answer.status_code, "GET /api/v1/cameras," in answer.json()["hint"]) == (404, True)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "cameras/cam/timeline", "GET, HEAD"),
        ("POST", "cameras/cam", "DELETE, GET, HEAD, PUT"),
        ("DELETE", "policy/apply", "POST"),
        ("OPTIONS", "holds", "GET, HEAD, POST"),
        ("HEAD", "policy/apply", "POST"),
    ],
)
def test_a_method_that_is_not_there_is_answered_with_those_that_are(
    app: App, method: str, path: str, allow: str
) -> None:
    answer = ask(app, method, f"/api/v1/{path}", headers={"content-type": "application/json"})
    assert answer.status_code == 405
    assert set(allow.split(", ")) <= set(answer.headers["allow"].split(", "))
