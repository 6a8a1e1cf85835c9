"""How tests are shared out to workers."""

from __future__ import annotations

from tests.conftest import between


def test_tests_that_wait_are_spread_among_those_that_work() -> None:
    assert "".join(between(list("AB"), list("cdefgh"))) == "AcdeBfgh"
    assert between(["A"], []) == ["A"]
    assert between([], ["c"]) == ["c"]
