"""Reading from another site: who is silent is left alone for a while, who answers is not."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from recorder.errors import CopyMissing, NameTaken, NotAllowed, SiteUnreachable, StoreUnavailable
from recorder.sites import remote
from recorder.sites.remote import SHUNNED_S, RemoteSite
from recorder.sites.replied import MOST_SAID
from tests.support.ports import free_port


class Handler(BaseHTTPRequestHandler):
    """Has one object; for any other it could not reach a site below."""

    identities: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.identities.append(self.headers["Authorization"])
        said = {"good": (206, b"data"), "more": (206, b"data and what nobody asked for"),
                "elsewhere": (206, b"data"), "gone": (500, b'{"title": "CopyMissing"}'),
                "broken": (500, b"no JSON")}  # fmt: skip
        name = self.path.partition("?")[0].rpartition("/")[2]
        status, body = said.get(name, (503, b""))
        self.send_response(status)
        if name == "elsewhere":
            self.send_header("Content-Range", "bytes 8-11/20")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.split("/")[1]
        said = {"page": b"<p>be back soon", "other": b"{}", "list": b"[]",
                "parent": b'{"site": "centre", "level": "centre"}',
                "strange": b'{"title": "NotKnown", "detail": "nobody", "hint": "recorder login"}',
                "empty": b"", "deep": b"[" * 200_000, "digits": b"9" * 5000, "bytes": b"\xff",
                "odd": b'{"title": "NameTaken", "detail": ["\\u0000\\ud800' + b"x" * 9999 + b'"]}',
                "refusal": b"[" * 200_000,
                "long": b'{"site": "centre", "level": "' + b"x" * 5000 + b'"}'}  # fmt: skip
        self.send_response({"strange": 401, "odd": 409, "refusal": 403}.get(name, 200))
        self.send_header("Content-Length", str(len(said[name])))
        self.end_headers()
        self.wfile.write(said[name])

    def do_HEAD(self) -> None:
        name = self.path.split("/")[1]
        said = {"stands": {"Upload-Offset": "7", "X-Place": "main"},
                "began": {"Upload-Offset": "0"},
                "back": {"Upload-Offset": "-5"}, "far": {"Upload-Offset": "9" * 5000},
                "word": {"Upload-Offset": "1e3"}, "way": {"Upload-Offset": "7", "X-Place": "../x"},
                "ctrl": {"Upload-Offset": "7", "X-Place": "a\x01"}, "portal": {}}  # fmt: skip
        self.send_response(200)
        for header, value in said[name].items():
            self.send_header(header, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_site_that_answers_an_error_is_asked_for_its_other_copies(port: int) -> None:
    site = RemoteSite("sub1", f"http://127.0.0.1:{port}")
    with pytest.raises(StoreUnavailable, match="says 503"):
        list(site.read("post1/x", 0, 4, ".."))
    assert b"".join(site.read("good", 0, 4, "..")) == b"data"


@pytest.mark.parametrize("path", ["page", "other", "list", "empty", "deep", "digits", "bytes"])
def test_what_does_not_say_whose_answer_it_is_has_heard_nothing(port: int, path: str) -> None:
    with pytest.raises(SiteUnreachable, match="no recorder"):
        RemoteSite("..", f"http://127.0.0.1:{port}/{path}").exchange({})
    with pytest.raises(SiteUnreachable, match="no recorder"):
        RemoteSite("..", f"http://127.0.0.1:{port}/{path}").join("word", "post1", "key")
    assert RemoteSite("..", f"http://127.0.0.1:{port}/parent").exchange({})["site"] == "centre"


def test_a_site_that_is_not_known_is_told_to_join_and_not_to_sign_in(port: int) -> None:
    with pytest.raises(NotAllowed, match="refuses: feed: nobody") as caught:
        RemoteSite("parent", f"http://127.0.0.1:{port}/strange").exchange({})
    assert "recorder site join" in caught.value.hint
    assert "login" not in caught.value.hint


def test_a_reason_that_is_odd_is_told_as_it_can_be_kept(port: int) -> None:
    with pytest.raises(NameTaken) as caught:
        RemoteSite("..", f"http://127.0.0.1:{port}/odd").exchange({})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= MOST_SAID
    with pytest.raises(NotAllowed, match="HTTP 403"):
        RemoteSite("..", f"http://127.0.0.1:{port}/refusal").exchange({})


@pytest.mark.parametrize("path", ["portal", "back", "far", "word", "way", "ctrl"])
def test_footage_is_sent_to_nobody_who_does_not_say_how_much_is_there(port: int, path: str) -> None:
    for name, said in (("stands", (7, "main")), ("began", (0, ""))):
        assert RemoteSite("..", f"http://127.0.0.1:{port}/{name}").standing("k") == said
    with pytest.raises(SiteUnreachable, match="no recorder"):
        RemoteSite("..", f"http://127.0.0.1:{port}/{path}").standing("k")


def test_a_site_gives_just_the_bytes_that_it_was_asked_for_and_no_others(port: int) -> None:
    """Another's would be shown as footage of that time."""
    site = RemoteSite("post1", f"http://127.0.0.1:{port}")
    for _ in range(2):
        assert b"".join(site.read("more", 0, 4, "..")) == b"data"
    with pytest.raises(StoreUnavailable, match="given those from 8"):
        list(site.read("elsewhere", 4, 4, ".."))


def test_an_answer_that_is_longer_than_one_can_be_is_not_read_to_its_end(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = RemoteSite("..", f"http://127.0.0.1:{port}/long")
    assert long.exchange({})["site"] == "centre"
    monkeypatch.setattr(remote, "MOST_ANSWER", 4096)
    with pytest.raises(SiteUnreachable, match="ResponseError"):
        long.exchange({})
    assert RemoteSite("..", f"http://127.0.0.1:{port}/parent").exchange({})["site"] == "centre"


def test_a_site_whose_copy_is_gone_is_not_asked_for_it_for_ever(port: int) -> None:
    site = RemoteSite("sub1", f"http://127.0.0.1:{port}")
    with pytest.raises(CopyMissing, match="has it no more"):
        list(site.read("gone", 0, 4, ".."))
    with pytest.raises(StoreUnavailable, match="says 500"):
        list(site.read("broken", 0, 4, ".."))


def test_user_and_password_of_a_sites_url_are_sent_and_never_shown(port: int) -> None:
    site = RemoteSite("parent", f"http://post1:p%40ss@127.0.0.1:{port}/recorder/")
    assert site.url == f"http://127.0.0.1:{port}/recorder"
    assert b"".join(site.read("good", 0, 4, "..")) == b"data"
    assert Handler.identities[-1] == "Basic " + b64encode(b"post1:p@ss").decode()
    assert b"".join(RemoteSite("p", f"http://127.0.0.1:{port}").read("good", 0, 4, "")) == b"data"
    assert Handler.identities[-1] is None


def test_a_site_that_is_silent_is_left_alone_for_a_while() -> None:
    clock = [100.0]
    site = RemoteSite("post1", f"http://127.0.0.1:{free_port()}", lambda: clock[0])
    for said in ("does not answer", "did not answer a moment ago"):
        with pytest.raises(StoreUnavailable, match=said):
            list(site.read("x", 0, 4, ".."))
    clock[0] += SHUNNED_S
    with pytest.raises(StoreUnavailable, match="does not answer at"):
        list(site.read("x", 0, 4, ".."))


class Forgetful(Handler):
    """Keeps a connection, and closes it when it is taken up again."""

    protocol_version = "HTTP/1.1"
    answered = False

    def do_GET(self) -> None:
        if self.answered or "/never" in self.path:
            self.close_connection = True
            return
        self.answered = True
        super().do_GET()


def test_a_kept_connection_that_was_closed_meanwhile_is_no_silence() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        site = RemoteSite("post1", f"http://127.0.0.1:{server.server_address[1]}")
        for _ in range(3):
            assert b"".join(site.read("good", 0, 4, "..")) == b"data"
        with pytest.raises(StoreUnavailable, match="does not answer"):
            list(site.read("never", 0, 4, ".."))
        server.shutdown()
