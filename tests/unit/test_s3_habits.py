"""What an S3 store makes of servers that answer otherwise than S3 does."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from recorder.errors import CopyMissing, StoreRefused, StoreUnavailable
from recorder.store import pool
from recorder.store.deleting import UNLISTED
from recorder.store.s3 import S3Store
from tests.support.ports import free_port
from tests.support.recorded import NS, Answer, Recorded, error

NEVER = Answer(body=f"<VersioningConfiguration {NS}></VersioningConfiguration>".encode())
DAY = "Sat, 28 Nov 2026 10:00:00 GMT"
DENIED = "<Error>{}<Code>AccessDenied</Code><Message>no</Message></Error>"

Say = Callable[[str, str, frozenset[str]], Answer]
Serve = Callable[[Say], tuple[S3Store, Recorded]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Make a store on a server that answers as a function says; no bucket keeps versions."""
    servers: list[Recorded] = []

    def begin(say: Say) -> tuple[S3Store, Recorded]:
        def answer(method: str, key: str, names: frozenset[str]) -> Answer:
            return NEVER if "versioning" in names else say(method, key, names)

        servers.append(Recorded(answer))
        return S3Store("s", servers[-1].url, "bucket", ("key", "secret")), servers[-1]

    yield begin
    for server in servers:
        server.close()


def result(said: str) -> Answer:
    return Answer(body=f"<DeleteResult {NS}>{said}</DeleteResult>".encode())


def listed(*keys: str, more: bool = False, time: str = "2026-11-28T10:00:00.000Z") -> Answer:
    entries = "".join(
        f"<Contents><Key>{key}</Key><LastModified>{time}</LastModified><Size>3</Size></Contents>"
        for key in keys
    )
    head = f"<Name>bucket</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
    return Answer(body=f"<ListBucketResult {NS}>{head}{entries}</ListBucketResult>".encode())


@pytest.mark.parametrize(
    "said",
    [Answer(body=DENIED.format("").encode()), result(DENIED.format(""))],
    ids=["an error with status 200", "an error that names no object"],
)
def test_an_error_that_names_no_object_is_about_all(said: Answer, serve: Serve) -> None:
    store, _ = serve(lambda *_: said)
    assert store.delete(["a", "b"]) == dict.fromkeys("ab", "AccessDenied: no")


def test_what_was_gone_before_is_gone_whatever_it_is_called(serve: Serve) -> None:
    store, _ = serve(lambda *_: result("<Error><Key>a</Key><Code>NoSuchKey</Code></Error>"))
    assert store.delete(["a"]) == {}


def test_an_object_of_which_nothing_is_said_is_looked_for(serve: Serve) -> None:
    def say(method: str, key: str, names: frozenset[str]) -> Answer:
        if "delete" in names:
            return result("<Deleted><Key>a</Key></Deleted>")
        return Answer() if key == "b" else error(404, "NoSuchKey")

    store, _ = serve(say)
    assert list(store.delete(["a", "b", "c"])) == ["b"]


def test_an_object_of_which_no_version_is_listed_is_looked_for(serve: Serve) -> None:
    def say(method: str, key: str, names: frozenset[str]) -> Answer:
        if "versions" in names:  # versitygw lists x//y as x/y
            body = f"<ListVersionsResult {NS}><Name>bucket</Name></ListVersionsResult>"
            return Answer(body=body.encode())
        return Answer() if key == "x//y" else error(404, "NoSuchKey")

    store, _ = serve(say)
    store._can.versioned.learn(True)
    assert store.delete(["x//y", "gone"]) == {"x//y": UNLISTED}


def test_an_object_under_a_delete_marker_that_stays_is_read_by_its_version(serve: Serve) -> None:
    def say(method: str, key: str, names: frozenset[str]) -> Answer:
        if "versions" in names:  # SeaweedFS, where versioning is suspended
            version = "<Version><Key>k</Key><VersionId>v1</VersionId><Size>3</Size></Version>"
            marker = "<DeleteMarker><Key>k</Key><VersionId>null</VersionId></DeleteMarker>"
            said = f"<ListVersionsResult {NS}><Name>bucket</Name>{version}{marker}"
            return Answer(body=f"{said}</ListVersionsResult>".encode())
        if method == "DELETE":
            return Answer(204)
        return Answer(body=b"one") if "versionId" in names else error(404, "NoSuchKey")

    store, server = serve(say)
    store._can.versioned.learn(True)
    assert store.head("k") is not None
    assert b"".join(store.read("k", 0, 3)) == b"one"
    assert server.versions == ["null", "v1"] * 2


def versions(*said: tuple[str, int]) -> Answer:
    listed = "".join(
        f"<Version><Key>k</Key><VersionId>{name}</VersionId><Size>{size}</Size></Version>"
        for name, size in said
    )
    body = f"<ListVersionsResult {NS}><Name>bucket</Name>{listed}</ListVersionsResult>"
    return Answer(body=body.encode())


def test_what_was_written_over_is_read_the_oldest_first_and_only_what_has_the_size(
    serve: Serve,
) -> None:
    listed = versions(("v4", 3), ("v3", 1), ("v2", 3), ("v1", 3))
    bodies = iter([b"one", b"two", b"new"])

    def say(method: str, key: str, names: frozenset[str]) -> Answer:
        return listed if "versions" in names else Answer(body=next(bodies))

    store, server = serve(say)
    assert list(store.earlier("k", 3)) == [], "this bucket keeps none"
    store._can.versioned.learn(True)
    assert [b"".join(read()) for read in store.earlier("k", 3)] == [b"one", b"two", b"new"]
    assert server.versions == ["v1", "v2", "v4"]


def test_a_hold_is_lifted_from_all_versions_and_is_there_while_one_has_it(serve: Serve) -> None:
    state = {"v2": "OFF", "v1": "ON"}  # v2 was written over what is held
    asked = iter(["v2", "v1", "v2", "v1"])  # which one is asked for does not reach this server
    lifted: list[str] = []

    def say(method: str, key: str, names: frozenset[str]) -> Answer:
        if "versions" in names:
            return versions(("v2", 3), ("v1", 3))
        if method == "PUT":
            lifted.append(next(iter(names & {"versionId"})))
            state["v1"] = "OFF"
            return Answer()
        return Answer(
            body=f"<LegalHold {NS}><Status>{state[next(asked)]}</Status></LegalHold>".encode()
        )

    store, _ = serve(say)
    assert store.protected("k") is True
    store.protect("k", False)
    assert len(lifted) == 2
    assert store.protected("k") is False


@pytest.mark.parametrize("offset", [0, 5])
def test_an_object_that_ends_before_what_is_asked_for_begins_is_too_short(
    offset: int, serve: Serve
) -> None:
    store, _ = serve(lambda *_: error(416, "InvalidRange"))
    with pytest.raises(CopyMissing, match="too short"):
        list(store.read("a", offset, 3))


def test_where_objects_are_deleted_one_by_one_only_they_are(serve: Serve) -> None:
    def say(method: str, key: str, names: frozenset[str]) -> Answer:
        if method == "DELETE":
            return error(403, "AccessDenied") if key == "b" else Answer(204)
        return error(501, "NotImplemented")

    store, server = serve(say)
    assert store.delete(["a", "b"]) == {"b": "AccessDenied: no"}
    assert [key for method, key, _ in server.asked if method == "DELETE"] == ["a", "b"]


def test_a_bucket_that_keeps_versions_since_it_was_asked_frees_what_is_deleted(
    serve: Serve,
) -> None:
    version = "<Version><Key>a</Key><VersionId>v1</VersionId><Size>3</Size></Version>"
    versions = f"<Name>bucket</Name>{version}"
    marked = "<Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker></Deleted>"

    def say(method: str, key: str, names: frozenset[str]) -> Answer:
        if "versions" in names:
            return Answer(body=f"<ListVersionsResult {NS}>{versions}</ListVersionsResult>".encode())
        return result(marked)

    store, server = serve(say)
    assert store.delete(["a"]) == {}
    asked = [next(iter(names)) for _, _, names in server.asked if not names & {"versioning"}]
    assert asked[0] == asked[-1] == "delete", "first by a marker, then the version itself"
    assert len(asked) == 3


def test_bytes_are_those_asked_for_where_ranges_are_ignored(serve: Serve) -> None:
    store, _ = serve(lambda *_: Answer(body=b"0123456789"))
    assert b"".join(store.read("a", 5, 3)) == b"567"


def test_bytes_from_elsewhere_are_none_of_those_asked_for(serve: Serve) -> None:
    away = Answer(206, b"789", (("Content-Range", "bytes 7-9/10"),))
    before = Answer(206, b"3456789", (("Content-Range", "bytes 3-9/10"),))
    store, _ = serve(lambda _, key, names: away if key == "away" else before)
    assert b"".join(store.read("before", 5, 3)) == b"567"
    with pytest.raises(StoreUnavailable, match="given those from 7"):
        b"".join(store.read("away", 5, 3))


@pytest.mark.parametrize(
    "time",
    ["2026-11-28T12:00:00+02:00", "2026-11-28T10:00:00", "2026-11-28T10:00:00.123456789Z",
     "2016-12-31T23:59:60Z"],
)  # fmt: skip
def test_a_list_is_read_however_its_times_are_written(time: str, serve: Serve) -> None:
    store, _ = serve(lambda *_: listed("a", time=time))
    assert [one.key for one in store.list()] == ["a"]


def test_a_list_that_goes_round_has_an_end(serve: Serve) -> None:
    store, _ = serve(lambda *_: listed("a", "b", more=True))
    with pytest.raises(StoreRefused, match="again and again"):
        list(islice(store.list(), 9))


@pytest.mark.parametrize("page", [b"", b"<!DOCTYPE html><p>sign in", b"<ListBucketResult><Name>"])
def test_an_answer_that_is_no_xml_is_none(page: bytes, serve: Serve) -> None:
    store, _ = serve(lambda *_: Answer(body=page))
    with pytest.raises(StoreUnavailable, match="no XML"):
        list(store.list())
    with pytest.raises(StoreUnavailable, match="no XML"):
        store.delete(["a"])


@pytest.mark.parametrize("page", [b"<p>sign in", b"<!DOCTYPE html><p>sign in" * 99])
def test_a_page_in_an_objects_place_is_neither_footage_nor_its_loss(
    page: bytes, serve: Serve
) -> None:
    html = ("Content-Type", "text/html; charset=utf-8")
    store, _ = serve(lambda *_: Answer(200, page, (html, ("Last-Modified", DAY))))
    with pytest.raises(StoreUnavailable, match="no store"):
        list(store.read("a", 0, 100))
    with pytest.raises(StoreUnavailable, match="no store"):
        store.head("a")


class Dribble:
    """A server that sends a byte of what it says each tenth of a second."""

    def __init__(self, said: bytes, whole: int) -> None:
        """``whole``: so many bytes of it are sent at once."""
        self.said, self.whole = said, whole
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                client, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.recv(65536)
            client.sendall(self.said[: self.whole])
            for byte in self.said[self.whole :]:
                if self._over.wait(0.1):
                    return
                client.sendall(bytes([byte]))

    def close(self) -> None:
        self._over.set()
        self._listener.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nETag: x\r\n"


@pytest.mark.parametrize("whole", [20, len(HEAD) + 40], ids=["its head", "its body"])
def test_an_answer_that_comes_a_byte_at_a_time_is_not_waited_for_for_ever(
    whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ANSWER_S", 1.0)
    said = HEAD + b"Content-Length: 9000\r\n\r\n" + b"<" * 9000
    server = Dribble(said, whole)
    store = S3Store("s", server.url, "bucket", ("key", "secret"))
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable):
        list(store.list())
    assert time.monotonic() - begin < 20
    server.close()


def test_an_object_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "ANSWER_S", 0.5)
    body = b"0123456789abcdef"
    said = HEAD.replace(b"200 OK", b"206 Partial Content")
    said += b"Content-Range: bytes 0-15/16\r\nContent-Length: 16\r\n\r\n" + body
    server = Dribble(said, len(said) - len(body))
    store = S3Store("s", server.url, "bucket", ("key", "secret"))
    assert b"".join(store.read("a", 0, 16)) == body
    server.close()


@pytest.mark.parametrize("begins", [b"", b'<?xml version="1.0" encoding="UTF-8"?>\n'])
@pytest.mark.parametrize(("offset", "length"), [(0, 50), (0, 5000), (60, 8)])
def test_an_error_with_status_200_is_no_byte_of_an_object(
    begins: bytes, offset: int, length: int, serve: Serve
) -> None:
    body = begins + b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"
    store, _ = serve(lambda *_: Answer(200, body))
    given = store.read("k", offset, length)
    with pytest.raises(StoreUnavailable, match="SlowDown"):
        next(given)


def test_a_list_of_versions_that_goes_round_ends(serve: Serve) -> None:
    version = (
        "<Version><Key>k</Key><VersionId>1</VersionId><IsLatest>true</IsLatest>"
        "<LastModified>2026-11-28T10:00:00.000Z</LastModified><Size>3</Size></Version>"
    )
    pages = itertools.count()

    def say(*_: object) -> Answer:
        more = str(next(pages) < 20).lower()  # else who asks for ever would do so
        head = (
            f"<Name>bucket</Name><IsTruncated>{more}</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
        )
        return Answer(
            body=f"<ListVersionsResult {NS}>{head}{version}</ListVersionsResult>".encode()
        )

    store, server = serve(say)
    with pytest.raises(StoreRefused, match="again and again"):
        store.protect("k", True)
    assert len(server.asked) < 5
