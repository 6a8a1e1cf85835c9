"""Uploads that nobody finished: they take room that no list of objects shows.

In a bucket these are uploads in parts, in a directory files that have not got their name yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from recorder.model.timebase import SECOND, Instant
from recorder.ports import ObjectStore

if TYPE_CHECKING:
    from minio import Minio  # with all that it needs 6 MiB, which a node without S3 never has

MOST_PAGES = 20
"""So many times a thousand are looked at; the rest when these are gone."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was begun and neither finished nor ended; ``begun`` by the store's clock.

    ``number``: what tells it from others of its key; in a directory its file's name.
    """

    key: str
    number: str
    begun: Instant


class PartedStore(ObjectStore, Protocol):
    """A store to which large objects go in parts."""

    def unfinished(self) -> Iterator[Upload]:
        """Yield the uploads that nobody finished, anybody's.

        Raises: ``StoreUnavailable``, ``StoreRefused``.
        """

    def end_upload(self, upload: Upload) -> None:
        """Give an upload up, and its parts' room back; nothing where it is over already.

        Raises: ``StoreUnavailable``, ``StoreRefused``.
        """


class FolderStore(ObjectStore, Protocol):
    """A store in a directory: what was begun there is found by looking through all folders."""

    def begun_in(self, folder: str) -> tuple[list[str], list[Upload]]:
        """Return the folders in a folder (``""`` for all, ``a/b/``), and what was begun there.

        Raises: ``StoreUnavailable``.
        """

    def end_upload(self, upload: Upload) -> None:
        """Remove what was begun; nothing where it is gone already.

        Raises: ``StoreUnavailable``.
        """


def list_uploads(client: Minio, bucket: str) -> Iterator[Upload]:
    """Yield unfinished uploads, page by page; the client knows how, and offers it to nobody."""
    key, number = None, None
    for _ in range(MOST_PAGES):
        page = client._list_multipart_uploads(bucket, key_marker=key, upload_id_marker=number)
        for one in page.uploads:
            if one.initiated_time is not None and one.upload_id:
                begun = round(one.initiated_time.timestamp()) * SECOND
                # names are asked for encoded; RGW encodes them and does not say so
                said = one.object_name if page.encoding_type else unquote(one.object_name)
                yield Upload(said, one.upload_id, begun)
        key, number = page.next_key_marker, page.next_upload_id_marker
        if not page.is_truncated or not key:
            return


def abort_upload(client: Minio, bucket: str, upload: Upload) -> None:
    """End one."""
    client._abort_multipart_upload(bucket, upload.key, upload.number)
