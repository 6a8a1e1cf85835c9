"""Of those who are being sent footage the slowest makes room."""

from __future__ import annotations

import time
from functools import partial

import pytest

from recorder.api import footage
from recorder.api.footage import SLOW_S, Readers, Taking
from recorder.errors import UnavailableError


def test_the_one_that_is_waited_for_the_longest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, ended = [100.0], list[int]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(footage, "MOST", 4)
    readers = Readers()
    clients = [Taking(partial(ended.append, number)) for number in range(4)]
    readers.taking = set(clients)
    for one in clients[:3]:
        one.waits()
        now[0] += 1
    clients[0].took()  # the last one waits for its store
    now[0] += SLOW_S
    readers.admit()
    assert ended == [1]
    assert readers.taking == {clients[0], clients[2], clients[3]}
    readers.taking.add(Taking(None))
    readers.admit()
    assert ended == [1, 2]
    readers.taking.add(Taking(None))
    with pytest.raises(UnavailableError, match="4 clients are being sent footage"):
        readers.admit()
    readers.close()
