"""Asking an authority for a time stamp (RFC 3161 over HTTP): once, within a deadline, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from cryptography.x509 import Certificate

from recorder.errors import NotStamped
from recorder.evidence.stamp import BadStamp, read_stamp
from recorder.ports import Clock

TIMEOUT = urllib3.Timeout(connect=5, read=10)
PATIENCE_S = 20.0
"""For the whole answer, however slowly it comes."""
MOST_BYTES = 1 << 17
"""Of an answer; one with the authority's chain has 6 kB."""
HINT = "try again in a moment; to go without a stamp, which the bundle says then: --no-timestamp"


@dataclass(frozen=True, slots=True)
class StampAuthority:
    """An authority that stamps.  ``pem``: the CAs that vouch for it."""

    url: str
    pem: bytes
    anchors: Sequence[Certificate]
    clock: Clock

    def stamp(self, text: bytes) -> bytes:
        """Have a text stamped; return the answer, which holds.

        Raises: ``NotStamped`` when there is none in time, or it is of no use.
        """
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

        asked = TimestampRequestBuilder(data=text, hash_algorithm=HashAlgorithm.SHA256).build()
        raw = self._ask(asked.as_bytes())
        try:
            read_stamp(raw, text, self.anchors, asked.nonce)
        except BadStamp as exc:
            raise NotStamped(f"no time stamp from {self._name()}: {exc}", hint=HINT) from exc
        return raw

    def _ask(self, query: bytes) -> bytes:
        until = self.clock.monotonic() + PATIENCE_S
        headers = {"Content-Type": "application/timestamp-query"}
        try:
            with urllib3.PoolManager(retries=False, timeout=TIMEOUT) as pool:
                answer = pool.request(
                    "POST",
                    self.url,
                    body=query,
                    headers=headers,
                    redirect=False,
                    preload_content=False,
                )
                try:
                    raw = self._read(answer, until)
                finally:
                    answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            said = f"no time stamp: {self._name()} does not answer: {type(exc).__name__}"
            raise NotStamped(said, hint=HINT) from exc
        if answer.status != 200:
            said = f"no time stamp: {self._name()} answers {answer.status}"
            raise NotStamped(said, hint=HINT)
        return raw

    def _read(self, answer: urllib3.BaseHTTPResponse, until: float) -> bytes:
        raw = bytearray()
        while block := answer.read1(1 << 14):
            raw += block
            if len(raw) > MOST_BYTES:
                raise OSError("too much")
            if self.clock.monotonic() > until:
                raise TimeoutError
        return bytes(raw)

    def _name(self) -> str:
        return urlsplit(self.url).netloc
