"""The guide to the API, as it stands there: its blocks are run against a real node."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

PAGE = Path(__file__).resolve().parents[2] / "docs/guide/api.md"
ADDRESS = "http://127.0.0.1:8600"
RUN = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-W", "error", "-c"],
    "js": ["node", "--input-type=module", "-e"],
}


def blocks() -> list[tuple[str, str]]:
    """The kinds and texts of the page's blocks; waits are made short, for nothing else is."""
    found = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.S)
    return [(kind, text.replace("before=10s&after=20s", "before=2s&after=1s")
             .replace('"before": "10s", "after": "20s"', '"before": "2s", "after": "1s"'))
            for kind, text in found]  # fmt: skip


def test_what_the_guide_to_the_api_shows_works(
    node: Node, camera: RtspServer, tmp_path: Path
) -> None:
    node.start()
    node.add("gate", camera.url("cam"))
    until(lambda: node.footage_s("gate") > 4, 30, "4 s of footage")
    shown = blocks()
    assert {kind for kind, _ in shown} == set(RUN)
    said = []
    for kind, text in shown:
        text = text.replace(ADDRESS, f"http://127.0.0.1:{node.port}")
        done = subprocess.run(
            [*RUN[kind], text], cwd=tmp_path, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, text + done.stdout + done.stderr
        said.append(done.stdout)
    headers = (tmp_path / "headers.txt").read_text().lower()
    assert re.search(r"^x-gaps: 0\s*$", headers, re.M), headers
    assert (tmp_path / "alarm.mp4").read_bytes()[4:8] == b"ftyp"
    assert (tmp_path / "now.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert "nothing is missing" in said[1]
    assert said[2].endswith("0 gaps\n")
    assert any('"alarm-1"' in one for one in said[3:])
    clips = sorted((tmp_path / "clips").iterdir())
    assert [one.name for one in clips] == ["000_gate.mp4", "001_gate.mp4"]
    assert all(one.read_bytes()[4:8] == b"ftyp" for one in clips)
