"""The client against a server that breaks off, asks for patience, and changes its mind."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from recorder import errors
from recorder.cli.finding import TOLD, FootageThere, Wanted
from recorder.client import Client, Download
from recorder.client.connection import problem_of
from recorder.model.timebase import TimeRange
from tests.support.tls import make_certificate

BODY = bytes(range(256)) * 4096
Answer = Callable[[BaseHTTPRequestHandler], None]


class Quiet(ThreadingHTTPServer):
    """A server that does not print what clients it hung up on do to it."""

    def handle_error(self, *_: Any) -> None:
        pass


class Scripted:
    """A server that gives its answers one after another, the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.answers: list[Answer] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked.append((self.command, self.path, dict(self.headers)))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                answer(self)

            do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def speak_tls(self, file: Path) -> None:
        """Show a certificate from here on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Scripted]:
    one = Scripted()
    yield one
    one.close()


@pytest.fixture
def client(server: Scripted) -> Iterator[Client]:
    with Client(server.url, "spanstore_secret", patience_s=5) as one:
        yield one


def says(value: Any, status: int = 200, **headers: str) -> Answer:
    def answer(to: BaseHTTPRequestHandler) -> None:
        data = json.dumps(value).encode()
        to.send_response(status)
        for name, text in headers.items():
            to.send_header(name.replace("_", "-"), text)
        to.send_header("Content-Length", str(len(data)))
        to.end_headers()
        to.wfile.write(data)

    return answer


def problem(title: str, status: int, **headers: str) -> Answer:
    body = {"title": title, "status": status, "detail": f"it is {title}", "hint": "do so"}
    return says(body, status, **headers)


def sends(start: int, until: int, etag: str = '"one"') -> Answer:
    """Promise all from ``start`` on, and break off at ``until``."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response(206 if start else 200)
        to.send_header("Content-Length", str(len(BODY) - start))
        to.send_header("ETag", etag)
        to.send_header("Link", '<clip.json?start=1Z&end=2Z&site=post1>; rel="describedby"')
        to.send_header("X-Missing-Seconds", "1.5")
        to.send_header("X-Gaps", "2")
        to.send_header("Content-Disposition", 'inline; filename="gate.mp4"')
        to.end_headers()
        to.wfile.write(BODY[start:until])
        to.close_connection = True

    return answer


def hangs_up(to: BaseHTTPRequestHandler) -> None:
    to.close_connection = True
    to.connection.close()


def clip(client: Client, **more: Any) -> Download:
    return client.clip("post1/gate", "-1m", "now", **more)


def test_a_clip_goes_on_where_the_line_broke(
    server: Scripted, client: Client, tmp_path: Path
) -> None:
    server.answers = [sends(0, 300_000), hangs_up, sends(300_000, len(BODY))]
    download = clip(client)
    assert (download.size, download.name) == (len(BODY), "gate.mp4")
    assert (download.missing_s, download.gaps) == (1.5, 2)
    assert download.save(tmp_path / "gate.mp4") == len(BODY)
    assert (tmp_path / "gate.mp4").read_bytes() == BODY
    assert "site=post1" in server.asked[0][1]
    path, headers = server.asked[-1][1:]
    assert "start=1Z&end=2Z&" in path, "the same range: one from now would be another by now"
    assert (headers["Range"], headers["If-Range"]) == ("bytes=300000-", '"one"')


@pytest.mark.parametrize(
    "then",
    [
        sends(0, len(BODY), '"two"'),
        sends(300_000, len(BODY), '"two"'),  # a server that ignores If-Range
        problem("NoFootage", 404),
    ],
)
def test_a_clip_that_changed_meanwhile_is_not_put_together_of_two(
    server: Scripted, client: Client, tmp_path: Path, then: Answer
) -> None:
    server.answers = [sends(0, 300_000), then]
    with pytest.raises(errors.StaleVersion):
        clip(client).save(tmp_path / "gate.mp4")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_go_on_says_so_and_leaves_no_file(
    server: Scripted, client: Client, tmp_path: Path
) -> None:
    server.answers = [sends(0, 300_000, "")]
    with pytest.raises(errors.ServerUnreachable, match="broke off after 300000 bytes"):
        clip(client, form="zip").save(tmp_path / "gate.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_problem_is_raised_as_the_error_it_names(server: Scripted, client: Client) -> None:
    server.answers = [problem("HasGaps", 409)]
    with pytest.raises(errors.HasGaps, match="it is HasGaps") as caught:
        clip(client, gaps="fail")
    assert caught.value.hint == "do so"
    server.answers = [says({"some": "proxy"}, 403)]
    with pytest.raises(errors.NotAllowed, match="HTTP 403"):
        client.nodes()


def test_what_may_succeed_later_is_asked_again(server: Scripted, client: Client) -> None:
    server.answers = [problem("StoreUnavailable", 503, Retry_After="0"), hangs_up, says([])]
    assert client.nodes() == []
    assert len(server.asked) == 3


def test_what_may_have_been_done_is_not_asked_twice(server: Scripted, client: Client) -> None:
    document = {"url": "rtsp://127.0.0.1/x"}
    for change in (
        lambda: client.report_event(camera="gate", kind="alarm"),
        lambda: client.put_camera("gate", document, new=True),
        lambda: client.remove_camera("gate"),
    ):
        server.answers, server.asked[:] = [hangs_up, says({"id": "1"})], []
        with pytest.raises(errors.ServerUnreachable):
            change()
        assert len(server.asked) == 1, "it would be refused for what the first one did"
    server.answers = [hangs_up, says({"name": "gate"})]
    assert client.put_camera("gate", document)["name"] == "gate"


def test_footage_that_is_about_to_come_is_waited_for_in_several_requests(
    server: Scripted, client: Client
) -> None:
    server.answers = [problem("NotYet", 503, Retry_After="0")] * 2 + [sends(0, len(BODY))]
    assert clip(client, wait_s=300).read() == BODY
    assert all("wait=45.000" in path for _, path, _ in server.asked[:1])
    server.answers = [problem("NotYet", 503, Retry_After="0")]
    with pytest.raises(errors.NotYet):
        clip(client)


def test_a_list_is_read_page_after_page(server: Scripted, client: Client) -> None:
    server.answers = [says([{"id": "a"}], Link='<?cursor=a>; rel="next"'), says([{"id": "b"}])]
    assert [one["id"] for one in client.holds()] == ["a", "b"]
    assert server.asked[-1][1] == "/api/v1/holds?cursor=a"
    server.answers = [says([])]
    assert list(client.holds(every=True)) == []
    assert server.asked[-1][1] == "/api/v1/holds?limit=1000&all=true"


def test_the_token_is_shown_to_the_server_and_to_nobody_else(
    server: Scripted, client: Client
) -> None:
    server.answers = [says([])]
    client.nodes()
    assert server.asked[0][2]["Authorization"] == "Bearer spanstore_secret"
    server.answers = [hangs_up]
    with pytest.raises(errors.ServerUnreachable) as caught:
        client.report_event(camera="gate")
    assert "secret" not in f"{caught.value} {caught.value.hint} {client!r}"


def test_a_certificate_that_is_not_believed_is_said_and_how_to_have_it_believed(
    server: Scripted, tmp_path: Path
) -> None:
    server.speak_tls(make_certificate(tmp_path))
    with (
        Client(server.url, patience_s=0) as client,
        pytest.raises(errors.ServerUnreachable, match="not believed: self-signed") as caught,
    ):
        client.nodes()
    assert "--ca-file" in caught.value.hint


def test_an_address_that_is_none_is_refused_with_what_one_looks_like() -> None:
    with pytest.raises(errors.RequestError, match="like https://"):
        Client("recorder.example")


def test_a_clip_and_what_is_said_of_it_are_of_the_same_footage(
    server: Scripted, client: Client
) -> None:
    told = {key: key for key in TOLD}
    server.answers = [
        sends(0, len(BODY), '"one"'), says({**told, "etag": '"two"'}),
        sends(0, len(BODY), '"two"'), says({**told, "etag": '"two"'}),
    ]  # fmt: skip
    with FootageThere(client).clip(
        Wanted("gate", None, None, TimeRange(0, 1)), "mp4", "skip"
    ) as found:
        assert b"".join(found.blocks) == BODY
    assert (found.about, len(server.asked)) == (told, 4)


def test_an_export_that_failed_is_raised_as_what_made_it_fail(
    server: Scripted, client: Client
) -> None:
    shown = {"id": "e1", "state": "running", "failed_for": None, "failed_as": None}
    failed = {**shown, "state": "failed", "failed_for": "no footage", "failed_as": "NoFootage"}
    server.answers = [says(shown), says(failed)]
    states = []
    with pytest.raises(errors.NoFootage, match="export e1 failed: no footage"):
        states += [one["state"] for one in client.follow_export("e1")]
    server.answers = [says({**failed, "failed_as": "Nonsense"})]
    with pytest.raises(errors.IntegrityError):
        list(client.follow_export("e1"))


def test_a_bundle_that_one_may_not_have_is_refused_with_the_reason(
    server: Scripted, client: Client, tmp_path: Path
) -> None:
    shown = {"id": "e1", "state": "done", "bytes": 1, "sha256": "x"}
    refused = problem("NotAllowed", 403)
    server.answers = [says(shown), refused, refused]
    with pytest.raises(errors.NotAllowed, match="it is NotAllowed"):
        client.save_export("e1", tmp_path / "b.zip")
    assert [one[0] for one in server.asked] == ["GET", "HEAD", "GET"]


def test_a_bundle_goes_on_where_an_earlier_try_broke_off_and_is_held_to_its_digest(
    server: Scripted, client: Client, tmp_path: Path
) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    shown = {"id": "e1", "state": "done", "bytes": len(BODY), "sha256": digest}

    def rest(to: BaseHTTPRequestHandler) -> None:
        at = int(to.headers["Range"].removeprefix("bytes=").rstrip("-"))
        to.send_response(206)
        to.send_header("ETag", f'"{digest}"')
        to.send_header("Content-Length", str(len(BODY) - at))
        to.end_headers()
        to.wfile.write(BODY[at:])

    def head(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("ETag", f'"{digest}"')
        to.send_header("Content-Length", str(len(BODY)))
        to.end_headers()

    target, part = tmp_path / "b.zip", tmp_path / "b.zip.part"
    part.write_bytes(BODY[:1000])
    server.answers = [says(shown), head, rest]
    assert client.save_export("e1", target) == len(BODY)
    assert (target.read_bytes() == BODY, part.exists()) == (True, False)
    assert server.asked[-1][2]["Range"] == "bytes=1000-"
    target.unlink()
    part.write_bytes(b"x" * 1000)
    server.answers = [says(shown), head, rest]
    with pytest.raises(errors.DigestMismatch, match="is not what was made"):
        client.save_export("e1", target)
    assert list(tmp_path.iterdir()) == []


def test_lists_are_followed_to_their_last_page(server: Scripted, client: Client) -> None:
    more = '<?cursor=a&limit=1>; rel="next"'
    server.answers = [says([{"node": "a"}], Link=more), says([{"node": "b"}])]
    assert [one["node"] for one in client.nodes()] == ["a", "b"]
    paths = [path for _, path, _ in server.asked]
    assert paths == ["/api/v1/nodes", "/api/v1/nodes?cursor=a&limit=1"]


def test_pages_of_coverage_are_one_answer(server: Scripted, client: Client) -> None:
    said = {"start": "2026-01-05T14:00:00Z", "end": "2026-01-05T15:00:00Z"}
    server.answers = [
        says({**said, "cameras": [{"camera": "a"}]}, Link='<?cursor=a>; rel="next"'),
        says({**said, "cameras": [{"camera": "b"}]}),
    ]
    found = client.coverage("2026-01-05T14:00:00Z", "2026-01-05T15:00:00Z")
    assert dict(found) == {**said, "cameras": [{"camera": "a"}, {"camera": "b"}]}


def test_no_more_of_the_deletion_log_is_fetched_than_is_asked_for(
    server: Scripted, client: Client
) -> None:
    rows = [{"key": str(number)} for number in range(1000)]
    server.answers = [says(rows, Link='<?cursor=a>; rel="next"')]
    assert len(client.policy_log(1500)) == 1500
    assert len(server.asked) == 2


def test_what_a_proxy_asks_for_is_told_apart_and_no_password_goes_into_a_url() -> None:
    assert "takes a token" in problem_of(401, b"<html>").hint
    assert problem_of(502, b"<html>").hint == "does a recorder listen at this URL?"
    with pytest.raises(errors.RequestError, match="shown to nobody") as refused:
        Client("https://ana:geheim@recorder.example")
    assert "geheim" not in str(refused.value)
