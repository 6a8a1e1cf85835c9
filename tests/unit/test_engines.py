"""What PostgreSQL refuses, by its codes: a value that is bad, or a database that needs somebody."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from recorder.catalog.engines import advice, is_bad_value


def refusal(code: str) -> OperationalError:
    return OperationalError("SELECT 1", {}, SimpleNamespace(sqlstate=code))  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["42804", "23502", "23514", "54000"])
def test_a_value_that_no_second_try_stores_is_bad(code: str) -> None:
    assert is_bad_value(refusal(code))


@pytest.mark.parametrize("code", ["23505", "40001", "40P01", "53300", "57P01", "08006", "XX001"])
def test_what_a_second_try_may_pass_is_no_bad_value(code: str) -> None:
    assert not is_bad_value(refusal(code))


@pytest.mark.parametrize(
    "said", ["NOT NULL constraint failed: site.level", "CHECK constraint failed"]
)
def test_sqlite_says_it_in_words(said: str) -> None:
    assert is_bad_value(IntegrityError("INSERT", {}, ValueError(said)))
    assert not is_bad_value(IntegrityError("INSERT", {}, ValueError("UNIQUE constraint failed")))


@pytest.mark.parametrize(
    ("code", "said"),
    [("28P01", "password"), ("25006", "replica"), ("53100", "room"), ("53300", "max_connections"),
     ("3D000", "make that database"), ("42501", "right"), ("XX002", "damaged"), ("", "runs")],
)  # fmt: skip
def test_what_helps_against_a_refusal_is_what_is_said(code: str, said: str) -> None:
    assert said in advice(refusal(code))
