"""The guide's proxy, as it stands there: a real nginx, with TLS, users and a path before it all."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder.model.timebase import HOUR, SECOND, format_instant, parse_instant
from tests.support.nodes import Node, RtspServer
from tests.support.ports import free_port, until

ROOT = Path(__file__).resolve().parents[2]
WORD = "p@ss:w/rd"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass
class Nginx:
    """A proxy in front of a node: its URL, and the certificate to believe."""

    url: str
    certificate: Path
    process: subprocess.Popen[bytes]


def recipe() -> str:
    """The server that docs/guide/proxy.md shows."""
    found = re.search(r"```nginx\n(.*?)```", (ROOT / "docs/guide/proxy.md").read_text(), re.S)
    assert found is not None
    return found[1]


def start_nginx(folder: Path, port: int, *, asks: bool = True) -> Nginx:
    """Run the recipe, with this test's ports, certificate and users; or without its users."""
    here = free_port()
    files = {name: folder / f"recorder.{name}" for name in ("pem", "key", "users")}
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1,DNS:centre.example.org",
         "-keyout", files["key"], "-out", files["pem"]],
        check=True, capture_output=True,
    )  # fmt: skip
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", WORD], check=True, capture_output=True, text=True
    )
    files["users"].write_text(f"post1:{hashed.stdout}")
    files["users"].chmod(0o644)
    folder.chmod(0o755)
    text = recipe().replace("listen 443", f"listen 127.0.0.1:{here}").replace(":8600", f":{port}")
    if not asks:
        text = re.sub(r"^ *auth_basic.*$", "", text, flags=re.M)
    for name, path in files.items():
        text = text.replace(f"/etc/nginx/recorder.{name}", str(path))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;\n"
        "events {}\n"
        "http { access_log off; "
        + " ".join(f"{one}_temp_path {folder}/{one};" for one in TEMPORARY)
        + f"\n{text}\n}}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = subprocess.Popen([program, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    return Nginx(f"https://127.0.0.1:{here}/recorder", files["pem"], process)


@dataclass
class Tree:
    """A centre behind the proxy, and a post below it that comes through it."""

    centre: Node
    post: Node
    nginx: Nginx
    http: httpx.Client


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    centre = Node(
        tmp_path / "centre", site="centre", level="centre", api={"hosts": ["centre.example.org"]}
    )
    nginx = start_nginx(tmp_path, centre.port)
    (tmp_path / "word").write_text(WORD)
    parent = nginx.url.replace("://", f"://post1:{{file:{tmp_path / 'word'}}}@")
    post = Node(tmp_path / "post", site="post1", parent=parent, capture={"segment": 2})
    post.env = {"SSL_CERT_FILE": str(nginx.certificate)}
    believed = ssl.create_default_context(cafile=nginx.certificate)
    http = httpx.Client(base_url=nginx.url, verify=believed, auth=("post1", WORD), timeout=60)
    try:
        yield Tree(centre, post, nginx, http)
    finally:
        http.close()
        post.close()
        centre.close()
        nginx.process.terminate()
        nginx.process.wait(20)


def test_sites_and_players_reach_a_recorder_through_the_guides_proxy(
    tree: Tree, camera: RtspServer
) -> None:
    tree.centre.start()
    tree.post.start()
    named = {"Host": "centre.example.org"}
    until(lambda: tree.http.get("/healthz").status_code == 200, 20, "the proxy answers")
    assert tree.http.get("/healthz", headers=named).status_code == 200
    assert tree.http.get("/healthz", auth=("post1", "wrong")).status_code == 401
    for other in ("evil.example.net", "localhost.evil.example.net"):
        assert tree.http.get("/healthz", headers={"Host": other}).status_code == 421
    policy = {
        "levels": ["post", "centre"],
        "rules": [{"name": "all", "keep": {"any": "30d"},
                   "replicate": [{"what": "all", "to": "centre"}]}],
    }  # fmt: skip
    assert tree.centre.http.put("/api/v1/policy", json=policy).status_code == 200
    tree.post.add("cam", camera.url("cam"))
    stored = tree.centre.folder / "data/store"
    until(lambda: len(list(stored.rglob("*Z.*.mp4"))) >= 2, 60, "footage is at the centre")
    span = tree.centre.timeline("cam")["spans"][0]
    start = parse_instant(span["start"])
    asked = {"start": format_instant(start, 9), "end": format_instant(start + 3 * SECOND, 9)}
    clip = tree.http.get("/api/v1/cameras/cam/clip.mp4", params=asked)
    assert clip.content == tree.centre.clip("cam", start, start + 3 * SECOND).content
    path = f"{tree.nginx.url}/api/v1/cameras/cam/playback.m3u8"
    text = tree.http.get(path, params=asked).text
    urls = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(urls) >= 2
    for url in urls:
        part = tree.http.get(httpx.URL(path).join(url))
        assert part.status_code == 200
        assert part.content[4:8] == b"prft"
    log = tree.post.log.read_text()
    assert WORD not in log
    assert "p%40ss" not in log


@dataclass
class Guarded:
    """A node that asks who somebody is, behind the proxy that does not."""

    node: Node
    nginx: Nginx

    def client(self, address: str = "127.0.0.1", **more: Any) -> httpx.Client:
        """Come from an address of this machine, as a browser does or a program."""
        believed = ssl.create_default_context(cafile=self.nginx.certificate)
        line = httpx.HTTPTransport(verify=believed, local_address=address)
        return httpx.Client(base_url=self.nginx.url, transport=line, timeout=60, **more)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    node = Node(tmp_path / "node", api={"access": "on", "hosts": ["centre.example.org"]})
    nginx = start_nginx(tmp_path, node.port, asks=False)
    try:
        yield Guarded(node, nginx)
    finally:
        node.close()
        nginx.process.terminate()
        nginx.process.wait(20)


def signed_in(guarded: Guarded, client: httpx.Client) -> str:
    """Make the first admin by the word that the node printed, and sign in; return the cookie."""
    word = re.search(r"spanstore_i_\w+", guarded.node.log.read_text())
    assert word is not None
    made = {"word": word[0], "password": "four words in a row", "name": "ana"}
    assert client.post("/api/v1/access/redeem", json=made).status_code == 200
    body = {"name": "ana", "password": made["password"]}
    answer = client.post("/api/v1/access/login", json=body, headers=ORIGIN | FORGED)
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"]


ORIGIN = {"origin": "https://centre.example.org", "host": "centre.example.org"}
FORGED = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http"}


def test_with_access_on_cookies_pages_and_playlists_work_through_the_guides_proxy(
    guarded: Guarded, camera: RtspServer
) -> None:
    guarded.node.start()
    until(lambda: "spanstore_i_" in guarded.node.log.read_text(), 20, "the first admin's word")
    with guarded.client("127.0.0.2") as browser, guarded.client() as nobody:
        assert nobody.get("/api/v1/cameras").status_code == 401
        cookie = signed_in(guarded, browser)
        for part in ("__Host-spanstore=", "Secure", "HttpOnly", "SameSite=strict", "Path=/"):
            assert part in cookie, "the proxy says that it speaks TLS, whatever the caller says"
        browser.cookies.set("__Host-spanstore", cookie.split("=", 1)[1].split(";")[0])
        assert browser.get("/api/v1/access/me").json()["name"] == "ana"
        for name in ("cam", "other"):
            put = browser.put(
                f"/api/v1/cameras/{name}", json={"url": camera.url("cam")}, headers=ORIGIN
            )
            assert put.status_code == 201, put.text
        evil = ORIGIN | {"origin": "https://evil.example.net"}
        assert browser.delete("/api/v1/cameras/other", headers=evil).status_code == 403
        _pages(browser)
        _playlist(browser, nobody)
        (entry, *_) = browser.get("/api/v1/audit", params={"action": "user.login"}).json()
        assert entry["entry"]["who"]["address"] == "127.0.0.2", "who came, not what he says"


def _pages(browser: httpx.Client) -> None:
    """A list's next page, and /docs with what it links to, lead back through the prefix."""
    first = browser.get("/api/v1/cameras", params={"limit": 1})
    link = re.fullmatch(r'<(.*)>; rel="next"', first.headers["link"])
    assert link is not None
    second = browser.get(first.url.join(link[1]))
    assert [one["name"] for one in (*first.json(), *second.json())] == ["cam", "other"]
    page = browser.get("/docs")
    assert page.status_code == 200
    for target in re.findall(r"(?:href|src)='?\"?([^'\">]+)", page.text):
        assert browser.get(page.url.join(target)).status_code == 200, target


def _playlist(browser: httpx.Client, nobody: httpx.Client) -> None:
    """A playlist's fragments come to who may see them, and to nobody else."""
    path, span = "/api/v1/cameras/cam/playback.m3u8", dict[str, str]()

    def recorded() -> bool:
        now = parse_instant(browser.get("/api/v1/coverage").json()["end"])
        ends = {"start": format_instant(now - HOUR, 9), "end": format_instant(now + HOUR, 9)}
        spans = browser.get("/api/v1/cameras/cam/timeline", params=ends).json()["spans"]
        span.update(spans[0] if spans else {})
        return bool(spans) and spans[0]["seconds"] > 1

    until(recorded, 30, "footage")
    start = parse_instant(span["start"])
    asked = {"start": format_instant(start, 9), "end": format_instant(start + SECOND, 9)}

    playlist = browser.get(path, params=asked)
    urls = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]
    assert urls
    for url in urls:
        part = browser.get(playlist.url.join(url))
        assert part.content[4:8] == b"prft"
        assert nobody.get(playlist.url.join(url)).status_code == 401
