"""Values with something else in one place: another value, one from elsewhere, more, or less."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from recorder.model.timebase import DAY, HOUR
from tests.support.make import T0

WORDS: list[Any] = [
    "here", "post1", "post2", "sub", "..", "", "a/b", "cam07", "post2/cam07", "post2/cam07/main",
    "here/cam07/main", "\ud800", "\x00", "x" * 5000, "own", "h1", "main", "../../etc", "held",
    "segment", "gone", "gap", "event", "camera", "point", "hold", "stream", "n1.1", "post1/n1",
    0, -1, 2**31, 2**62, 2**63, 10**40, 1.5, float("nan"), float("inf"), True, None, [], {}, [[]],
    T0, T0 + HOUR, T0 + 10 * DAY, "1970-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "24:00",
    "*", "30d", "-1d", "5%", "101%", "10 GB", "1e400", "Mars/Base", "http://[::1", "rtsp://h:x/",
    "file:///etc/passwd", "rtsp://u:p@h/#", "\u202e", "²",
]  # fmt: skip


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside another."""
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*way, key)
            yield from places(one, (*way, key))


def at(value: Any, way: tuple[Any, ...]) -> Any:
    for key in way:
        value = value[key]
    return value


def mutate(body: Any, rng: random.Random) -> None:
    """Alter one place of a message: another value, one from elsewhere in it, more, or less."""
    ways = list(places(body))
    if not ways:
        return
    way, other = rng.choice(ways), copy.deepcopy(at(body, rng.choice(ways)))
    holder, key = at(body, way[:-1]), way[-1]
    match rng.randrange(5):
        case 0 if isinstance(holder, dict):
            del holder[key]
        case 1 if isinstance(holder, dict):
            name = rng.choice([word for word in WORDS if isinstance(word, str)])
            holder[name] = rng.choice([other, *WORDS])
        case 2:
            holder[key] = other
        case _:
            holder[key] = copy.deepcopy(rng.choice(WORDS))
