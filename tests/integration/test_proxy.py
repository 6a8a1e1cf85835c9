"""The guide's proxy, as it stands there: a real nginx, with TLS, users and a path before it all."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
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


def start_nginx(folder: Path, port: int) -> Nginx:
    """Run the recipe, with this test's ports, certificate and users."""
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
