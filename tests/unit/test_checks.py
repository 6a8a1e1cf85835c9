"""What every door asks of text, numbers, times and JSON."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.read import parse_policy
from recorder.errors import BadDocument, RequestError
from recorder.model.camera_document import parse_camera
from recorder.model.checks import (
    check_json,
    check_number,
    check_text,
    cleaned,
    read_integer,
    read_json,
)
from recorder.model.events import parse_event
from recorder.model.holds import parse_hold
from recorder.model.sizes import parse_size
from recorder.model.timebase import (
    EARLIEST,
    HOUR,
    LATEST,
    format_instant,
    parse_duration,
    parse_instant,
)
from tests.support.make import T0

HOLD = {
    "cameras": ["a"], "start": "2026-01-05T14:00:00Z", "end": "2026-01-05T15:00:00Z",
    "case": "c", "reason": "r", "owner": "o",
}  # fmt: skip


@pytest.mark.parametrize(
    "text", ["\ud800", "a\x00b", "a\nb", "a\x1b[31mb", "a\x85", "\u202e", "x" * 99]
)
def test_text_that_cannot_be_stored_sent_or_shown_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_text(text, "group", 98)
    assert "group" in str(caught.value)
    assert text not in str(caught.value)


@pytest.mark.parametrize("text", ["gate 7", "Tür", "摄像头", "a\u00a0b"])
def test_text_of_any_language_is_taken(text: str) -> None:
    assert check_text(text, "group") == text


def test_a_key_that_stands_twice_among_very_many_is_found_at_once() -> None:
    """A body is looked at before it is known who sends it."""
    names = [*range(100_000), 99_999]
    raw = ", ".join(f'"k{one}": 0' for one in names).join("{}").encode()
    began = time.process_time()
    with pytest.raises(BadDocument, match="'k99999' stands twice"):
        read_json(raw, "body", once=True)
    assert time.process_time() - began < 5, "it took minutes"


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf"), -1, 11, 10**400])
def test_what_is_no_number_within_bounds_is_refused(value: object) -> None:
    with pytest.raises(RequestError):
        check_number(value, "weight", 0, 10)


@pytest.mark.parametrize("text", ["", "²", "２", "1.5", "9" * 5000, "-1", " 1"])
def test_whole_numbers_of_headers_are_ascii_digits(text: str) -> None:
    with pytest.raises(RequestError):
        read_integer(text, "x-size")


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"a":1e400}', b"NaN", b"\xff", b'"\\ud800"', b"9" * 5000, b"{",
            b'{"\\u0000": 1}', b"99999999999999999999"],
)  # fmt: skip
def test_json_that_cannot_be_stored_is_refused(raw: bytes) -> None:
    with pytest.raises(RequestError):
        check_json(read_json(raw, "body"), "body")


@given(st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
))  # fmt: skip
def test_what_is_stored_already_can_be_written(value: Any) -> None:
    json.dumps(cleaned(value), ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "1677-12-31T23:59:59Z", "2262-01-01T00:00:00Z",
             "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00", "２０２６-01-05T14:00:00Z"],
)  # fmt: skip
def test_times_that_do_not_fit_are_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_instant(text, "start")
    assert "start" in str(caught.value)
    assert caught.value.hint


@given(st.integers(EARLIEST, LATEST - 1))
def test_every_time_a_door_takes_is_shown_as_it_was_read(instant: int) -> None:
    assert parse_instant(format_instant(instant, 9)) == instant
    assert abs(instant) + 24 * HOUR < 2**63


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 1e300, 10**4000, True, [1], None, "9" * 400 + "d",
              "999999999999d", "١d"],
)  # fmt: skip
def test_durations_that_do_not_fit_are_refused(value: Any) -> None:
    with pytest.raises(RequestError):
        parse_duration(value, "pre")


@pytest.mark.parametrize("value", [-5, True, "9" * 400, 2**63, "9999999 PB", "٣ GB"])
def test_sizes_that_do_not_fit_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(value)


@pytest.mark.parametrize(
    "body", [{"group": "\ud800"}, {"group": "a\nb"}, {"group": "x" * 100_000}, {"streams": [1]},
             {"importance": float("nan")}, {"importance": 1e400}, {"importance": True},
             {"stall_s": float("nan")}, {"url": "rtsp://x/\ud800"}, {"credentials": "a:\x00"},
             {"streams": {"main": {"url": "x", "transport": ["tcp"]}}},
             {"streams": {str(i): {"url": "rtsp://x/y"} for i in range(17)}}],
)  # fmt: skip
def test_a_camera_document_with_odd_values_is_refused(body: dict[str, Any]) -> None:
    given_url = {} if "streams" in body else {"url": "rtsp://x/y"}
    with pytest.raises(BadDocument):
        parse_camera("cam", given_url | body)


@pytest.mark.parametrize(
    "body", [{"cameras": 5}, {"cameras": {"a": 1}}, {"cameras": ["a"] * 20_000}, {"case": "\x1b"},
             {"reason": "a\nb"}, {"end": "9999-12-31T00:00:00Z"}, {"id": 5}, {"cameras": [["a"]]}],
)  # fmt: skip
def test_a_hold_with_odd_values_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadDocument):
        parse_hold({**HOLD, **body}, "id1", T0)


def test_a_hold_names_each_camera_once() -> None:
    assert parse_hold({**HOLD, "cameras": ["a", "b", "a"]}, "id1", T0).cameras == ("a", "b")


@pytest.mark.parametrize(
    "body", [{"attributes": {"speed": float("nan")}}, {"attributes": {"plate": "\ud800"}},
             {"attributes": {"plate": "\x00"}}, {"attributes": {"n": 10**30}}, {"attributes": [1]},
             {"attributes": {"x": "y" * 100_000}}, {"at": "9999-12-31T00:00:00Z"}, {"pre": True},
             {"at": "2200-01-01T00:00:00Z"}, {"pre": float("inf")}, {"post": [1]}, {"camera": 5},
             {"start": "1970-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}, {"kind": 5}],
)  # fmt: skip
def test_an_event_with_odd_values_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadDocument):
        parse_event({"camera": "a", "kind": "alarm", **body}, None, "e1", "here", T0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "alarm"}, "camera: missing"),
        ({"kind": "alarm", "camera": "a", "point": "p"}, "camera: given together with point"),
        ({"camera": "a"}, "kind: missing"),
        ({"camera": "a", "kind": "alarm", "end": "2026-01-05T14:00:00Z"}, "start: missing"),
        ({"camera": "a", "kind": "alarm", "at": "2026-01-05T14:00:00Z",
          "end": "2026-01-05T14:00:00Z"}, "at: given together with start or end"),
    ],
)  # fmt: skip
def test_what_an_event_lacks_is_said_by_its_name(body: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        parse_event(body, None, "e1", "here", T0)


@pytest.mark.parametrize("keep", [float("inf"), float("nan"), 1e300, True])
def test_a_policy_with_odd_ages_is_refused(keep: float) -> None:
    with pytest.raises(BadDocument):
        parse_policy({"rules": [{"name": "all", "keep": {"any": keep}}]})
