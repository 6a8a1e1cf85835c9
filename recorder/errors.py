"""Everything that can go wrong, grouped by what the caller should do next.

    RecorderError                                        retry  http  exit
    ├─ RequestError         change the request            no    400    64
    │  ├─ NotFound                                              404    66
    │  ├─ NoFootage         names the nearest footage           404    66
    │  ├─ BadDocument       policy or camera, by path           422    78
    │  │  └─ InFuture       by our clock, which may be wrong
    │  ├─ NotKnown          show who you are                    401    77
    │  ├─ NotAllowed                                            403    77
    │  ├─ TooSlow                                               408    64
    │  ├─ TooLarge                                              413    64
    │  ├─ NotJson           a write that a form could send      415    64
    │  └─ WrongHost         asked under a name not ours         421    64
    ├─ StateError           look again, then decide       no    409    75
    │  ├─ KeyTaken
    │  ├─ NameTaken         another site has this name
    │  ├─ SpoolTaken        another recorder works on it
    │  ├─ StaleVersion                                          412    75
    │  ├─ HasGaps           asked for footage without gaps
    │  ├─ MixedCodecs       one file cannot hold both
    │  ├─ NotThinnable      its pictures cannot stand alone
    │  └─ NotShowable       it needs pictures that are not there
    ├─ UnavailableError     try again later               yes   503    75
    │  ├─ NotYet            footage that is about to come
    │  ├─ TooMany           so much in so short a time          429    75
    │  ├─ SourceUnreachable
    │  ├─ StoreUnavailable
    │  ├─ AuditUnavailable  nothing happens without an entry
    │  ├─ CatalogUnavailable
    │  │  └─ CatalogDamaged  a person must look      no    500    65
    │  ├─ SiteUnreachable
    │  ├─ ServerUnreachable  of which we are a client
    │  ├─ ProviderUnreachable  that people sign in with
    │  ├─ NotStamped        by an authority for time stamps
    │  ├─ NoThread          this node may begin no more of them
    │  └─ SpoolFull                                             507    75
    ├─ IntegrityError       a person must look            no    500    65
    │  ├─ MalformedMedia
    │  ├─ IndexCorrupt
    │  ├─ DigestMismatch
    │  └─ CopyMissing
    └─ ConfigError          fix the settings, restart     no    500    78
       ├─ KeyMissing        that secrets are encrypted under   409    78
       ├─ StoreRefused      wrong keys, bucket, clock or identity
       └─ MissingProgram

Exit codes are those of sysexits, 74 where the system refuses a file that was named on the command
line; the HTTP body is an RFC 9457 problem.  A message says
what was being done, to which id; ``hint`` says what a person can do about it.
"""

from __future__ import annotations


class RecorderError(Exception):
    """Base of every error this package raises on purpose."""

    retryable = False
    http_status = 500
    exit_code = 70
    retry_after_s = 5
    """When to try again, where that may help."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RequestError(RecorderError):
    """The request itself must change."""

    http_status = 400
    exit_code = 64


class NotFound(RequestError):
    """Nothing has that name."""

    http_status = 404
    exit_code = 66


class NoFootage(RequestError):
    """The range holds no footage; the hint names the nearest that exists."""

    http_status = 404
    exit_code = 66


class BadDocument(RequestError):
    """A document breaks a rule; the message gives the path of the mistake."""

    http_status = 422
    exit_code = 78


class InFuture(BadDocument):
    """Lies in the future by our clock, which may be the one that is wrong: said again, later."""


class NotAllowed(RequestError):
    """The caller may not do this."""

    http_status = 403
    exit_code = 77


class NotKnown(RequestError):
    """Nobody knows who the caller is, or what it showed counts no more."""

    http_status = 401
    exit_code = 77


class TooSlow(RequestError):
    """Nothing more of a request came."""

    http_status = 408


class TooLarge(RequestError):
    """More bytes than are taken."""

    http_status = 413


class NotJson(RequestError):
    """A write that does not say it is JSON, such as one that a web page's form sends."""

    http_status = 415


class WrongHost(RequestError):
    """Asked under a name that is not this node's."""

    http_status = 421


class StateError(RecorderError):
    """The world is not in the state the request assumed."""

    http_status = 409
    exit_code = 75


class SpoolTaken(StateError):
    """Another process works on this spool."""


class KeyTaken(StateError):
    """An object already stands under that key."""


class NameTaken(StateError):
    """Another site has this name; nothing of what this one says is taken in."""


class StaleVersion(StateError):
    """The document changed since it was read."""

    http_status = 412


class HasGaps(StateError):
    """Footage without gaps was asked for, and there are gaps."""


class MixedCodecs(StateError):
    """One file was asked for, of footage in codecs that one file cannot hold."""


class NotThinnable(StateError):
    """A segment's pictures cannot be shown one by one: it has no smaller form."""


class NotShowable(StateError):
    """A picture cannot be decoded, for those that it needs were not recorded, or are gone."""


class UnavailableError(RecorderError):
    """Something outside did not answer; trying again later may succeed."""

    retryable = True
    http_status = 503
    exit_code = 75


class NotYet(UnavailableError):
    """Footage was asked for that may still come: it was not filmed, or is on its way."""

    def __init__(self, message: str, *, hint: str = "", retry_after_s: int = 5) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class TooMany(UnavailableError):
    """The caller asks for more than it may in so short a time."""

    http_status = 429

    def __init__(self, message: str, *, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class SourceUnreachable(UnavailableError):
    """A camera could not be reached, or refused."""


class SiteUnreachable(UnavailableError):
    """Another site did not answer."""


class ServerUnreachable(UnavailableError):
    """A server whose API we are a client of did not answer."""


class ProviderUnreachable(UnavailableError):
    """The provider that people sign in with did not answer, or what it answered is of no use."""


class NotStamped(UnavailableError):
    """The authority for time stamps did not answer, or what it answered is of no use."""


class StoreUnavailable(UnavailableError):
    """The object store did not answer."""


class AuditUnavailable(UnavailableError):
    """The audit log cannot be written, and without an entry nothing is shown or changed."""


class CatalogUnavailable(UnavailableError):
    """The catalog's database did not answer."""


class CatalogDamaged(CatalogUnavailable):
    """The catalog's file is damaged; recording goes on without it, and a person looks."""

    retryable = False
    http_status = 500
    exit_code = 65


class NoThread(UnavailableError):
    """The system lets this process begin no more threads; what was to be done is not begun."""


class SpoolFull(UnavailableError):
    """The node's spool has no room left."""

    http_status = 507


class IntegrityError(RecorderError):
    """Bytes are not what they should be; nobody retries, a person looks."""

    exit_code = 65


class MalformedMedia(IntegrityError):
    """A file is not the media it claims to be."""


class IndexCorrupt(IntegrityError):
    """A footer or frame table does not decode."""


class DigestMismatch(IntegrityError):
    """Stored bytes differ from their digest."""


class CopyMissing(IntegrityError):
    """A cataloged copy is not where the catalog says."""


class ConfigError(RecorderError):
    """The settings are wrong; fix them and restart."""

    exit_code = 78


class StoreRefused(ConfigError):
    """The store answered, and the answer is no: keys, bucket, clock or identity."""

    http_status = 502


class KeyMissing(ConfigError):
    """The key that secrets in the catalog are encrypted under is not here."""

    http_status = 409


class MissingProgram(ConfigError):
    """A program this node needs is not installed."""
