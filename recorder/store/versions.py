"""What lies under an object where a bucket keeps versions: somebody else's write hides it.

We delete versions, never by marker, and write a key once, or the same bytes again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from minio import Minio
from minio.datatypes import Object
from minio.error import S3Error

from recorder.store.abilities import Abilities
from recorder.store.listing import each_version
from recorder.store.pool import from_byte

log = logging.getLogger("recorder.store")

BLOCK = 1 << 20
MOST = 20
"""So many versions of an object are read at most."""


class Versions:
    """Versions in one bucket.  Raises what the client raises."""

    def __init__(self, client: Minio, bucket: str, can: Abilities, store: str) -> None:
        self._client, self._bucket, self._can, self._store = client, bucket, can, store

    def of(self, key: str) -> Sequence[tuple[str, bool]]:
        """Return (version, whether it is a delete marker) of one key, newest first."""
        return [(one.version_id or "", bool(one.is_delete_marker)) for one in self._listed(key)]

    def _listed(self, key: str) -> list[Object]:
        found = self._client.list_objects(
            self._bucket, prefix=key, recursive=True, include_version=True
        )
        return [one for one in each_version(found) if one.object_name == key and one.version_id]

    def uncovered(self, key: str) -> str | None:
        """Take delete markers off an object; return its version, none where nothing is under them.

        Some stay (SeaweedFS, where versioning is suspended): it is the version that is to be read.
        """
        known = self._can.versioned.answer()
        if known is False:
            return None
        try:
            versions = self.of(key)
        except S3Error as exc:
            if known is None and exc.response.status == 403:
                return None  # keys that only read
            raise
        under = next((version for version, marker in versions if not marker), None)
        if under is None:
            return None
        for version, marker in versions:
            if marker:
                self._client.remove_object(self._bucket, key, version_id=version)
        log.warning("delete marker taken off", extra={"store": self._store, "key": key})
        return under

    def sized(self, key: str, size: int) -> list[str]:
        """Return the versions of an object that have a size, the oldest first."""
        if self._can.versioned.answer() is False:
            return []
        listed = reversed(self._listed(key))
        fits = [one for one in listed if not one.is_delete_marker and one.size == size]
        return [one.version_id or "" for one in fits][:MOST]

    def read(self, key: str, version: str) -> Iterator[bytes]:
        """Yield the bytes of a version."""
        answer = self._client.get_object(self._bucket, key, version_id=version)
        try:
            yield from from_byte(answer, 0, BLOCK)
        finally:
            answer.close()
            answer.release_conn()
