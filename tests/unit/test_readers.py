"""Of those who are being sent footage the slowest makes room."""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import partial

import pytest

from recorder.api import footage
from recorder.api.footage import SLOW_S, Readers, Taking, first_checked
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


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_what_was_opened_for_an_answer_is_closed_though_nobody_takes_it(taken: int) -> None:
    closed: list[str] = []

    def source() -> Generator[bytes, None, None]:
        try:
            yield from (bytes([number]) for number in range(3))
        finally:
            closed.append("its source")

    blocks = first_checked(source(), lambda: closed.append("it"))
    assert [next(blocks) for _ in range(taken)] == [b"\0", b"\1", b"\2"][:taken]
    blocks.close()
    assert closed == ["its source", "it"]
