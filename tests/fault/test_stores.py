"""Stores that are gone, slow, refusing, wrong, or full: recording goes on, nothing is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder.model.timebase import SECOND, parse_instant
from tests.support import media
from tests.support.disk import fill, small_disk
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.proxy import Proxy
from tests.support.rgw import ACCESS, SECRET, Rgw


def s3_settings(port: int, bucket: str) -> dict[str, Any]:
    return {
        "stores": [
            {"name": "main", "kind": "s3", "endpoint": f"http://127.0.0.1:{port}",
             "bucket": bucket, "access_key": "env:T_ACCESS", "secret_key": "env:T_SECRET"},
        ],
    }  # fmt: skip


def metric(node: Node, name: str) -> float:
    for line in node.http.get("/metrics").text.splitlines():
        if line.startswith(name) and not line.startswith("#"):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


@pytest.mark.xdist_group("rgw")
@pytest.mark.parametrize(
    "mode", ["refuse", pytest.param("error", marks=pytest.mark.long), "truncate", "hang"]
)
def test_a_store_that_fails_costs_nothing_and_is_caught_up_with(
    mode: str, rgw: Rgw, tmp_path: Path, camera: RtspServer
) -> None:
    bucket = rgw.bucket()
    proxy = Proxy(rgw.port)
    node = Node(tmp_path / "node", capture={"segment": 2}, **s3_settings(proxy.port, bucket))
    node.env = {"T_ACCESS": ACCESS, "T_SECRET": SECRET}
    try:
        node.start()
        node.add("cam", camera.url("cam"))
        until(lambda: metric(node, "recorder_ship_bytes_total") > 0, 40, "something shipped")
        proxy.set(mode)
        shipped = metric(node, "recorder_ship_bytes_total")
        begin = node.footage_s("cam")
        until(lambda: node.footage_s("cam") > begin + 5, 30, "recording goes on")
        assert metric(node, "recorder_ship_bytes_total") <= shipped + 2_000_000
        spans = node.timeline("cam")["spans"]
        end = parse_instant(spans[-1]["end"])
        assert node.clip("cam", end - 5 * SECOND, end - SECOND).status_code == 200
        proxy.set("ok")
        until(
            lambda: metric(node, "recorder_ship_bytes_total") > shipped + 500_000, 60, "caught up"
        )
        assert len(node.timeline("cam")["spans"]) == 1, "the outage made a gap"
        node.stop()
        assert node.broken("--digest") == []
    finally:
        node.close()
        proxy.close()


@pytest.mark.xdist_group("rgw")
def test_a_bucket_alone_rebuilds_the_catalog_and_reads_from_it(
    rgw: Rgw, tmp_path: Path, camera: RtspServer
) -> None:
    bucket = rgw.bucket()
    node = Node(tmp_path / "node", **s3_settings(rgw.port, bucket))
    node.env = {"T_ACCESS": ACCESS, "T_SECRET": SECRET}
    try:
        node.start()
        node.add("cam", camera.url("cam"))
        until(lambda: node.footage_s("cam") > 9, 40, "9 s of footage")
        node.stop()
        before = node.run("timeline", "cam", "--start", "-1h", "--json").stdout
        subprocess.run(["rm", "-rf", str(node.folder / "data")], check=True)
        refused = node.run("store", "list").stdout
        assert "refused" not in refused, refused  # a new catalog may take a store of ours
        assert node.run("rebuild").returncode == 0
        after = node.run("timeline", "cam", "--start", "-1h", "--json").stdout
        import json

        spans = [json.loads(text)["spans"] for text in (before, after)]
        assert spans[0] == spans[1]
        assert node.broken("--digest") == []
        start = parse_instant(spans[0][0]["start"]) + SECOND
        node.start()
        clip = node.save_clip(tmp_path / "c.mp4", "cam", start, start + 3 * SECOND)
        assert len(media.read_numbers(clip)) in (74, 75, 76)
        listed = "/api/v1/cameras/cam/playback.m3u8"
        span = {name: spans[0][0][name] for name in ("start", "end")}

        def presigned() -> list[str]:
            lines = node.http.get(listed, params={**span, "via": "presigned"}).text.splitlines()
            return [line for line in lines if line.startswith("http")]

        (url, *_) = until(presigned, 20, "the range is over")
        assert httpx.get(url, headers={"Range": "bytes=4-7"}).content == b"ftyp"
    finally:
        node.close()


def test_an_object_that_disappears_is_an_error_never_a_short_file(
    node: Node, camera: RtspServer
) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    until(lambda: node.footage_s("cam") > 12, 40, "12 s of footage")
    node.stop()
    gone = sorted((node.folder / "data/store").rglob("*Z.1.mp4"))[0]
    gone.unlink()
    for cached in (node.folder / "data/spool/cache").rglob("*.mp4"):
        cached.unlink()
    node.start()
    span = node.timeline("cam")["spans"][0]
    begin, end = parse_instant(span["start"]), parse_instant(span["end"])
    answer = node.clip("cam", begin, end)
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:spanstore:CopyMissing"
    found = node.check()
    assert not found["clean"]
    assert any("not in store" in finding["detail"] for finding in found["findings"])
    node.run("check", "--lose-missing")
    assert node.broken() == []
    assert "lost" in {gap["cause"] for gap in node.timeline("cam")["gaps"]}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 24 MB."""
    with small_disk(tmp_path / "small", 24) as folder:
        yield folder


def test_a_full_spool_sheds_the_oldest_and_every_shed_segment_is_a_gap(
    disk: Path, tmp_path: Path, camera: RtspServer
) -> None:
    node = Node(
        tmp_path / "node",
        spool={"path": str(disk), "max_size": "3 MB", "floor": "2 MB"},
        stores=[{"name": "main", "kind": "s3", "endpoint": "http://127.0.0.1:9", "bucket": "none"}],
    )
    try:
        node.start()
        node.add("cam", camera.url("cam"))
        until(lambda: "spool-full" in causes(node), 60, "a gap spool-full")
        until(lambda: node.state("cam")["state"] == "recording", 10, "still recording")
        assert "footage shed" in node.log.read_text()
        line = node.timeline("cam")
        shed = [gap for gap in line["gaps"] if gap["cause"] == "spool-full"]
        assert parse_instant(shed[0]["end"]) <= parse_instant(line["spans"][-1]["start"]) + SECOND
        assert metric(node, "recorder_spool_shed_segments_total") >= 1
    finally:
        node.close()


def causes(node: Node) -> set[str]:
    return {gap["cause"] for gap in node.timeline("cam")["gaps"]}


def test_a_disk_filled_by_others_is_named_and_recording_resumes(
    disk: Path, tmp_path: Path, camera: RtspServer
) -> None:
    node = Node(tmp_path / "node", spool={"path": str(disk), "floor": "100 kB"})
    try:
        node.start()
        node.add("cam", camera.url("cam"))
        node.recording("cam")
        filler = fill(disk)
        until(lambda: node.state("cam").get("condition") == "spool-full", 30, "named spool-full")
        filler.unlink()
        until(lambda: "spool-full" in causes(node), 60, "the gap is named")
        until(lambda: node.state("cam")["state"] == "recording", 40, "recording again")
        until(lambda: len(list(disk.glob("open/*/*/*/*/"))) == 1, 40, "what was left is sealed")
        node.stop()
        assert node.broken("--digest") == []
    finally:
        node.close()


def test_a_wrong_disk_under_the_store_is_refused_not_written_to(
    node: Node, camera: RtspServer
) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    until(lambda: node.footage_s("cam") > 6, 40, "6 s of footage")
    node.stop()
    store = node.folder / "data" / "store"
    store.rename(store.with_name("unplugged"))
    store.mkdir()
    node.start()
    until(lambda: node.footage_s("cam") > 16, 60, "recording goes on")
    assert list(store.rglob("*.mp4")) == []
    until(lambda: "identity" in node.http.get("/api/v1/nodes").json()[0]["ship_error"], 30, "named")
    assert list(store.rglob("*.mp4")) == []
    store.rmdir()
    store.with_name("unplugged").rename(store)
    until(
        lambda: node.http.get("/api/v1/nodes").json()[0]["ship_error"] == "", 90, "shipping again"
    )
    node.stop()
    assert node.broken("--digest") == []
