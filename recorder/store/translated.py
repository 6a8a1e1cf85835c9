"""What a client of S3 raises, as our errors: by what the caller can do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

import urllib3
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from recorder.errors import CopyMissing, RecorderError, StoreRefused, StoreUnavailable

ABSENT = ("NoSuchKey", "NoSuchObject")
SHOWN = 200
"""So many characters of what a store says are shown."""
_REFUSALS = {
    "NoSuchBucket": "create the bucket, or correct its name",
    "AccessDenied": "are the keys right? then give them read, write, list and delete on the bucket",
    "InvalidAccessKeyId": "correct the access key",
    "XAdminUserNotFound": "correct the access key",
    "SignatureDoesNotMatch": "correct the secret key",
    "ExpiredToken": "give keys that have not expired",
    "InvalidToken": "correct the session token, or give keys that need none",
    "RequestTimeTooSkewed": "set this machine's clock: it differs too much from the store's",
    "AuthorizationHeaderMalformed": "correct the region",
    "InvalidBucketName": "bucket names have 3 to 63 lower-case letters, digits and '-'",
    "PermanentRedirect": "correct the endpoint or region",
}

_OF_ONE = {
    "InvalidObjectState": "it lies in an archive (GLACIER, DEEP_ARCHIVE): fetch it from there, and "
    "take rules that move objects there from this bucket",
    "KMS.DisabledException": "the key that it is encrypted with is disabled: enable it",
    "KMS.KMSInvalidStateException": "the key that it is encrypted with is to be deleted: take that "
    "back",
    "KMS.NotFoundException": "the key that it is encrypted with is gone",
}
"""What a store says of one object, which others need not share."""


@contextmanager
def translated(said: str, endpoint: str) -> Iterator[None]:
    """Translate errors of what is done within; ``said`` is what was tried.

    Raises: ``CopyMissing``, ``StoreRefused``, ``StoreUnavailable``.
    """
    try:
        yield
    except RecorderError:
        raise
    except S3Error as exc:
        raise _refusal(said, exc) from exc
    except (ServerError, InvalidResponseError) as exc:
        why = " ".join(str(exc).split())  # as MinIO and nginx say it of plain HTTP
        hint = "write the endpoint with https://" if "HTTPS" in why else ""
        raise StoreUnavailable(f"{said}: {why}", hint=hint) from exc
    except urllib3.exceptions.MaxRetryError as exc:
        if isinstance(exc.reason, urllib3.exceptions.SSLError):
            raise StoreRefused(f"{said}: {exc.reason}", hint=_tls_hint(str(exc.reason))) from exc
        if isinstance(exc.reason, urllib3.exceptions.NameResolutionError):
            why = f"the name in {endpoint} does not resolve"
            raise StoreUnavailable(f"{said}: {why}", hint="does this machine's DNS work?") from exc
        raise StoreUnavailable(
            f"{said}: {endpoint} does not answer", hint="is the store running?"
        ) from exc
    except (urllib3.exceptions.HTTPError, OSError) as exc:
        raise StoreUnavailable(f"{said}: {exc}") from exc
    except ParseError as exc:  # a proxy's page, or an answer that was cut
        raise StoreUnavailable(f"{said}: the answer is no XML: {exc}") from exc
    except (MinioException, ValueError) as exc:
        raise StoreRefused(f"{said}: {exc}") from exc


def _tls_hint(reason: str) -> str:
    """Say what helps against a certificate that is not taken."""
    if "expired" in reason or "not yet valid" in reason:
        return "renew the store's certificate, if this machine's clock is right"
    if "mismatch" in reason:
        return "write the endpoint with a name that is in the store's certificate"
    if "certificate" not in reason:  # a wrong version, a record that is none: plain HTTP
        return "does it speak TLS there? else write the endpoint with http://"
    return "give the store's CA with ca_file"


def _refusal(said: str, exc: S3Error) -> RecorderError:
    code = exc.code or ""
    if code in ABSENT:
        return CopyMissing(f"{said}: no such object")
    if code == "InvalidRange":  # it ends before what was asked for begins
        return CopyMissing(f"{said}: object is too short")
    # which region it wants, or that it is the signature (Garage), only its message says
    what = f"{said}: {code} {' '.join((exc.message or '').split())[:SHOWN]}".rstrip()
    if code in _REFUSALS:
        return StoreRefused(what, hint=_REFUSALS[code])
    return StoreUnavailable(what, hint=_OF_ONE.get(code, ""))
