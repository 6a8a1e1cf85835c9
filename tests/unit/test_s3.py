"""What an S3 store makes of what servers answer, from recorded answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from socket import gaierror

import pytest
from minio.error import InvalidResponseError
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError, SSLError

from recorder.doctor.stores import look_at_uploads
from recorder.errors import RecorderError, StoreRefused, StoreUnavailable
from recorder.store.asked import AGAIN_S, Asked
from recorder.store.memory import MemoryStore
from recorder.store.probe import probe
from recorder.store.s3 import S3Store
from recorder.store.translated import translated
from tests.support.ports import free_port
from tests.support.recorded import NS, Answer, Recorded, error

ENABLED = Answer(
    body=f"<VersioningConfiguration {NS}><Status>Enabled</Status>"
    "</VersioningConfiguration>".encode()
)
NEVER = Answer(body=f"<VersioningConfiguration {NS}></VersioningConfiguration>".encode())
LOCK = Answer(
    body=f"<ObjectLockConfiguration {NS}><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
    "</ObjectLockConfiguration>".encode()
)
LOCK_WITHOUT_RETENTION = Answer(
    body=f"<ObjectLockConfiguration {NS}><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    "<Rule></Rule></ObjectLockConfiguration>".encode()
)
HELD = Answer(body=f"<LegalHold {NS}><Status>ON</Status></LegalHold>".encode())
PUT = Answer(headers=(("ETag", '"e"'), ("x-amz-version-id", "v1")))
VERSIONS = Answer(
    body=(
        f"<ListVersionsResult {NS}><Name>bucket</Name><IsTruncated>false</IsTruncated>"
        "<DeleteMarker><Key>a</Key><VersionId>m1</VersionId><IsLatest>true</IsLatest>"
        "<LastModified>2026-11-28T10:00:00.002589304Z</LastModified></DeleteMarker>"
        "<Version><Key>a</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>"
        "<LastModified>2026-11-28T09:00:00.123456789Z</LastModified><Size>3</Size></Version>"
        "</ListVersionsResult>"
    ).encode()
)
DELETED = Answer(body=f"<DeleteResult {NS}></DeleteResult>".encode())

Serve = Callable[[dict[str, Answer | list[Answer]]], tuple[S3Store, Recorded]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Make a store on a server that answers by method and what is asked of; a list in turn."""
    servers: list[Recorded] = []

    def begin(said: dict[str, Answer | list[Answer]]) -> tuple[S3Store, Recorded]:
        def answer(method: str, key: str, names: frozenset[str]) -> Answer:
            known = ("versioning", "object-lock", "versions", "legal-hold", "delete", "list-type",
                     "lifecycle")  # fmt: skip
            topic = next((one for one in known if one in names), "object")
            found = said.get(f"{method} {topic}", error(501, "NotImplemented"))
            if isinstance(found, Answer):
                return found
            return found.pop(0) if len(found) > 1 else found[0]

        servers.append(Recorded(answer))
        return S3Store("s", servers[-1].url, "bucket", ("key", "secret")), servers[-1]

    yield begin
    for server in servers:
        server.close()


def asked(server: Recorded, method: str, name: str) -> int:
    return sum(1 for one in server.asked if one[0] == method and name in one[2])


@pytest.mark.parametrize("busy", [error(503, "SlowDown"), error(500, "Odd"), Answer(503)])
@pytest.mark.parametrize("question", ["versioning", "object-lock"])
def test_a_store_that_was_busy_when_it_was_asked_is_asked_again(
    question: str, busy: Answer, serve: Serve
) -> None:
    said: dict[str, Answer | list[Answer]] = {"GET versioning": ENABLED, "GET object-lock": LOCK}
    then = said[f"GET {question}"]
    assert isinstance(then, Answer)
    store, _ = serve(said | {f"GET {question}": [busy, then]})
    with pytest.raises(StoreUnavailable):
        assert store.protects
    assert store.protects


def test_asking_a_store_for_its_time_spoils_no_connection(serve: Serve) -> None:
    store, server = serve({"HEAD object": Answer()})
    assert store.date() is not None
    assert server.headers[-1]["Connection"] == "close"


def test_a_store_that_was_away_when_it_was_asked_is_asked_again(serve: Serve) -> None:
    there, _ = serve({"GET versioning": ENABLED, "GET object-lock": LOCK})
    store = S3Store("s", f"http://127.0.0.1:{free_port()}", "bucket", ("key", "secret"))
    with pytest.raises(StoreUnavailable):
        assert store.protects
    store._can._client = there._client
    assert store.protects


@pytest.mark.parametrize(
    "answers",
    [
        {"GET versioning": error(501, "NotImplemented")},
        {"GET versioning": NEVER},
        {
            "GET versioning": ENABLED,
            "GET object-lock": error(404, "ObjectLockConfigurationNotFoundError"),
        },
    ],
)
def test_a_no_is_not_asked_for_again(
    answers: dict[str, Answer | list[Answer]], serve: Serve
) -> None:
    store, server = serve(answers)
    assert not store.protects
    before = len(server.asked)
    assert not store.protects
    assert len(server.asked) == before


@pytest.mark.parametrize("lock", [LOCK_WITHOUT_RETENTION, error(403, "AccessDenied")])
@pytest.mark.parametrize("holds", [True, False])
def test_where_a_lock_cannot_be_asked_for_a_hold_is_tried(
    holds: bool, lock: Answer, serve: Serve
) -> None:
    store, server = serve(
        {
            "GET versioning": ENABLED,
            "GET object-lock": lock,
            "PUT object": PUT,
            "PUT legal-hold": Answer() if holds else error(400, "InvalidRequest"),
            "GET legal-hold": HELD,
            "DELETE object": Answer(204),
        }
    )
    assert store.protects is holds
    assert store.protects is holds
    assert asked(server, "GET", "object-lock") == 1
    assert server.asked[-1][0] == "DELETE", "nothing of ours is left there"


def test_what_no_way_tells_is_unknown_and_asked_again_after_a_while(serve: Serve) -> None:
    denied, clock = error(403, "AccessDenied"), [0.0]
    store, server = serve(
        {
            "GET versioning": ENABLED,
            "GET object-lock": [denied, denied, LOCK],
            "PUT object": denied,
        }
    )
    store._can.protects = Asked(store._can._ask_protects, lambda: clock[0])
    assert (store.protects, store.protects) == (False, False)
    assert asked(server, "GET", "object-lock") == 1
    clock[0] += AGAIN_S
    assert not store.protects
    clock[0] += AGAIN_S
    assert store.protects


@pytest.mark.parametrize(
    "odd",
    [error(400, "ExpiredToken"), error(400, "InvalidToken"), error(404, "NoSuchBucket"),
     error(409, "OperationAborted"), error(400, "AuthorizationHeaderMalformed"),
     error(400, "RequestExpired"), error(301, "PermanentRedirect"),
     error(404, "XAdminUserNotFound")],
)  # fmt: skip
@pytest.mark.parametrize("question", ["versioning", "object-lock"])
def test_what_was_refused_for_who_asked_or_when_is_not_a_no(
    question: str, odd: Answer, serve: Serve
) -> None:
    said: dict[str, Answer | list[Answer]] = {
        "GET versioning": ENABLED, "GET object-lock": LOCK,
        "PUT object": error(403, "AccessDenied"),
    }  # fmt: skip
    then, clock = said[f"GET {question}"], [0.0]
    assert isinstance(then, Answer)
    store, _ = serve(said | {f"GET {question}": [odd, then]})
    can = store._can
    can.versioned = Asked(can._ask_versioned, lambda: clock[0])
    can.protects = Asked(can._ask_protects, lambda: clock[0])
    assert can.versioned.answer() is not False
    assert can.protects.answer() is not False
    clock[0] += AGAIN_S
    assert (can.versioned.answer(), can.protects.answer()) == (True, True)


def test_a_delete_marker_with_a_time_of_nine_digits_is_taken_off(serve: Serve) -> None:
    store, server = serve(
        {
            "GET versioning": ENABLED,
            "GET versions": VERSIONS,
            "HEAD object": [Answer(404), Answer()],
            "GET object": error(404, "NoSuchKey"),
            "DELETE object": Answer(204),
        }
    )
    assert store.head("a") is not None
    assert ("DELETE", "a", frozenset({"versionId"})) in server.asked


def test_versions_are_deleted_where_asking_for_versioning_is_refused(serve: Serve) -> None:
    store, server = serve(
        {
            "GET versioning": error(403, "AccessDenied"),
            "GET versions": VERSIONS,
            "POST delete": DELETED,
        }
    )
    assert store.delete(["a"]) == {}
    assert asked(server, "GET", "versions") == 1
    assert asked(server, "POST", "delete") == 1


def test_a_delete_is_not_by_marker_while_nobody_knows_whether_there_are_versions(
    serve: Serve,
) -> None:
    denied = error(403, "AccessDenied")
    store, server = serve({"GET versioning": denied, "GET versions": denied})
    with pytest.raises(StoreRefused):
        store.delete(["a"])
    assert asked(server, "POST", "delete") == 0


def test_an_object_that_is_not_there_is_not_there_for_keys_that_only_read(serve: Serve) -> None:
    denied = error(403, "AccessDenied")
    none, absent = Answer(404), error(404, "NoSuchKey")
    store, _ = serve(
        {"HEAD object": none, "GET object": absent, "GET versioning": denied,
         "GET versions": denied}
    )  # fmt: skip
    assert store.head("a") is None


@pytest.mark.parametrize(
    ("code", "hint"), [("XAdminUserNotFound", "access key"), ("NoSuchBucket", "bucket")]
)
def test_an_object_is_not_gone_because_the_account_or_the_bucket_is(
    code: str, hint: str, serve: Serve
) -> None:
    gone = error(404, code)  # as versitygw answers; a HEAD has no body to say which
    store, _ = serve(
        {"HEAD object": Answer(404), "GET object": gone, "GET versioning": [NEVER, gone]}
    )
    assert store._can.versioned.answer() is False, "it was asked while all was well"
    with pytest.raises(StoreRefused, match=code) as said:
        store.head("a")
    assert hint in said.value.hint


def test_what_a_store_says_beside_its_code_is_told(serve: Serve) -> None:
    said = (
        "<Error><Code>AccessDenied</Code><Message>Forbidden: Invalid\n signature</Message></Error>"
    )
    store, _ = serve({"GET object": Answer(403, said.encode())})  # as Garage answers
    with pytest.raises(StoreRefused, match="AccessDenied Forbidden: Invalid signature"):
        list(store.read("a", 0, 1))


def test_an_object_that_is_given_is_there_whatever_a_head_says(serve: Serve) -> None:
    given = Answer(206, b"0", (("Content-Range", "bytes 0-0/10"),))
    store, _ = serve({"HEAD object": Answer(404), "GET object": given, "GET versioning": NEVER})
    with pytest.raises(StoreUnavailable, match="it is given"):
        store.head("a")


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [(403, "SignatureDoesNotMatch", "secret"), (403, "InvalidAccessKeyId", "access key"),
     (403, "RequestTimeTooSkewed", "clock"), (400, "ExpiredToken", "expired"),
     (403, "AccessDenied", "are the keys right")],
)  # fmt: skip
def test_a_refused_head_is_asked_for_its_reason(
    status: int, code: str, hint: str, serve: Serve
) -> None:
    store, _ = serve({"HEAD object": Answer(status), "GET list-type": error(status, code)})
    with pytest.raises(StoreRefused) as said:
        store.head("a")
    assert code in str(said.value)
    assert hint in said.value.hint


@pytest.mark.parametrize(
    ("reason", "kind", "hint"),
    [(SSLError("certificate verify failed: certificate has expired"), StoreRefused, "renew"),
     (SSLError("certificate verify failed: Hostname mismatch"), StoreRefused, "endpoint"),
     (SSLError("certificate verify failed: self-signed certificate"), StoreRefused, "ca_file"),
     (SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), StoreRefused, "http://"),
     (NameResolutionError("s3.test", HTTPConnection("s3.test"), gaierror()), StoreUnavailable,
      "DNS"),
     (NewConnectionError(HTTPConnection("s3.test"), "refused"), StoreUnavailable, "running")],
    ids=["expired", "mismatch", "unknown CA", "no TLS", "DNS", "refused"],
)  # fmt: skip
def test_why_a_store_cannot_be_reached_is_told_with_what_helps(
    reason: Exception, kind: type[RecorderError], hint: str
) -> None:
    with pytest.raises(kind) as said, translated("stat x", "https://s3.test"):
        raise MaxRetryError(HTTPConnectionPool("s3.test"), "/", reason)
    assert hint in said.value.hint


def test_a_server_that_speaks_tls_alone_is_told_as_such() -> None:
    page = "Client sent an HTTP request to an HTTPS server.\n"
    with (
        pytest.raises(StoreUnavailable, match="HTTPS server") as said,
        translated("stat x", "http://s3.test"),
    ):
        raise InvalidResponseError(400, "text/plain", page)
    assert "https://" in said.value.hint
    assert "\n" not in str(said.value)


def test_a_probe_says_why_it_does_not_know_of_holds(serve: Serve) -> None:
    store, _ = serve({"GET versioning": error(503, "SlowDown")})
    facts = probe(store)
    assert facts["legal_hold"] is False
    assert "SlowDown" in str(facts["legal_hold_error"])


def test_a_probe_says_why_what_it_wrote_is_not_deleted() -> None:
    class Keeps(MemoryStore):
        def delete(self, keys: Sequence[str]) -> dict[str, str]:
            return dict.fromkeys(keys, "InvalidRequest: Object is WORM protected")

    facts = probe(Keeps("m"))
    assert facts["delete"] is False
    assert "WORM" in str(facts["delete_error"])


def rules(rule: str) -> Answer:
    body = f"<LifecycleConfiguration {NS}><Rule>{rule}</Rule></LifecycleConfiguration>"
    return Answer(body=body.encode())


ENDS = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
ENDS += "</AbortIncompleteMultipartUpload>"
ALL, SOME = "<Filter><Prefix></Prefix></Filter>", "<Filter><Prefix>x/</Prefix></Filter>"
ON, OFF = "<Status>Enabled</Status>", "<Status>Disabled</Status>"


@pytest.mark.parametrize(
    ("said", "ends", "told"),
    [
        (rules(ALL + ON + ENDS), True, ""),
        (rules(ALL + OFF + ENDS), False, "has no"),
        (rules(SOME + ON + ENDS), False, "has no"),
        (error(404, "NoSuchLifecycleConfiguration"), False, "has no"),
        (error(501, "NotImplemented"), None, "tells no"),
        (error(403, "AccessDenied"), None, "tells no"),
    ],
)
def test_the_doctor_asks_for_a_rule_that_ends_uploads_that_broke_off(
    said: Answer, ends: bool | None, told: str, serve: Serve
) -> None:
    store, _ = serve({"GET lifecycle": said})
    assert store.ends_uploads is ends
    assert [told in one.detail for one in look_at_uploads("s", store)] == ([True] if told else [])
    assert look_at_uploads("m", MemoryStore("m")) == []


def test_what_raised_is_asked_again_and_what_is_known_is_not() -> None:
    answers: list[bool | Exception] = [StoreUnavailable("busy"), True]

    def ask() -> bool:
        one = answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    question = Asked(ask)
    with pytest.raises(RecorderError):
        question.answer()
    assert question.answer() is True
    assert question.answer() is True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HELD, True),
        (Answer(body=f"<LegalHold {NS}><Status>OFF</Status></LegalHold>".encode()), False),
        (error(404, "NoSuchObjectLockConfiguration"), False),
        (error(403, "AccessDenied"), None),
    ],
)
def test_a_legal_hold_is_there_not_there_or_unknown(
    answer: Answer, said: bool | None, serve: Serve
) -> None:
    store, _ = serve({"GET legal-hold": answer})
    assert store.protected("a") is said


def test_a_store_that_is_busy_does_not_say_that_nothing_is_held(serve: Serve) -> None:
    store, _ = serve({"GET legal-hold": error(503, "SlowDown")})
    with pytest.raises(StoreUnavailable):
        store.protected("a")
