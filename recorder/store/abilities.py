"""What a bucket can do, and its server: asked, and asked again while there is no answer."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from minio import Minio
from minio.error import S3Error

from recorder.store.asked import Asked

log = logging.getLogger("recorder.store")

HOLD_PROBE_KEY = "spanstore-probe/hold"
_VERSIONED = ("Enabled", "Suspended")

BUSY = ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "TooManyRequests")
"""What says nothing of what a store can do: it is asked again."""
_REFUSED = (301, 302, 307, 308, 401, 403, 408, 409, 421, 425)
_OF_THE_ASKING = (
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidToken",
    "NoSuchBucket",
    "RequestExpired",
    "TokenRefreshRequired",
    "XAdminUserNotFound",
)
"""Of who asks, where, or when: keys are renewed, a bucket is made, and then it says."""


class Abilities:
    """Answers of one bucket; each ``None`` where it does not say.

    ``versioned``: whether it keeps versions; ``protects``: whether it keeps what has a legal hold;
    ``ends_uploads``: whether it ends uploads that broke off.
    """

    def __init__(
        self,
        name: str,
        bucket: str,
        client: Minio,
        translated: Callable[[str, str], AbstractContextManager[None]],
    ) -> None:
        """``translated`` names errors by what was tried."""
        self.name, self.bucket = name, bucket
        self._client, self._translated = client, translated
        self.versioned = Asked(self._ask_versioned)
        self.protects = Asked(self._ask_protects)
        self.ends_uploads = Asked(self._ask_ends_uploads)

    def _ask_versioned(self) -> bool | None:
        """Find out whether the bucket keeps versions: a plain delete would then free nothing."""
        with self._translated("ask for versioning of", ""):
            try:
                return self._client.get_bucket_versioning(self.bucket).status in _VERSIONED
            except S3Error as exc:
                return said_by(exc)

    def _ask_ends_uploads(self) -> bool | None:
        with self._translated("ask for lifecycle rules of", ""):
            try:
                found = self._client.get_bucket_lifecycle(self.bucket)
            except S3Error as exc:
                said_by(exc)
                return None  # refused, or a server without rules
            except ValueError:  # rules that the client cannot read
                return None
        rules = found.rules if found is not None else ()
        return any(
            rule.status == "Enabled"
            and rule.abort_incomplete_multipart_upload is not None
            and not (rule.rule_filter and (rule.rule_filter.prefix or rule.rule_filter.tag))
            for rule in rules
        )

    def _ask_protects(self) -> bool | None:
        if self.versioned.answer() is False:
            return False
        with self._translated("ask for object lock of", ""):
            try:
                self._client.get_object_lock_config(self.bucket)
            except S3Error as exc:
                said = said_by(exc)
                return self._try_hold() if said is None else said
            except ValueError:  # an answer without a default retention, perhaps
                return self._try_hold()
        return True

    def _try_hold(self) -> bool | None:
        """Place a hold on a small object of our own, and remove both; tried, not believed."""
        body, key, client = b"probe", HOLD_PROBE_KEY, self._client
        try:
            version = client.put_object(self.bucket, key, io.BytesIO(body), len(body)).version_id
        except S3Error as exc:
            said_by(exc)
            log.warning("not known whether it keeps holds", extra={"store": self.name})
            return None
        try:
            client.enable_object_legal_hold(self.bucket, key, version)
            held = client.is_object_legal_hold_enabled(self.bucket, key, version)
            client.disable_object_legal_hold(self.bucket, key, version)
            return held
        except S3Error as exc:
            return said_by(exc)
        finally:
            with suppress(S3Error):  # kept for a time by the bucket's own rule
                client.remove_object(self.bucket, key, version_id=version)


def said_by(exc: S3Error) -> bool | None:
    """Read a refusal: no, or nothing, where it is the asking that is refused.

    Raises: ``exc`` where the store could not answer now.
    """
    if exc.code in BUSY or exc.response.status in (429, 500, 502, 503, 504):
        raise exc
    refused = exc.response.status in _REFUSED or exc.code in _OF_THE_ASKING
    return None if refused else False
