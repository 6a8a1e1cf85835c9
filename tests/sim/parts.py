"""What a simulated site is made of: a process that may die at any call, a store, a clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from recorder.errors import StoreUnavailable
from recorder.model.media import ObjectInfo
from recorder.model.timebase import Instant
from tests.support.clock import FakeClock


class Crash(Exception):
    """The process died here."""


class Fuse:
    """Lets so many calls through, then ends the process before or after one.

    ``dies``: asked at every call, too.
    """

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.left = dice, -1
        self.dies: Callable[[], bool] = lambda: False

    def light(self, calls: int) -> None:
        """Let so many calls through; -1: all."""
        self.left = calls

    def burn(self) -> None:
        if self.dies():
            raise Crash
        if self.left >= 0:
            self.left -= 1
            if self.left < 0:
                raise Crash


class Mortal:
    """A catalog, with its parts, or a store whose every call may be the last."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self.inner, self.fuse = inner, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if type(found).__module__.startswith("recorder.catalog."):
            return Mortal(found, self.fuse)  # a part of the catalog
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self.fuse.burn()
            answer = found(*arguments, **options)
            self.fuse.burn()
            return answer

        return call


class SizedStore:
    """A store that keeps sizes, and small objects whole; ``capacity`` bytes, and may be away."""

    protects = False

    def __init__(self, name: str, capacity: int) -> None:
        self.name, self.capacity, self.away = name, capacity, False
        self.sizes: dict[str, int] = {}
        self.objects: dict[str, bytes] = {}
        self.used = 0

    def put(self, key: str, what: int | bytes, *_: object) -> None:
        if self.away:
            raise StoreUnavailable("away")
        if isinstance(what, bytes):
            self.objects[key] = what
            return
        if self.used + what > self.capacity:
            raise StoreUnavailable("full")
        self.used += what - self.sizes.get(key, 0)
        self.sizes[key] = what

    def head(self, key: str) -> ObjectInfo | None:
        if key in self.objects:
            return ObjectInfo(key, len(self.objects[key]))
        size = self.sizes.get(key)
        return None if size is None else ObjectInfo(key, size)

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        if self.away:
            raise StoreUnavailable("away")
        yield self.objects[key][offset : offset + length]

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        if self.away:
            raise StoreUnavailable("away")
        names = [key for key in self.objects if key.startswith(prefix)]
        yield from (ObjectInfo(key, len(self.objects[key])) for key in sorted(names))

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        if self.away:
            raise StoreUnavailable("away")
        for key in keys:
            self.used -= self.sizes.pop(key, 0)
        return {}

    def free_bytes(self) -> tuple[int, int]:
        return self.capacity - self.used, self.capacity


class SiteClock:
    """The clock of one site: the world's, but for ``ahead`` ns."""

    def __init__(self, true: FakeClock) -> None:
        self._true, self.ahead = true, 0
        self.begin = true.monotonic()

    def now(self) -> Instant:
        return self._true.now() + self.ahead

    def monotonic(self) -> float:
        return self._true.monotonic()

    def jitter(self) -> float:
        return 0.5

    def sleep(self, seconds: float) -> None:
        self._true.sleep(seconds)
