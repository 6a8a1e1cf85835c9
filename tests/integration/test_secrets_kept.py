"""No camera's password is found in anything that a running site writes, says or starts."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recorder.cli import recorder
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.postgres import Postgres

SECRET, TOKEN = "hunter2-of-the-gate", "tok-0f-the-yard"
DOORS = (
    "/metrics",
    "/readyz",
    "/openapi.json",
    "/api/v1/cameras",
    "/api/v1/cameras/gate",
    "/api/v1/cameras/yard",
    "/api/v1/nodes",
    "/api/v1/sites",
    "/api/v1/stores",
    "/api/v1/audit",
    "/api/v1/policy",
    "/api/v1/sites/post1/cameras",
    "/api/v1/events",
    "/api/v1/coverage",
)
COMMANDS = (
    ("doctor", "--json"),
    ("camera", "show", "gate"),
    ("camera", "export"),
    ("settings", "show"),
    ("audit", "export"),
    ("secrets", "check"),
    ("site",),
    ("check", "--json"),
)


def holding(folder: Path) -> list[str]:
    """Which files below a folder hold a secret; those of footage, logs and databases alike."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and any(one.encode() in path.read_bytes() for one in (SECRET, TOKEN)):
                found.append(str(path.relative_to(folder)))
    return found


def arguments() -> str:
    """What all processes of this machine were started with."""
    said = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                said.append((entry / "cmdline").read_bytes().decode(errors="replace"))
    return "\n".join(said)


def run(node: Node, *command: str) -> Result:
    """Run a command in this process with a node's settings: a process of its own takes seconds."""
    return CliRunner().invoke(recorder, ["--config", str(node.config), *command])


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Node]:
    one = Node(tmp_path / "centre", site="centre", node="c1", level="centre")
    yield one
    one.close()


@pytest.fixture
def post(tmp_path: Path, centre: Node) -> Iterator[Node]:
    parent = f"http://127.0.0.1:{centre.port}"
    one = Node(tmp_path / "post1", site="post1", node="p1", level="post", parent=parent)
    yield one
    one.close()


def test_no_password_is_found_in_anything_that_two_sites_write_say_or_start(
    centre: Node, post: Node, camera: RtspServer, tmp_path: Path
) -> None:
    centre.start()
    post.start()
    until(lambda: "post1" in centre.http.get("/api/v1/sites").text, 30, "the post is linked")
    url = camera.url("cam").replace("rtsp://", f"rtsp://ana:{SECRET}@")
    centre.add("gate", url)
    centre.add("yard", f"{camera.url('none')}?token={TOKEN}")  # refused: errors speak of it
    asked = centre.http.put("/api/v1/sites/post1/cameras/lane", json={"url": url})
    assert asked.status_code == 200, asked.text
    centre.recording("gate")
    post.recording("lane")
    until(lambda: centre.state("yard").get("condition"), 20, "yard fails")
    assert SECRET not in arguments()
    assert TOKEN not in arguments()
    for one in (centre, post):
        for door in DOORS:
            answer = one.http.get(door)
            assert SECRET not in answer.text + str(answer.headers), door
            assert TOKEN not in answer.text, door
        for command in COMMANDS:
            said = run(one, *command)
            assert SECRET not in said.output, command
            assert TOKEN not in said.output, command
        assert run(one, "backup", str(one.folder / "kept.backup")).exit_code == 0
    until(lambda: holding(tmp_path) == [], 10, "nothing holds a secret")
    for one in (centre, post):
        one.stop()
    assert holding(tmp_path) == []
    assert len(list(tmp_path.glob("*/data/secrets.key"))) == 2
    assert run(centre, "secrets", "check").exit_code == 0


def test_with_its_key_away_a_node_records_the_rest_and_says_how_to_go_on(
    centre: Node, camera: RtspServer, tmp_path: Path
) -> None:
    centre.start()
    centre.add("gate", camera.url("cam").replace("rtsp://", f"rtsp://ana:{SECRET}@"))
    centre.recording("gate")
    key = centre.folder / "data" / "secrets.key"
    centre.stop()
    key.rename(tmp_path / "aside")
    centre.start()
    centre.add("open", camera.url("cam"))
    centre.recording("open")
    state = until(lambda: (one := centre.state("gate"))["condition"] and one, 20, "gate fails")
    assert state["condition"] == "no-key"
    assert "recorder camera set gate --credentials-file" in state["detail"]
    assert not key.exists(), "no other key is made in its place"
    said = run(centre, "secrets", "check")
    assert (said.exit_code, "CANNOT BE READ: gate, stream main" in said.stdout) == (65, True)
    assert "recorder secrets begin" in run(centre, "doctor").stdout
    begun = json.loads(run(centre, "secrets", "begin", "--json").stdout)
    assert begun["here"]
    (tmp_path / "new").write_text("ana:other")
    done = run(centre, "camera", "set", "gate", "--credentials-file", str(tmp_path / "new"))
    assert done.exit_code == 0, done.output
    until(lambda: centre.state("gate").get("state") == "recording", 20, "gate is recorded again")
    rotated = json.loads(run(centre, "secrets", "rotate", "--json").stdout)
    assert rotated["key_id"] != begun["key_id"]
    assert rotated["under"] == {rotated["key_id"]: 1}
    centre.add("late", camera.url("cam").replace("rtsp://", "rtsp://ana:late@"))
    assert run(centre, "secrets", "check").exit_code == 0, "the running node took the new key"


def key_of(node: Node) -> Path:
    return node.folder / "data" / "secrets.key"


@pytest.mark.xdist_group("pg")
def test_a_second_node_with_another_key_does_not_start(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database()
    first = Node(tmp_path / "a", catalog=url, node="a")
    second = Node(tmp_path / "b", catalog=url, node="b")
    try:
        first.start()
        until(lambda: key_of(first).exists(), 20, "the first one's key")
        refused = second.run("serve")
        assert refused.returncode == 78
        assert "secrets are encrypted under key" in refused.stderr
        assert "take it from another node" in refused.stderr
        assert "Traceback" not in refused.stderr
        key_of(second).parent.mkdir(exist_ok=True)
        key_of(second).write_bytes(key_of(first).read_bytes())
        second.start()
        second.stop()
    finally:
        first.close()
        second.close()
