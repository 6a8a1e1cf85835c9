"""Independent readers accept what we write: ffprobe, GStreamer, Chromium, the annex's rules."""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support import media
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.rgw import ACCESS, SECRET, Rgw

READERS = pytest.mark.xdist_group("readers")
"""One recording serves them all."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, alaw_file: Path) -> Iterator[Node]:
    """A node with footage of two spans, with sound; all of it sealed."""
    server = RtspServer(cam=f"{alaw_file}:h264:alaw").start()
    node = Node(tmp_path_factory.mktemp("readers") / "node").start()
    try:
        node.add("cam", server.url("cam"))
        until(lambda: node.footage_s("cam") > 9, 40, "9 s of footage")
        server.stop()
        until(lambda: node.state("cam").get("condition") == "unreachable", 20, "gone")
        server.start()
        until(lambda: len(node.timeline("cam")["spans"]) == 2, 40, "two spans")
        until(lambda: node.timeline("cam")["spans"][1]["seconds"] > 6, 40, "6 s more")
        node.http.delete("/api/v1/cameras/cam")
        until(lambda: not node.timeline("cam")["spans"][-1]["open"], 20, "all of it is sealed")
        yield node
    finally:
        node.close()
        server.stop()


def whole(node: Node) -> tuple[int, int]:
    spans = node.timeline("cam")["spans"]
    return parse_instant(spans[0]["start"]), parse_instant(spans[-1]["end"])


@READERS
def test_ffprobe_gstreamer_and_chromium_play_a_clip_across_a_gap(
    recorded: Node, tmp_path: Path
) -> None:
    start, end = whole(recorded)
    clip = recorded.save_clip(tmp_path / "c.mp4", "cam", start + SECOND, end - SECOND)
    times = recorded.http.get(
        "/api/v1/cameras/cam/clip.json",
        params={"start": format_instant(start + SECOND, 9), "end": format_instant(end - SECOND, 9)},
    ).json()
    assert len(times["parts"]) == 2
    length = times["parts"][-1]["clip_end_s"]
    facts = media.probe(clip, "format=duration,start_time", "stream=codec_name")
    assert abs(float(facts["duration"]) - length) < 0.1
    assert facts["codec_name"] == "h264"
    sound = subprocess.run(
        ["/usr/bin/ffprobe", "-v", "error", "-select_streams", "a", "-show_entries",
         "stream=duration,start_time", "-of", "json", str(clip)], capture_output=True, check=True,
    )  # fmt: skip
    audio = json.loads(sound.stdout)["streams"][0]
    assert abs(float(audio["duration"]) + float(audio["start_time"]) - length) < 0.15
    checked = subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={clip}", "!", "qtdemux", "!", "h264parse",
         "!", "avdec_h264", "!", "fakesink"], capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert b"ERROR" not in checked.stderr
    query = f"start={format_instant(start + SECOND, 9)}&end={format_instant(end - SECOND, 9)}"
    said = in_chromium(recorded, VIDEO_PAGE, f"/api/v1/cameras/cam/clip.mp4?{query}")
    assert said["error"] is None, said
    assert abs(said["duration"] - length) < 0.2
    assert abs(said["seeked"] - length / 2) < 0.1
    assert (said["width"], said["height"]) == (media.WIDE, media.HIGH)


@READERS
def test_hls_js_plays_the_stored_fragments_seeks_and_tells_the_true_time(recorded: Node) -> None:
    start, end = whole(recorded)
    query = f"start={format_instant(start, 9)}&end={format_instant(end, 9)}"
    url = f"/api/v1/cameras/cam/playback.m3u8?{query}"
    until(lambda: "#EXT-X-ENDLIST" in recorded.http.get(url).text, 20, "the range is over")
    assert recorded.http.get(url).text.count("#EXT-X-DISCONTINUITY") == 1
    spans = recorded.timeline("cam")["spans"]
    said = in_chromium(recorded, HLS_PAGE, url)
    assert said["error"] is None, said
    assert not [error for error in said["errors"] if error.endswith("true")], said
    assert said["width"] == media.WIDE
    assert abs(said["duration"] - sum(span["seconds"] for span in spans)) < 2.5
    shown = parse_instant(said["date"]) - round(said["at"] * SECOND)
    assert abs(shown - start) < SECOND // 10
    late = parse_instant(said["late_date"]) + round(said["late"] * SECOND)
    assert abs(late - end) < SECOND // 2, "sound may end a little before or after the pictures"


def test_players_follow_what_is_being_recorded_to_the_end_of_the_range(
    tmp_path: Path, alaw_file: Path
) -> None:
    """Over several files, each growing, sealed and stored meanwhile."""
    server = RtspServer(cam=f"{alaw_file}:h264:alaw").start()
    node = Node(tmp_path / "node").start()
    try:
        node.add("cam", server.url("cam"))
        until(lambda: node.footage_s("cam") > 1, 40, "footage")
        start = parse_instant(node.timeline("cam")["spans"][0]["start"])
        end = start + 18 * SECOND
        query = f"start={format_instant(start, 9)}&end={format_instant(end, 9)}"
        url = f"/api/v1/cameras/cam/playback.m3u8?{query}"
        until(lambda: "#EXTINF" in node.http.get(url).text, 20, "a group of pictures is whole")
        assert "#EXT-X-ENDLIST" not in node.http.get(url).text
        whole = f"{node.http.base_url}{url}"
        reading = [follow(program, whole) for program in (media.FF5, media.FF9)]
        lists: list[str] = []
        said = in_chromium(node, FOLLOWING_PAGE, url, lists)
        assert said["error"] is None, said
        assert not [error for error in said["errors"] if error.endswith("true")], said
        assert len(said["buffered"]) == 1, said
        (played,) = said["buffered"]
        assert played[0] < 0.1, said
        assert abs(played[1] - 18) < 2.5, "up to a group more, for it is named whole"
        frames = follow(media.FF5, whole).communicate(timeout=60)[0].count(b"\n0,")
        assert frames > 400
        assert [one.communicate(timeout=60)[0].count(b"\n0,") for one in reading] == [frames] * 2
        heads = [text.split("#EXT-X-MAP", 1) for text in lists if "#EXT-X-MAP" in text]
        assert len({head for head, _ in heads[:-1]}) == 1, "what is said of all of it stays"
        bodies = [body.removesuffix("#EXT-X-ENDLIST\n") for _, body in heads]
        for earlier, later in itertools.pairwise(bodies):
            assert later.startswith(earlier)
        assert abs(parse_instant(said["date"]) - round(said["at"] * SECOND) - start) < SECOND // 5
    finally:
        node.close()
        server.stop()


def follow(program: str, url: str) -> subprocess.Popen[bytes]:
    """Read a playlist from its begin to its end; print a line for each frame."""
    return subprocess.Popen(
        [program, "-v", "error", "-live_start_index", "0", "-i", url,
         "-map", "0:v", "-c", "copy", "-f", "framecrc", "-"], stdout=subprocess.PIPE,
    )  # fmt: skip


@READERS
def test_ffmpegs_old_and_new_get_every_frame_of_a_playlist(recorded: Node) -> None:
    spans = recorded.timeline("cam")["spans"]
    start, end = (parse_instant(spans[0][edge]) for edge in ("start", "end"))
    params = {"start": format_instant(start, 9), "end": format_instant(end, 9)}
    times = recorded.http.get("/api/v1/cameras/cam/clip.json", params=params).json()
    frames = sum(part["frames"] for part in times["parts"])
    assert frames > 200
    query = "&".join(f"{name}={value}" for name, value in params.items())
    url = f"{recorded.http.base_url}/api/v1/cameras/cam/playback.m3u8?{query}"
    for program in (media.FF5, media.FF9):
        read = subprocess.run(
            [program, "-v", "error", "-i", url,
             "-map", "0:v", "-c", "copy", "-f", "framecrc", "-"],
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        lines = [line for line in read.stdout.decode().splitlines() if not line.startswith("#")]
        assert len(lines) == frames, program


@READERS
def test_a_fragments_own_url_is_just_its_bytes_and_takes_ranges_of_them(recorded: Node) -> None:
    start, end = whole(recorded)
    path = "/api/v1/cameras/cam/playback.m3u8"
    params = {"start": format_instant(start, 9), "end": format_instant(end, 9)}
    lines = recorded.http.get(path, params=params).text.splitlines()
    url = httpx.URL(str(recorded.http.base_url) + path).join(
        next(one for one in lines if "#" not in one)
    )
    low, high = map(int, url.params["bytes"].split("-"))
    whole_object = recorded.http.get(url.copy_remove_param("bytes")).content
    part = recorded.http.get(url)
    assert part.status_code == 200
    assert part.content == whole_object[low : high + 1]
    assert part.content[4:8] == b"prft"
    some = recorded.http.get(url, headers={"Range": "bytes=4-7"})
    assert (some.status_code, some.content) == (206, b"prft")
    assert some.headers["content-range"] == f"bytes 4-7/{high - low + 1}"
    assert recorded.http.head(url).headers["content-length"] == str(high - low + 1)
    for wrong, status in ((f"0-{len(whole_object)}", 404), ("9-8", 404), ("-5", 400), ("x", 400)):
        answer = recorded.http.get(url.copy_set_param("bytes", wrong))
        assert answer.status_code == status, wrong


@READERS
def test_byte_ranges_of_a_clip_are_the_bytes_of_the_clip(recorded: Node) -> None:
    start, end = whole(recorded)
    params = {
        "start": format_instant(start + SECOND, 9),
        "end": format_instant(end - 3 * SECOND, 9),
    }
    path = "/api/v1/cameras/cam/clip.mp4"
    full = recorded.http.get(path, params=params)
    body, etag = full.content, full.headers["etag"]
    assert full.headers["content-length"] == str(len(body))
    assert full.headers["accept-ranges"] == "bytes"
    assert "clip.json" in full.headers["link"]
    head = recorded.http.head(path, params=params)
    assert head.headers["content-length"] == str(len(body))
    cases = [
        (0, 10),
        (5, 70_000),
        (len(body) // 2, len(body) // 2 + 100_001),
        (len(body) - 7, len(body)),
    ]
    for low, high in cases:
        part = recorded.http.get(path, params=params, headers={"Range": f"bytes={low}-{high - 1}"})
        assert part.status_code == 206
        assert part.content == body[low:high]
        assert part.headers["content-range"] == f"bytes {low}-{high - 1}/{len(body)}"
        assert part.headers["etag"] == etag
    tail = recorded.http.get(path, params=params, headers={"Range": "bytes=-9"})
    assert tail.content == body[-9:]
    beyond = recorded.http.get(path, params=params, headers={"Range": f"bytes={len(body)}-"})
    assert beyond.status_code == 416
    same = recorded.http.get(path, params=params, headers={"If-None-Match": etag})
    assert same.status_code == 304
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert recorded.http.get(path, params=params, headers=other).status_code == 200


@READERS
def test_the_frame_asked_for_is_the_frame_shown(recorded: Node, tmp_path: Path) -> None:
    start, _ = whole(recorded)
    clip = recorded.save_clip(tmp_path / "c.mp4", "cam", start + SECOND, start + 6 * SECOND)
    numbers = media.read_numbers(clip)
    times = recorded.http.get(
        "/api/v1/cameras/cam/clip.json",
        params={
            "start": format_instant(start + SECOND, 9),
            "end": format_instant(start + 6 * SECOND, 9),
        },
    ).json()
    first = parse_instant(times["first_frame"])
    for k in (0, 17, 49, 50, 51, 99):
        at = first + k * 40_000_000 + 20_000_000
        answer = recorded.http.get(
            "/api/v1/cameras/cam/frame.jpg", params={"at": format_instant(at, 9)}
        )
        assert answer.status_code == 200, answer.text
        picture = tmp_path / f"{k}.jpg"
        picture.write_bytes(answer.content)
        assert media.read_numbers(picture) == [numbers[k]]
        assert abs(parse_instant(answer.headers["x-frame-time"]) - at) <= 25_000_000


# -- the annex ---------------------------------------------------------------------------------


@pytest.mark.xdist_group("rgw")
def test_a_checker_written_from_the_annex_accepts_our_bucket(
    rgw: Rgw, tmp_path: Path, alaw_file: Path
) -> None:
    bucket = rgw.bucket()
    store = {"name": "main", "kind": "s3", "endpoint": rgw.endpoint, "bucket": bucket,
             "access_key": "env:T_A", "secret_key": "env:T_S"}  # fmt: skip
    node = Node(tmp_path / "node", stores=[store])
    node.env = {"T_A": ACCESS, "T_S": SECRET}
    server = RtspServer(cam=f"{alaw_file}:h264:alaw").start()
    try:
        node.start()
        node.add("cam", server.url("cam"))
        until(lambda: node.footage_s("cam") > 14, 40, "14 s of footage")
        node.stop()
        client = rgw.client()
        keys = [o.object_name or "" for o in client.list_objects(bucket, recursive=True)]
        segments = sorted(key for key in keys if key.endswith(".mp4"))
        ends = [key for key in keys if key.endswith(".mp4_end")]
        assert len(segments) >= 3
        assert len(ends) == 1, sorted(keys)
        counters = []
        for key in segments:
            counters.append(annex_key(key))
            facts = client.stat_object(bucket, key)
            annex_attributes({k.lower(): str(v) for k, v in (facts.metadata or {}).items()})
            assert re.fullmatch(
                r'video/mp4; codecs="avc1\.[0-9a-f]{6}, mp4a\.40\.2"', facts.content_type or ""
            )
            answer = client.get_object(bucket, key)
            annex_object(answer.read())
            answer.close()
            answer.release_conn()
        assert sorted(counters) == list(range(len(segments)))
        assert annex_key(ends[0].removesuffix("_end")) == len(segments)
        assert client.stat_object(bucket, ends[0]).size == 0
    finally:
        node.close()
        server.stop()


def annex_key(key: str) -> int:
    """Check a key against the annex's ABNF; return its counter."""
    rule = r"(?:.+/)?\d{4}-\d\d-\d\d(?:/.+)?/\d\d/\d\d-\d\d(?:\.\d{1,6})?Z\.(\d+)\.mp4"
    match = re.fullmatch(rule, key)
    assert match is not None, key
    return int(match[1])


def annex_attributes(metadata: dict[str, str]) -> None:
    """Check the object attributes."""
    said = {key.removeprefix("x-amz-meta-"): value for key, value in metadata.items()}
    assert said["version"] == "1.0"
    assert re.fullmatch(r"PT[\d.]+S", said["duration"])
    assert int(said["timescale"]) == 90000
    table = base64.b64decode(said["seektable"])
    assert table[4:8] == b"mfra"
    assert 1 <= table.count(b"tfra") <= 2


def annex_object(body: bytes) -> None:
    """Check the boxes: moov without samples, mfra last and listing every moof."""
    at, kinds, moofs = 0, [], []
    while at < len(body):
        size = int.from_bytes(body[at : at + 4], "big")
        kinds.append(body[at + 4 : at + 8].decode())
        if kinds[-1] == "moof":
            moofs.append(at)
        at += size
    assert at == len(body)
    assert kinds[:2] == ["ftyp", "moov"]
    assert kinds[-1] == "mfra"
    mfra = body[body.rindex(b"mfra") - 4 :]
    assert int.from_bytes(mfra[-4:], "big") == len(mfra)
    listed = mfra[
        : mfra.index(b"tfra", mfra.index(b"tfra") + 4) if mfra.count(b"tfra") > 1 else None
    ]
    starts = [moof for moof in moofs if moof.to_bytes(8, "big") in listed]
    prft = [moof - 32 for moof in moofs if (moof - 32).to_bytes(8, "big") in listed]
    assert len(starts) + len(prft) == len(moofs)


HLS_JS = Path(__file__).parents[1] / "web" / "node_modules" / "hls.js" / "dist" / "hls.min.js"

# -- Chromium ----------------------------------------------------------------------------------

VIDEO_PAGE = """<video id=v muted preload=auto src="{url}"></video><script>
const v = document.getElementById('v'), said = {error: null};
const done = () => fetch('/done', {method: 'POST', body: JSON.stringify(said)});
v.onerror = () => { said.error = v.error.message; done(); };
v.onloadeddata = () => {
  said.duration = v.duration; said.width = v.videoWidth; said.height = v.videoHeight;
  v.onseeked = () => { said.seeked = v.currentTime; done(); };
  v.currentTime = v.duration / 2;
};
</script>"""

HLS_PAGE = """<video id=v muted></video><script src="/hls.js"></script><script>
const v = document.getElementById('v'), said = {error: null, errors: []};
const done = () => fetch('/done', {method: 'POST', body: JSON.stringify(said)});
const until = async (seen, what) => {
  for (let i = 0; i < 1200 && !seen(); i++) await new Promise(r => setTimeout(r, 50));
  if (!seen()) throw what;
};
(async () => {
try {
  // little is fetched ahead, so each seek is to where nothing is yet
  const little = {maxBufferLength: 1, maxBufferSize: 1, backBufferLength: 0};
  const hls = new Hls({startPosition: 0, ...little});
  hls.on(Hls.Events.ERROR, (_, data) => said.errors.push(data.details + ' ' + data.fatal));
  let playing = null;  // what its dates are told by; it follows a seek a moment later
  hls.on(Hls.Events.FRAG_CHANGED, (_, data) => playing = data.frag);
  const follows = () => playing && playing.start <= v.currentTime + 0.1
    && v.currentTime < playing.start + playing.duration + 0.1;
  hls.loadSource("{url}");
  hls.attachMedia(v);
  await until(() => v.readyState >= 3, 'not loaded');
  said.duration = v.duration; said.width = v.videoWidth;
  await v.play();
  await until(() => v.currentTime > 1, 'does not play');
  v.pause();
  said.at = v.currentTime; said.date = hls.playingDate.toISOString();
  for (const at of [v.duration / 2, v.duration - 3.6, 2.9, v.duration - 0.9, v.duration - 2]) {
    v.currentTime = at;
    await until(() => !v.seeking && v.readyState >= 3 && follows(), `does not seek to ${at}`);
  }
  said.late = v.duration - v.currentTime; said.late_date = hls.playingDate.toISOString();
} catch (e) { said.error = String(e) + (v.error ? v.error.message : ''); }
done();
})();
</script>"""


FOLLOWING_PAGE = """<video id=v muted></video><script src="/hls.js"></script><script>
const v = document.getElementById('v'), said = {error: null, errors: []};
const done = () => fetch('/done', {method: 'POST', body: JSON.stringify(said)});
const hls = new Hls({startPosition: 0});
hls.on(Hls.Events.ERROR, (_, data) =>
  said.errors.push(data.details + ' ' + data.error + ' ' + data.fatal));
const tell = () => {
  const parts = Array.from({length: v.buffered.length}, (_, i) => i);
  said.buffered = parts.map(i => [v.buffered.start(i), v.buffered.end(i)]);
  said.at = v.currentTime; said.date = hls.playingDate && hls.playingDate.toISOString();
};
v.ontimeupdate = tell;
v.onended = () => { tell(); done(); };
setTimeout(() => { tell(); said.error = 'does not end'; done(); }, 60000);
hls.loadSource("{url}");
hls.attachMedia(v);
v.play();
</script>"""


def in_chromium(node: Node, page: str, url: str, lists: list[str] | None = None) -> dict[str, Any]:
    """Open a page in headless Chromium, same origin as the API through a small proxy.

    ``lists``: is added what playlists it was given.
    """
    result: dict[str, Any] = {}

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/":
                body = page.replace("{url}", url).encode()
                self._send(200, {"Content-Type": "text/html"}, body)
                return
            if self.path == "/hls.js":
                self._send(200, {"Content-Type": "text/javascript"}, HLS_JS.read_bytes())
                return
            asked = {"Range": self.headers["Range"]} if self.headers["Range"] else {}
            answer = node.http.get(self.path, headers=asked)
            if lists is not None and "m3u8" in self.path:
                lists.append(answer.text)
            kept = ("content-type", "content-range", "accept-ranges", "etag")
            headers = {k: v for k, v in answer.headers.items() if k in kept}
            self._send(answer.status_code, headers, answer.content)

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            result.update(json.loads(self.rfile.read(length)))
            self._send(204, {}, b"")

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    browser = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--autoplay-policy=no-user-gesture-required",
         f"--user-data-dir={node.folder}/chromium", "--remote-debugging-port=0",
         f"http://127.0.0.1:{server.server_port}/"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: result, 200, "Chromium reports")
    finally:
        browser.terminate()
        browser.wait(20)
        server.shutdown()
        server.server_close()
    return result
