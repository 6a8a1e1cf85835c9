"""Answers of footage: how many at once, and how each is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from typing import TypeVar

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from recorder import telemetry
from recorder.api.outlet import EXTENSION, Outlet
from recorder.errors import UnavailableError
from recorder.export.prepared import Prepared
from recorder.model.counting import number_of
from recorder.reading.extent import Blocks, read_blocks
from recorder.threads import Pool

T = TypeVar("T")

MOST = 128
"""Each takes up to four descriptors; of the 1024 there are by default, recording needs most."""
THREADS = 16
"""For clients that take what they get, and for bytes that come from afar."""


class Readers:
    """Those who are being sent footage, and what they asked for last."""

    def __init__(self) -> None:
        self.pool = Pool("readers", THREADS)
        self.prepared = Prepared()
        self.count = 0

    def admit(self) -> None:
        """Let another one in.

        Raises: ``UnavailableError`` when there are too many.
        """
        if self.count >= MOST:
            raise UnavailableError(
                f"{number_of(self.count, 'client is', 'clients are')} being sent footage, "
                "which is the most at once",
                hint="ask again when some are done",
            )

    def close(self) -> None:
        """Let the threads end."""
        self.pool.close()


class Footage(Response):
    """An answer whose bytes are footage; its length stands in its headers."""

    def __init__(
        self, source: Blocks, readers: Readers, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(None, status, headers, "video/mp4")
        self.source, self.readers = source, readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it: straight to the socket where the server offers it, else block by block."""
        outlet: Outlet | None = scope.get("extensions", {}).get(EXTENSION)
        self.readers.count += 1
        try:
            with telemetry.READERS.track_inprogress():
                if outlet is None:
                    await self._by_blocks()(scope, receive, send)
                    return
                start = {"status": self.status_code, "headers": self.raw_headers}
                await send({"type": "http.response.start", **start})
                await outlet.send(self.source, self.readers.pool)
                await send({"type": "http.response.body", "body": b""})
        finally:
            self.readers.count -= 1

    def _by_blocks(self) -> StreamingResponse:
        async def blocks() -> AsyncIterator[bytes]:
            given = read_blocks(self.source)
            while block := await self.readers.pool.run(next, given, b""):
                yield block

        return StreamingResponse(blocks(), self.status_code, self.headers)


def first_checked(
    source: Generator[T, None, None], close: Callable[[], None]
) -> Generator[T, None, None]:
    """Have the first block before answering, so that missing bytes are an error, not a 200.

    A later failure breaks the connection off: the client sees fewer bytes than promised,
    never a short file that looks whole.
    """
    try:
        first = next(source, None)
    except BaseException:
        close()
        raise

    def rest() -> Generator[T, None, None]:
        try:
            if first is not None:
                yield first
                yield from source
        finally:
            close()

    return rest()
