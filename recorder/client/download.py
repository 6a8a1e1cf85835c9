"""Footage on its way from a server: it goes on where a line broke, or says that it cannot."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import urllib3

from recorder.client.connection import Connection, linked
from recorder.durable import only_one
from recorder.errors import (
    NoFootage,
    NotFound,
    NotYet,
    ServerUnreachable,
    StaleVersion,
    UnavailableError,
)

BLOCK = 256 * 1024
ONCE_S = 45.0
"""So long one request waits for footage; more is asked in several."""
TRIES = 8
"""Times in a row that nothing more comes, after which it is given up."""


class Download:
    """A clip or picture that a server sends; its header has been read already.

    ``size``: bytes, ``None`` where the server does not know them before (a zip).  ``etag``: the
    same as long as the footage is.  ``name``: the server's name for the file.  ``covered_s``,
    ``missing_s``, ``gaps``: of what was asked for; ``None`` where the server does not say.
    """

    def __init__(
        self, connection: Connection, address: str, answer: urllib3.BaseHTTPResponse
    ) -> None:
        headers = answer.headers
        self._connection = connection
        self._address = _fixed(address, headers.get("Link", ""))
        self._answer: urllib3.BaseHTTPResponse | None = answer
        length = headers.get("Content-Length")
        self.size = int(length) if length is not None else None
        self.etag = headers.get("ETag", "")
        self.media_type = headers.get("Content-Type", "")
        self.name = headers.get("Content-Disposition", "").rpartition("filename=")[2].strip('"')
        self.covered_s = _number(headers.get("X-Covered-Seconds"))
        self.missing_s = _number(headers.get("X-Missing-Seconds"))
        gaps = _number(headers.get("X-Gaps"))
        self.gaps = int(gaps) if gaps is not None else None
        self.at = headers.get("X-Frame-Time", "")

    def __enter__(self) -> Download:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; what has not been read is not sent."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def blocks(self, at: int = 0) -> Iterator[bytes]:
        """Yield all bytes, once; from ``at`` on, where the first are there already.

        Raises: ``ServerUnreachable`` when the line stays broken; ``StaleVersion`` when the
        footage changed meanwhile, so that the rest would not fit; ``UnavailableError``.
        """
        tries = 0
        if at:
            self.close()
        while True:
            answer, self._answer = self._answer, None
            came = 0
            try:
                if answer is None:
                    answer = self._go_on(at)
                for block in answer.stream(BLOCK, decode_content=False):
                    came += len(block)
                    yield block
                if self.size is None or at + came >= self.size:
                    return
                broke = "it ended early"
            except (urllib3.exceptions.HTTPError, OSError) as exc:
                broke = type(exc).__name__
            finally:
                if answer is not None:
                    answer.close()
            at, tries = at + came, 0 if came else tries + 1
            if self.size is None or not self.etag or tries >= TRIES:
                raise ServerUnreachable(
                    f"{self._connection.server}: {self.name or 'the answer'} broke off after "
                    f"{at} bytes: {broke}",
                    hint="ask again; a zip or a file that still grows cannot go on where it broke",
                )
            time.sleep(min(5.0, 0.1 * 2**tries))

    def _go_on(self, at: int) -> urllib3.BaseHTTPResponse:
        """Ask for the rest."""
        headers = {"Range": f"bytes={at}-", "If-Range": self.etag}
        try:
            answer = self._connection.open("GET", self._address, headers=headers)
        except (NotFound, NoFootage) as exc:
            raise StaleVersion(f"the footage is gone meanwhile: {exc}", hint=exc.hint) from exc
        if answer.status != 206 or answer.headers.get("ETag") != self.etag:
            answer.close()
            raise StaleVersion(
                f"the footage changed while it was fetched, after {at} bytes",
                hint="ask again from the beginning",
            )
        return answer

    def read(self) -> bytes:
        """Return all bytes; for pictures."""
        return b"".join(self.blocks())

    def write_to(self, file: BinaryIO) -> int:
        """Write all bytes to an open file; return how many."""
        written = 0
        for block in self.blocks():
            file.write(block)
            written += len(block)
        return written

    def save(self, path: Path | str) -> int:
        """Write to a file that appears under its name only when it is whole; return its size."""
        target = Path(path)
        part = target.with_name(target.name + ".part")
        try:
            with only_one(part):
                try:
                    with part.open("wb") as file:
                        written = self.write_to(file)
                        file.flush()
                        os.fsync(file.fileno())
                    part.replace(target)
                finally:
                    part.unlink(missing_ok=True)
        finally:
            self.close()
        return written


def fetch(
    connection: Connection, path: str, query: Mapping[str, object], wait_s: float = 0
) -> Download:
    """Ask for footage; wait so long for what is about to come.

    Raises: ``NotYet`` when it has not come; what the server's problem stands for.
    """
    deadline = time.monotonic() + wait_s
    while True:
        left = deadline - time.monotonic()
        asked = {**query, **({"wait": f"{min(left, ONCE_S):.3f}"} if left > 0 else {})}
        try:
            answer = connection.open("GET", connection.address(path, asked))
        except NotYet as exc:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(left, exc.retry_after_s, 1.0))
            continue
        return Download(connection, connection.address(path, query), answer)


def _fixed(address: str, link: str) -> str:
    """Return the address of the same footage whenever it is asked: ``-60s`` is another soon.

    >>> _fixed("http://a/cameras/gate/clip.mp4?start=-9s&form=fmp4&wait=9",
    ...        '<clip.json?start=2026-01-05T14:03:07Z>; rel="describedby"')
    'http://a/cameras/gate/clip.mp4?start=2026-01-05T14%3A03%3A07Z&form=fmp4'
    """
    target = linked(link, "describedby")
    if target is None:
        return address
    said = urlsplit(urljoin(address, target))
    left_out = {"wait", "before", "after", "camera"}
    query = {key: value for key, value in parse_qsl(urlsplit(address).query) if key not in left_out}
    path = said.path.replace("clip.json", "clip.mp4")
    return urlunsplit(
        said._replace(path=path, query=urlencode(query | dict(parse_qsl(said.query))))
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError as exc:
        raise UnavailableError(f"the server says {text!r} where a number should be") from exc
