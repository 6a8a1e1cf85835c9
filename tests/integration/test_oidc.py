"""Signing in at a real provider: by a browser, for a command, and after its keys were changed."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
import yaml

from recorder.cli.browser import code_and_verifier
from recorder.client import Client
from recorder.oidc import CALLBACK
from tests.support.nodes import Node
from tests.support.ports import free_port, until
from tests.support.provider import SECRET, RealProvider

GROUPS = {"ana": ["guards"], "eve": ["kitchen"]}
GRANTS = {"guards": [{"role": "viewer"}]}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node that is up before its provider is."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    part = {
        "client_id": "recorder", "client_secret": f"file:{secret}", "grants": GRANTS,
        "issuer": f"http://127.0.0.1:{free_port()}",
    }  # fmt: skip
    made = Node(tmp_path / "node", api={"oidc": part})
    yield made.start()
    made.close()


def sign_in(browser: httpx.Client, address: str, name: str) -> httpx.Response:
    """Walk through the provider's pages as a person would; return where that ends."""
    answer = browser.get(address)
    for _ in range(12):
        if answer.has_redirect_location:
            answer = browser.get(urljoin(str(answer.url), answer.headers["location"]))
            continue
        form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
        if form is None:
            return answer
        said = dict(re.findall(r'name="(\w+)" value="([\w-]+)"', answer.text))
        answer = browser.post(
            urljoin(str(answer.url), form[1]), data={**said, "login": name, "password": "x"}
        )
    raise AssertionError(answer.text)


def test_people_sign_in_at_a_real_provider(node: Node) -> None:
    url = f"http://127.0.0.1:{node.port}"
    login = f"{url}/api/v1/access/oidc/login"
    issuer = yaml.safe_load(node.config.read_text())["api"]["oidc"]["issuer"]
    provider = RealProvider(url + CALLBACK, GROUPS)
    provider.port, provider.issuer = int(issuer.rpartition(":")[2]), issuer
    provider.start()
    try:
        with httpx.Client() as browser:
            page = sign_in(browser, f"{login}?next=/docs", "ana")
            assert (page.status_code, 'content="0;url=/docs"' in page.text) == (200, True)
            me = browser.get(f"{url}/api/v1/access/me").json()
            assert (me["name"], me["kind"]) == ("oidc:ana", "user")
            assert browser.get(f"{url}/api/v1/cameras").status_code == 200
        with httpx.Client() as browser:
            refused = sign_in(browser, login, "eve")
            assert (refused.status_code, refused.json()["title"]) == (403, "NotAllowed")
        _command_signs_in(url)
        _command_signs_in_elsewhere(node)
        provider.stop()
        provider.start(inToken=True)
        with httpx.Client() as browser:
            found = until(lambda: sign_in(browser, login, "ana").status_code == 200, 20, "new keys")
            assert found
    finally:
        provider.stop()


def _command_signs_in(url: str) -> None:
    def show(address: str) -> None:
        def walk() -> None:
            with httpx.Client() as browser:
                assert "Signed in" in sign_in(browser, address, "ana").text

        threading.Thread(target=walk, daemon=True).start()

    told: list[str] = []
    code, verifier = code_and_verifier(url, told.append, show)
    assert url in told[0]
    with Client(url) as client:
        me, word = client.sign_in_by(code, verifier)
        assert (me["name"], word[:12]) == ("oidc:ana", "spanstore_s_")
        assert list(client.cameras()) == []
        client.sign_out()


def _command_signs_in_elsewhere(node: Node) -> None:
    url = f"http://127.0.0.1:{node.port}"
    with Client(url) as client:
        begun = client.begin_on_device()
        assert client.sign_in_on_device(begun["device"]) == 0, "nobody has signed in yet"
        with httpx.Client() as browser:
            assert "Sign-in Success" in sign_in(browser, begun["whole_address"], "ana").text
        done = until(lambda: client.sign_in_on_device(begun["device"]), 20, "signed in")
        assert not isinstance(done, int)
        assert (done[0]["name"], done[1][:12]) == ("oidc:ana", "spanstore_s_")
        client.sign_out()
