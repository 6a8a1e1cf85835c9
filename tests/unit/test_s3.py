"""What an S3 store makes of answers that say nothing of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from minio.error import S3Error

from recorder.errors import StoreUnavailable
from recorder.store.s3 import S3Store


class Bucket:
    """A versioned bucket with object lock, whose server answers some questions with a code."""

    def __init__(self, *codes: str) -> None:
        self.codes = list(codes)

    def _answer(self) -> Any:
        if self.codes and (code := self.codes.pop(0)):
            response = urllib3.HTTPResponse(status=503)
            raise S3Error(response, code, "busy", "b", "r", "h")
        return SimpleNamespace(status="Enabled")

    def get_bucket_versioning(self, _: str) -> Any:
        return self._answer()

    def get_object_lock_config(self, _: str) -> Any:
        return self._answer()


def store_with(*codes: str) -> S3Store:
    store = S3Store("s", "http://127.0.0.1:9", "b", ("k", "s"))
    store._client = Bucket(*codes)  # type: ignore[assignment]
    return store


@pytest.mark.parametrize("codes", [["SlowDown"], ["", "InternalError"]])
def test_a_store_that_was_busy_when_it_was_asked_is_asked_again(codes: list[str]) -> None:
    store = store_with(*codes)
    with pytest.raises(StoreUnavailable):
        assert store.protects
    assert store.protects


@pytest.mark.parametrize("code", ["NotImplemented", "AccessDenied"])
def test_what_a_store_cannot_say_is_not_asked_for_again(code: str) -> None:
    store = store_with(code)
    assert not store.protects
    assert not store.protects
