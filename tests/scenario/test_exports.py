"""Two nodes of a site: one makes an export, both give it out, and one that is gone is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.evidence.opened import opened
from recorder.evidence.verify import verify
from tests.support.nodes import Node
from tests.support.ports import until
from tests.support.postgres import Postgres

pytestmark = pytest.mark.xdist_group("pg")
CAMERA = {"url": "lavfi:testsrc2=rate=10:size=320x180"}
BODY = {"cameras": ["cam"], "start": "-4s", "end": "-1s", "case": "1", "purpose": "trial"}


@pytest.fixture
def nodes(tmp_path: Path, postgres: Postgres) -> Iterator[dict[str, Node]]:
    url = postgres.database()
    store = [{"name": "main", "kind": "directory", "path": str(tmp_path / "store")}]
    audit = {"key": str(tmp_path / "audit.key")}
    found = {
        name: Node(tmp_path / name, catalog=url, node=name, stores=store, audit=audit)
        for name in ("n1", "n2")
    }
    for node in found.values():
        node.share_key()
    yield found
    for node in found.values():
        node.close()


def made(node: Node, **asked: str) -> dict[str, Any]:
    """Ask a node for an export; return it once one of them has made it."""
    answer = node.http.post("/api/v1/exports", json={**BODY, **asked})
    assert answer.status_code == 202, answer.text

    def done() -> dict[str, Any] | None:
        shown: dict[str, Any] = node.http.get(answer.headers["location"]).json()
        assert shown["failed_for"] is None, shown["failed_for"]
        return shown if shown["state"] == "done" else None

    found = until(done, 60, "it is made")
    assert found is not None
    return found


def test_one_node_makes_an_export_and_the_other_gives_it_out_too(
    nodes: dict[str, Node], tmp_path: Path
) -> None:
    for node in nodes.values():
        node.start()
    first = nodes["n1"]
    assert first.http.put("/api/v1/cameras/cam", json=CAMERA).is_success
    until(lambda: first.footage_s("cam") > 5, 60, "5 s of footage")
    shown = made(first)
    (other,) = (node for name, node in nodes.items() if name != shown["node"])
    address = f"/api/v1/exports/{shown['id']}/bundle.zip"
    mine, its = (node.http.get(address) for node in (nodes[shown["node"]], other))
    assert mine.status_code == its.status_code == 200, its.text
    assert its.content == mine.content
    path = tmp_path / "bundle.zip"
    path.write_bytes(its.content)
    with opened(path) as found:
        assert verify(found, shown["fingerprint"]).whole
    folders = [tmp_path / name / "data" / "exports" for name in nodes]
    zips = [one.name for folder in folders for one in folder.glob("*.zip")]
    assert zips == [f"{shown['id']}.zip"], "it was made once"
    nodes[shown["node"]].kill()
    gone = other.http.get(address)
    assert (gone.status_code, gone.json()["retryable"]) == (503, True), gone.text
    again = made(other, start=shown["start"], end=shown["end"])
    assert again["node"] == other.config.parent.name
