"""A store in an S3 bucket, through minio-py.

One client per process, made after any fork: the client is thread-safe but not shared
between processes.  Keys are unique per writer, so a plain PUT is enough (minio-py has no
conditional one) and a retry writes the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import S3Error

from recorder.errors import ConfigError, CopyMissing, StoreUnavailable
from recorder.model.media import ObjectInfo
from recorder.model.timebase import SECOND
from recorder.store.abilities import Abilities, said_by
from recorder.store.deleting import Deleting
from recorder.store.earlier import Read
from recorder.store.listing import once
from recorder.store.pool import connections, from_byte, no_page
from recorder.store.translated import ABSENT, translated
from recorder.store.uploads import Upload, abort_upload, list_uploads
from recorder.store.versions import BLOCK, Versions

PART_BYTES = 16 << 20  # what one upload holds in memory; a 60 s segment at 4 Mbit/s is 30 MB


class S3Store:
    """An :class:`recorder.ports.ObjectStore` in a bucket."""

    def __init__(
        self,
        name: str,
        endpoint: str,
        bucket: str,
        keys: tuple[str, str],
        *,
        region: str = "",
        ca_file: str = "",
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"store {name}: endpoint {endpoint!r} is not a URL",
                hint="write it like https://s3.example.org:9000",
            )
        self.name = name
        self.bucket = bucket
        self.endpoint = f"{parts.scheme}://{parts.netloc}"
        self._http = connections(name, ca_file)
        self._client = Minio(
            parts.netloc,
            access_key=keys[0] or None,
            secret_key=keys[1] or None,
            secure=parts.scheme == "https",
            region=region or "us-east-1",
            http_client=self._http,
        )
        self._can = Abilities(name, bucket, self._client, self._translated)
        self._versions = Versions(self._client, bucket, self._can, name)
        self._deleting = Deleting(
            self._client,
            bucket,
            self._can,
            self._versions.of,
            lambda key: self.head(key) is not None,
        )

    def _translated(self, what: str, key: str) -> AbstractContextManager[None]:
        return translated(f"{what} {key or self.bucket} in store {self.name}", self.endpoint)

    def put_file(self, key: str, path: Path, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store a file's bytes under ``key``; return the etag."""
        with self._translated("put", key), path.open("rb") as file:
            size = path.stat().st_size
            done = self._client.put_object(
                self.bucket,
                key,
                file,
                size,
                content_type=content_type,
                metadata=dict(metadata),
                part_size=PART_BYTES,
            )
        return done.etag or ""

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store ``body`` under ``key``; return the etag."""
        with self._translated("put", key):
            done = self._client.put_object(
                self.bucket,
                key,
                io.BytesIO(body),
                len(body),
                content_type=content_type,
                metadata=dict(metadata),
            )
        return done.etag or ""

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes from ``offset``."""
        if length <= 0:
            return
        with self._translated("read", key):
            response = self._open(key, offset, length)
            left = length
            try:
                for block in from_byte(response, offset, BLOCK):
                    left -= len(block)
                    yield block if left >= 0 else block[:left]
                    if left < 0:
                        break
            finally:
                response.close()
                response.release_conn()
            if left > 0:
                raise CopyMissing(f"read {key} from store {self.name}: object is too short")

    def _open(self, key: str, offset: int, length: int) -> urllib3.BaseHTTPResponse:
        try:
            return self._client.get_object(self.bucket, key, offset=offset, length=length)
        except S3Error as exc:
            if exc.code not in ABSENT or (version := self._versions.uncovered(key)) is None:
                raise
            return self._client.get_object(
                self.bucket, key, offset=offset, length=length, version_id=version
            )

    def head(self, key: str) -> ObjectInfo | None:
        """Describe an object, or ``None`` when there is none."""
        try:
            with self._translated("stat", key):
                try:
                    found = self._client.stat_object(self.bucket, key)
                except S3Error as exc:
                    self._say_why(exc, key)
                    if exc.code not in ABSENT or (version := self._versions.uncovered(key)) is None:
                        raise
                    found = self._client.stat_object(self.bucket, key, version_id=version)
                no_page(found.content_type or "", 200)
        except CopyMissing:
            return None
        prefix = "x-amz-meta-"
        metadata = {
            name.lower().removeprefix(prefix): value
            for name, value in (found.metadata or {}).items()
            if name.lower().startswith(prefix)
        }
        return ObjectInfo(
            key, found.size or 0, found.etag or "", found.content_type or "", metadata
        )

    def _say_why(self, exc: S3Error, key: str) -> None:
        """Raise what the store says of a refused HEAD, whose answer has no body to say it in.

        A 404 is of the object, of the bucket, or of who asks (versitygw: an account that is gone).
        """
        if exc.response.status in (400, 401, 403):
            next(iter(self._client.list_objects(self.bucket, prefix=key, recursive=True)), None)
        elif exc.response.status == 404:
            try:
                given = self._client.get_object(self.bucket, key, offset=0, length=1)
            except S3Error as said:
                if said.code not in ABSENT:
                    raise
            else:
                given.close()
                given.release_conn()
                raise StoreUnavailable(f"stat {key}: it is given, and said not to be there")

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in key order."""
        with self._translated("list", prefix):
            found = self._client.list_objects(
                self.bucket, prefix=prefix, recursive=True, start_after=after or None
            )
            for item in once(found):
                yield ObjectInfo(item.object_name or "", item.size or 0, item.etag or "")

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        """Delete objects; those already gone count as deleted.  Returns why some are refused."""
        with self._translated("delete", keys[0] if keys else ""):
            return self._deleting.run(keys)

    def unfinished(self) -> Iterator[Upload]:
        """Yield the uploads in parts that nobody finished."""
        with self._translated("list unfinished uploads in", ""):
            yield from list_uploads(self._client, self.bucket)

    def end_upload(self, upload: Upload) -> None:
        """Give an upload up; nothing where it is over already."""
        with self._translated("end an upload of", upload.key):
            try:
                abort_upload(self._client, self.bucket, upload)
            except S3Error as exc:
                if exc.code != "NoSuchUpload":
                    raise

    def date(self) -> int | None:
        """Return the store's own time, as its answers say; whole seconds."""
        with self._translated("ask the time of", ""):
            # not on a connection that goes on: RGW ends this answer with what the next begins with
            over = {"Connection": "close"}
            said = self._http.request("HEAD", self.endpoint, headers=over).headers.get("Date")
        try:
            return round(parsedate_to_datetime(said).timestamp()) * SECOND if said else None
        except ValueError:
            return None

    # -- versions and legal holds --------------------------------------------------------------

    @property
    def protects(self) -> bool:
        """Whether the bucket keeps an object that has a legal hold.

        Raises: ``StoreUnavailable`` while that cannot be found out.
        """
        return bool(self._can.protects.answer())

    @property
    def ends_uploads(self) -> bool | None:
        """Whether the bucket ends uploads that broke off; ``None`` where it does not say.

        They take room that no list shows; the janitor ends those that are ours.
        Raises: ``StoreUnavailable``.
        """
        return self._can.ends_uploads.answer()

    def protect(self, key: str, on: bool) -> None:
        """Place a legal hold on the newest version of an object, or lift those of all.

        What was written over may be held, too, and none of it could be deleted then.
        """
        with self._translated("protect", key):
            versions = [one for one in self._versions.of(key) if not one[1]]
            if not versions:
                raise CopyMissing(f"protect {key} in store {self.name}: no such object")
            if on:
                self._client.enable_object_legal_hold(self.bucket, key, versions[0][0])
                return
            for version, _ in versions:
                self._client.disable_object_legal_hold(self.bucket, key, version)

    def protected(self, key: str) -> bool | None:
        """Tell whether a version of an object has a legal hold: the newest, or one under it."""
        with self._translated("ask for a legal hold on", key):
            try:
                held = self._client.is_object_legal_hold_enabled
                if held(self.bucket, key):
                    return True
                under = [version for version, marker in self._versions.of(key) if not marker][1:]
                return any(held(self.bucket, key, version) for version in under)
            except S3Error as exc:
                return said_by(exc)
            except ValueError:  # an answer that the client cannot read
                return None

    def earlier(self, key: str, size: int) -> Iterator[Read]:
        """Yield what reads versions of an object that have a size, the oldest first."""
        with self._translated("list versions of", key):
            found = self._versions.sized(key, size)
        for version in found:
            yield partial(self._earlier, key, version)

    def _earlier(self, key: str, version: str) -> Iterator[bytes]:
        with self._translated(f"read version {version} of", key):
            yield from self._versions.read(key, version)

    def presign(self, key: str, seconds: int) -> str | None:
        """Return a URL that reads the object for a while."""
        with self._translated("presign", key):
            return self._client.presigned_get_object(
                self.bucket, key, expires=timedelta(seconds=seconds)
            )

    def free_bytes(self) -> tuple[int, int] | None:
        """S3 does not say."""
        return None
