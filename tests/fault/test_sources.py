"""Cameras that vanish, fall silent, refuse, change, or have strange clocks."""

from __future__ import annotations

import io
import itertools
import socket
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.capture.programs import abilities
from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support import media
from tests.support.nodes import Node, RtspServer
from tests.support.ports import clock_moved, free_port, until
from tests.support.tls import make_certificate


def test_a_stall_is_noticed_within_five_seconds_and_named(node: Node, camera: RtspServer) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    until(lambda: node.state("cam").get("state") == "recording", 20, "recording")
    node.recording("cam")
    until(lambda: node.footage_s("cam") > 3, 20, "it is known how often something comes")
    (pid,) = node.ffmpegs()
    camera.pause()
    end = parse_instant(node.timeline("cam")["spans"][-1]["end"])
    until(lambda: metric_stalls(node) == 1, 6, "stall noticed")
    until(lambda: pid not in node.ffmpegs(), 12, "the stalled ffmpeg is ended")
    camera.resume()
    until(lambda: len(node.timeline("cam")["spans"]) == 2, 30, "recording again")
    line = node.timeline("cam")  # asked once: where an open span begins is known better and better
    first, second = line["spans"]
    gap = next(g for g in line["gaps"] if g["start"] == first["end"])
    assert gap["cause"] == "stall"
    assert gap["end"] == second["start"]
    moved = parse_instant(first["end"]) - end
    assert abs(moved) < 2.5 * SECOND, "what came before the silence stays where it happened"


def metric_stalls(node: Node) -> float:
    for line in node.http.get("/metrics").text.splitlines():
        if line.startswith("recorder_capture_stalls_total{"):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


@pytest.fixture
def refusing() -> Iterator[int]:
    """An RTSP server that answers 401 to everything."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(2)
                try:
                    while request := client.recv(4096):
                        cseq = request.split(b"CSeq: ")[1].split(b"\r\n")[0]
                        client.sendall(
                            b"RTSP/1.0 401 Unauthorized\r\nCSeq: "
                            + cseq
                            + b'\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
                        )
                except (OSError, IndexError):
                    continue

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_refused_credentials_are_named_and_never_shown(node: Node, refusing: int) -> None:
    node.start()
    node.add("cam", f"rtsp://admin:hunter2@127.0.0.1:{refusing}/x")
    until(lambda: node.state("cam").get("condition") == "auth-refused", 20, "auth-refused")
    shown = node.http.get("/api/v1/cameras").text + node.http.get("/api/v1/nodes").text
    assert "hunter2" not in shown + node.log.read_text()
    said = node.run("camera", "probe", f"rtsp://admin:hunter2@127.0.0.1:{refusing}/x")
    assert said.returncode == 75
    assert "auth-refused" in said.stderr
    assert "hunter2" not in said.stderr + said.stdout


def test_a_probe_says_what_a_source_offers_or_why_not(node: Node, bframes_aac_file: Path) -> None:
    server = RtspServer(cam=f"{bframes_aac_file}:h264:aac").start()
    try:
        said = node.run("camera", "probe", server.url("cam"), "--json")
        assert said.returncode == 0, said.stderr
        import json

        facts = json.loads(said.stdout)
        assert facts["video"] == "h264"
        assert facts["size"] == f"{media.WIDE}x{media.HIGH}"
        assert facts["audio"].startswith("aac")
        assert facts["audio_is"] == "copied"
        assert facts["b_frames"] is True
        assert abs(facts["gop_s"] - 2.0) < 0.1
        assert facts["codec"].startswith("avc1.")
        missing = node.run("camera", "probe", f"rtsp://127.0.0.1:{server.port}/none")
        assert missing.returncode == 75
        assert "not-found" in missing.stderr
    finally:
        server.stop()
    refused = node.run("camera", "probe", f"rtsp://127.0.0.1:{free_port()}/x")
    assert "unreachable" in refused.stderr
    assert "hint:" in refused.stderr


def test_a_camera_that_takes_connections_and_says_nothing_does_not_answer(node: Node) -> None:
    node.start()
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        node.add("hung", f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x")
        until(lambda: node.state("hung").get("condition"), 60, "it is given up")
        state = node.state("hung")
        assert state["condition"] == "timeout", "its URL is not what is wrong"
        assert state["detail"].startswith("it said nothing in ")


def test_adding_and_removing_a_camera_touches_no_other(node: Node, camera: RtspServer) -> None:
    node.start()
    node.add("one", camera.url("cam"))
    node.recording("one")
    pids = node.ffmpegs()
    node.add("two", camera.url("cam"))
    node.recording("two")
    assert set(pids) < set(node.ffmpegs())
    assert node.http.delete("/api/v1/cameras/two").status_code == 204
    until(lambda: node.ffmpegs() == pids, 15, "only the removed camera stopped")
    assert node.footage_s("two") > 0, "its footage stays"
    assert len(node.timeline("one")["spans"]) == 1


@pytest.mark.parametrize("kind", ["h264", "h265"])
def test_a_change_of_resolution_or_codec_opens_a_new_span_and_both_play(
    kind: str, node: Node, h264_file: Path, hevc_file: Path, media_folder: str, tmp_path: Path
) -> None:
    small = (("size", "1152x168"), ("first", 100000))
    other = media.numbered(media_folder, "small", 60, small) if kind == "h264" else hevc_file
    port = free_port()
    first = RtspServer(port, cam=f"{h264_file}:h264").start()
    node.start()
    node.add("cam", first.url("cam"))
    until(lambda: node.footage_s("cam") > 5, 30, "footage of the first kind")
    first.stop()
    second = RtspServer(port, cam=f"{other}:{kind}").start()
    try:
        until(lambda: len(node.timeline("cam")["spans"]) == 2, 30, "a new span")
        until(lambda: node.timeline("cam")["spans"][1]["seconds"] > 4, 30, "footage of the second")
        spans = node.timeline("cam")["spans"]
        start, end = parse_instant(spans[0]["end"]) - 2 * SECOND, parse_instant(spans[1]["start"])
        if kind == "h265":
            refused = node.clip("cam", start, end + 2 * SECOND)
            assert (refused.status_code, refused.json()["title"]) == (409, "MixedCodecs")
            assert "format=zip" in refused.json()["hint"]
        else:
            shown = media.read_numbers(
                node.save_clip(tmp_path / "c.mp4", "cam", start, end + 2 * SECOND)
            )
            assert [shown[0] < 100000, shown[-1] > 100000] == [True, True]
            assert len(shown) > 90
        archive = node.http.get("/api/v1/cameras/cam/clip.mp4", params={
            "start": format_instant(start, 9), "end": format_instant(end + 2 * SECOND, 9),
            "format": "zip",
        })  # fmt: skip
        assert archive.status_code == 200
        with zipfile.ZipFile(io.BytesIO(archive.content)) as parts:
            names = [name for name in parts.namelist() if name.endswith(".mp4")]
            assert len(names) == 2
            for name in names:
                (tmp_path / name).write_bytes(parts.read(name))
                assert len(media.read_numbers(tmp_path / name)) > 40
    finally:
        second.stop()


@pytest.mark.parametrize("shift", ["+3600s", "-3600s"])
def test_a_camera_with_a_wrong_clock_is_placed_by_ours_and_its_error_is_told(
    shift: str, node: Node, h264_file: Path
) -> None:
    server = RtspServer(env=clock_moved(shift), cam=f"{h264_file}:h264").start()
    try:
        node.start()
        node.add("cam", server.url("cam"))

        def offset() -> float | None:
            spans = node.timeline("cam")["spans"]
            return spans[-1]["camera_clock_offset_s"] if spans else None

        until(lambda: offset() is not None, 60, "the camera's clock is known")
        assert abs((offset() or 0) - int(shift[:-1])) < 1.5
        now = parse_instant(node.http.get("/api/v1/coverage").json()["end"])
        assert abs(parse_instant(node.timeline("cam")["spans"][-1]["end"]) - now) < 6 * SECOND
    finally:
        server.stop()


def test_pushed_http_udp_and_synthetic_sources_are_recorded(node: Node, h264_file: Path) -> None:
    node.start()
    push, udp = free_port(), free_port()
    node.add("pushed", f"rtsp://127.0.0.1:{push}/x", listen=True)
    node.add("udp", f"udp://127.0.0.1:{udp}")
    node.add("synthetic", "lavfi:testsrc2=s=640x360:r=10")
    node.add("file", str(h264_file))
    feeds: list[subprocess.Popen[bytes]] = []
    try:
        until(lambda: len(node.ffmpegs()) == 4, 20, "four ffmpegs")
        source = [
            media.FF9,
            "-v",
            "quiet",
            "-re",
            "-stream_loop",
            "-1",
            "-i",
            str(h264_file),
            "-c",
            "copy",
        ]
        feeds.append(
            subprocess.Popen([*source, "-f", "mpegts", f"udp://127.0.0.1:{udp}?pkt_size=1316"])
        )

        def pushed() -> bool:
            if not feeds[1:] or feeds[-1].poll() is not None:
                feeds.append(
                    subprocess.Popen([*source, "-f", "rtsp", f"rtsp://127.0.0.1:{push}/x"])
                )
            return node.footage_s("pushed") > 0

        until(pushed, 30, "pushed is recorded")
        for name in ("udp", "synthetic", "file"):
            node.recording(name, 40)
    finally:
        for feed in feeds:
            feed.kill()
            feed.wait()


def test_frames_that_never_came_are_a_gap_though_nothing_was_reconnected(
    node: Node, h264_file: Path, media_folder: str, tmp_path: Path
) -> None:
    holed = Path(media_folder) / "holed.mkv"
    with media.made_once(holed) as part:
        if part is not None:
            subprocess.run(
                [media.FF9, "-v", "error", "-t", "30", "-i", str(h264_file), "-vf",
                 "select='not(between(t,6.02,7.82))'", "-fps_mode", "passthrough", "-c:v",
                 "libx264", "-preset", "ultrafast", "-g", "50", str(part)], check=True,
            )  # fmt: skip
    server = RtspServer(cam=f"{holed}:h264").start()
    try:
        node.start()
        node.add("cam", server.url("cam"))

        def gap() -> dict[str, str] | None:
            line = node.timeline("cam")
            first = parse_instant(line["spans"][0]["start"]) if line["spans"] else 0
            inside = [gap for gap in line["gaps"] if parse_instant(gap["start"]) > first > 0]
            after = line["spans"][1:]  # at its first frame the hole is known, and nothing after it
            return inside[0] if inside and after and after[-1]["seconds"] > 5 else None

        found = until(gap, 40, "the hole is a gap")
        assert found is not None
        assert found["cause"] == "source"
        start, end = parse_instant(found["start"]), parse_instant(found["end"])
        assert abs(end - start - 1.8 * SECOND) < SECOND // 10
        assert len(set(node.ffmpegs())) == 1
        around = (start - SECOND, end + SECOND)
        assert node.clip("cam", *around, gaps="fail").status_code == 409
        numbers = media.read_numbers(node.save_clip(tmp_path / "c.mp4", "cam", *around))
        assert [b - a for a, b in itertools.pairwise(numbers) if b != a + 1] == [46], numbers

        def counted() -> bool:
            text = node.http.get("/metrics").text
            lines = [one for one in text.splitlines() if "missing_frames_total{" in one]
            return any(float(one.rsplit(" ", 1)[1]) >= 45 for one in lines)

        until(counted, 20, "missing frames are counted")
        node.stop()
        assert node.broken("--digest") == []
    finally:
        server.stop()


def test_a_change_of_resolution_within_a_session_opens_a_new_span(
    node: Node, h264_file: Path, media_folder: str, tmp_path: Path
) -> None:
    other = media.numbered(media_folder, "small", 60, (("size", "1152x168"), ("first", 100000)))
    listing = tmp_path / "list.txt"
    listing.write_text(
        f"ffconcat version 1.0\nfile '{h264_file}'\noutpoint 8\nfile '{other}'\noutpoint 30\n"
    )
    udp = free_port()
    node.start()
    node.add("cam", f"udp://127.0.0.1:{udp}")
    until(lambda: len(node.ffmpegs()) == 1, 20, "ffmpeg listens")
    feed = subprocess.Popen(
        [media.FF9, "-v", "quiet", "-re", "-f", "concat", "-safe", "0", "-i", str(listing),
         "-c", "copy", "-f", "mpegts", f"udp://127.0.0.1:{udp}?pkt_size=1316"],
    )  # fmt: skip
    try:
        until(lambda: len(node.timeline("cam")["spans"]) >= 2, 40, "a new span")
        until(lambda: node.timeline("cam")["spans"][-1]["seconds"] > 6, 40, "it goes on")
        assert len(set(node.ffmpegs())) == 1, "the session goes on"
        first, second = node.timeline("cam")["spans"][-2:]
        assert first["end"] == second["start"], "no picture is lost to the change"
        last = node.timeline("cam")["spans"][-1]
        begin = parse_instant(last["start"])
        clip = node.save_clip(tmp_path / "c.mp4", "cam", begin, begin + 3 * SECOND)
        facts = media.probe(clip, "stream=width,height")
        assert facts == {"width": "1152", "height": "168"}
        assert min(media.read_numbers(clip)) >= 100000
    finally:
        feed.kill()
        feed.wait()


@pytest.mark.parametrize("ffmpeg", ["", media.FF5])
def test_a_camera_with_a_password_is_recorded_and_no_listing_shows_it(
    ffmpeg: str, h264_file: Path, tmp_path: Path
) -> None:
    server = RtspServer(cam=f"{h264_file}:h264", user="viewer:hunt/er 2").start()
    url = server.url("cam").replace("rtsp://", "rtsp://viewer:hunt%2Fer%202@")
    node = Node(tmp_path / "node", capture={"ffmpeg": ffmpeg})
    try:
        node.start()
        node.add("cam", url)
        node.recording("cam", 40)
        listed = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in node.ffmpegs()]
        assert listed
        assert not any(b"hunt" in argv for argv in listed)
        body = node.http.get("/api/v1/cameras/cam").text + node.http.get("/metrics").text
        assert "hunt" not in body + node.log.read_text()
        node.add("wrong", server.url("cam").replace("rtsp://", "rtsp://viewer:hunter3@"))
        until(lambda: node.state("wrong").get("condition") == "auth-refused", 20, "auth-refused")
        said = node.run("camera", "probe", url)
        assert said.returncode == 0, said.stderr
    finally:
        node.close()
        server.stop()


@pytest.mark.parametrize("ffmpeg", ["", media.FF5])
def test_rtsps_is_recorded_only_when_its_certificate_is_believed_or_need_not_be(
    ffmpeg: str, h264_file: Path, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    server = RtspServer(
        cam=f"{h264_file}:h264", user="viewer:secret", certificate=str(certificate)
    ).start()
    url = server.url("cam").replace("rtsp://", "rtsps://viewer:secret@")
    node = Node(tmp_path / "node", capture={"ffmpeg": ffmpeg})
    try:
        node.start()
        checks = abilities(ffmpeg or media.FF9).checks_rtsps
        node.add("strict", url)
        node.add("lax", url, verify_tls=False)
        node.recording("lax", 40)
        why = "tls" if checks else "tls-unchecked"
        until(lambda: node.state("strict").get("condition") == why, 20, "refused, and why")
        if checks:
            node.add("cam", url, ca_file=str(certificate))
            node.recording("cam", 40)
        assert checks or ffmpeg, "the ffmpeg that comes with the project checks certificates"
        assert b"secret" not in b"".join(
            Path(f"/proc/{pid}/cmdline").read_bytes() for pid in node.ffmpegs()
        )
    finally:
        node.close()
        server.stop()
