"""Deleting in a bucket: an object is gone when the store says so of it.

An error that names no object is about all that were asked for; one that the store does not speak
of, though it does of others, is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minio import Minio
from minio.deleteobjects import DeletedObject, DeleteError, DeleteObject, DeleteResult
from minio.error import S3Error

from recorder.errors import StoreUnavailable
from recorder.store.abilities import BUSY, Abilities

AT_ONCE = 1000
_GONE = ("NoSuchKey", "NoSuchVersion")
_SINGLY = ("NotImplemented", "MethodNotAllowed")
"""What servers say that delete objects one by one only."""
UNSAID = "the store does not say that it is deleted, and shows it still"
UNLISTED = "the store lists no version of it, and shows it still"

Versions = Callable[[str], Sequence[tuple[str, bool]]]
"""Finds (version, whether it is a delete marker) of one key."""


class Deleting:
    """Deletes in one bucket.  Raises what the client raises, and ``StoreUnavailable``."""

    def __init__(
        self,
        client: Minio,
        bucket: str,
        can: Abilities,
        versions: Versions,
        is_there: Callable[[str], bool],
    ) -> None:
        """``is_there`` tells whether an object can still be read."""
        self._client, self._bucket, self._can = client, bucket, can
        self._versions, self._is_there = versions, is_there

    def run(self, keys: Sequence[str]) -> dict[str, str]:
        """Delete objects, versions where the bucket keeps them; return why some are there still."""
        objects, unlisted = self._all_of(keys)
        refused, hidden = self._delete(objects)
        if hidden:  # by a marker: the bucket keeps versions by now
            self._can.versioned.learn(True)
            again, still = self._all_of(hidden)
            refused |= self._delete(again)[0]
            unlisted += still
        return refused | {key: UNLISTED for key in unlisted if self._is_there(key)}

    def _all_of(self, keys: Sequence[str]) -> tuple[list[DeleteObject], list[str]]:
        """Return what is to be deleted, and those of which no version is listed."""
        objects: list[DeleteObject] = []
        unlisted: list[str] = []
        for key in keys:
            found = self._all_versions(key)
            objects += found
            if not found:
                unlisted.append(key)
        return objects, unlisted

    def _all_versions(self, key: str) -> list[DeleteObject]:
        known = self._can.versioned.answer()
        if known is False:
            return [DeleteObject(key)]
        found = [DeleteObject(key, version) for version, _ in self._versions(key)]
        return found or ([DeleteObject(key)] if known is None else [])

    def _delete(self, objects: Sequence[DeleteObject]) -> tuple[dict[str, str], list[str]]:
        """Return why some are refused, and which ones a delete marker hides from now on."""
        refused: dict[str, str] = {}
        hidden: list[str] = []
        for i in range(0, len(objects), AT_ONCE):
            batch = {(one.name, one.version_id): one for one in objects[i : i + AT_ONCE]}
            names = {name for name, _ in batch}
            said = self._ask(list(batch.values()))
            gone = {one.name for one in said.object_list}
            plain = {name for name, version in batch if version is None}
            marked = {one.name for one in said.object_list if one.delete_marker}
            hidden += sorted(marked & plain)
            for error in said.error_list:
                self._sort(error, names, gone, refused)
            for name in names - gone - refused.keys() if gone else ():  # some never name any
                if self._is_there(name):
                    refused[name] = UNSAID
        return refused, hidden

    def _sort(
        self, error: DeleteError, names: set[str], gone: set[str], refused: dict[str, str]
    ) -> None:
        """Take in one error; one that names nothing is about all that was asked for."""
        if error.code in BUSY:
            raise StoreUnavailable(f"delete {error.name or ''} in {self._bucket}: {error.code}")
        if error.code in _GONE and error.name in names:
            gone.add(str(error.name))
            return
        about = [error.name] if error.name in names else sorted(names - gone)
        for name in about:
            refused[str(name)] = f"{error.code}: {error.message}"

    def _ask(self, objects: list[DeleteObject]) -> DeleteResult:
        """Ask for what is deleted to be named, too: silence about one may be anything."""
        try:
            return self._client._delete_objects(self._bucket, objects)
        except S3Error as exc:
            if exc.code not in _SINGLY:
                raise
        result = DeleteResult([], [])
        for one in objects:
            name, version = one.name, one.version_id
            try:
                self._client.remove_object(self._bucket, name, version_id=version)
            except S3Error as exc:
                result.error_list.append(DeleteError(exc.code or "", exc.message, name, version))
            else:
                result.object_list.append(DeletedObject(name, version, False, None))
        return result
