"""Two machines under the name of one node, on one catalog."""

from __future__ import annotations

from pathlib import Path

from tests.support.nodes import Node
from tests.support.ports import until
from tests.support.postgres import Postgres
from tests.support.shared import SharedSite


def test_a_second_machine_under_a_nodes_name_ends_and_the_first_goes_on(
    tmp_path: Path, postgres: Postgres, h264_file: Path
) -> None:
    url = postgres.database()
    site = SharedSite(tmp_path, url, h264_file, ("n1",))
    first = site.nodes["n1"]
    stores = [{"name": "main", "kind": "directory", "path": str(tmp_path / "store")}]
    second = Node(tmp_path / "second", catalog=url, node="n1", stores=stores)
    second.share_key()
    try:
        first.start()
        first.add("cam", site.camera.url("cam"))
        first.recording("cam", 60)
        second.start()
        until(lambda: second.process is None or second.process.poll() is not None, 60, "it ends")
        assert second.process is not None
        assert second.process.returncode == 78
        assert "node n1: another machine has this name" in second.log.read_text()
        assert first.process is not None
        assert first.process.poll() is None
        reach = first.footage_s("cam")
        until(lambda: first.footage_s("cam") > reach + 5, 40, "the first records on")
        own = first.timeline("cam")
        begin = min(span["start"] for span in own["spans"])
        gaps = [gap for gap in own["gaps"] if gap["start"] > begin]
        assert gaps == []
        assert first.state("cam")["state"] == "recording"
    finally:
        second.close()
        site.close()
