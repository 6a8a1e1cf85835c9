"""A browser that comes back from a provider on another site is signed in where it goes on to."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes import Node
from tests.support.provider import GRANTS, SECRET, FakeProvider, faking


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with faking("localhost") as made:
        yield made


def test_chromium_is_signed_in_after_it_came_back(fake: FakeProvider, tmp_path: Path) -> None:
    """The cookie is strict: along a redirect from elsewhere no browser would send it."""
    part = {
        "issuer": fake.issuer, "client_id": "recorder", "client_secret": "env:T_OIDC",
        "grants": GRANTS,
    }  # fmt: skip
    node = Node(tmp_path / "node", api={"oidc": part})
    node.env = {"T_OIDC": SECRET}
    fake.signs_in = {"sub": "7", "preferred_username": "ana", "groups": ["guards"]}
    try:
        node.start()
        begin = f"http://127.0.0.1:{node.port}/api/v1/access/oidc/login?next=/api/v1/access/me"
        for budget_ms in (3_000, 10_000, 30_000):  # on a busy machine pages come late
            done = _browse(begin, tmp_path / f"profile{budget_ms}", budget_ms)
            found = re.search(r"<pre>(\{.*\})</pre>", done.stdout)
            if found is not None:
                break
    finally:
        node.close()
    assert found is not None, done.stdout + done.stderr[-2000:]
    me = json.loads(found[1])
    assert (me["name"], me["kind"]) == ("oidc:ana", "user")


def _browse(url: str, profile: Path, budget_ms: int) -> subprocess.CompletedProcess[str]:
    """Go to an address; return the page that is there when so much of its time has passed."""
    return subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
         f"--virtual-time-budget={budget_ms}", f"--user-data-dir={profile}", "--dump-dom", url],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
