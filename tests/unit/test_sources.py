"""Where a camera's URL may send ffmpeg."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.allowed import Allowed, check_below
from recorder.capture.command import Tracks, record_command
from recorder.errors import BadDocument, NotAllowed
from recorder.model.camera_document import parse_camera
from recorder.model.cameras import SCHEMES, StreamSource
from recorder.model.sources import PROTOCOLS, check_graph, link_local

ANY = Allowed(synthetic=True, files="/")


@pytest.mark.parametrize(
    "graph",
    ["testsrc2", "testsrc2=size=320x240:rate=10", "smptebars=s=64x64[out0];sine=f=440[out1]",
     "color=c=gray:s=320x180,drawbox=x=mod(t*80\\,320):enable=gt(t\\,24)",
     "testsrc2@a=r=5,hue=h=9"],
)  # fmt: skip
def test_graphs_of_filters_that_touch_no_file_are_taken(graph: str) -> None:
    check_graph(graph)


@pytest.mark.parametrize(
    "graph",
    [
        "testsrc2=r=10,metadata=mode=print:file=/tmp/x",
        "movie=/etc/passwd",
        "amovie=x",
        "color=c=black,drawtext=textfile=/etc/shadow",
        "testsrc2[a];[a]movie=x",
        "life=filename=/x",
        "testsrc2,[in]  metadata=print",
        "testsrc2\n,movie=x",
        "testsrc2=r='1,movie=x",
        "",
        "testsrc2=r=1\\\\,movie=x",
        "testsrc2;;movie",
        "m\\ovie=x",
        "sws_flags=x;testsrc2",
        ",",
        "testsrc2=r=1\\",
        "testsrc2[a",
        "cellauto=filename=/x",
        "ass=/x",
        "sendcmd=filename=/x",
        "testsrc2]movie=x",
        "\u017fine",
    ],
)
def test_graphs_that_could_touch_a_file_are_refused(graph: str) -> None:
    with pytest.raises(BadDocument):
        ANY.check(StreamSource(f"lavfi:{graph}"))


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("169.254.169.254", True), ("169.254.1", True), ("0xa9.254.1.1", True), ("2852039166", True),
     ("0251.0376.0251.0376", True), ("[fe80::1]", True), ("fe80::1%eth0", True),
     ("::ffff:169.254.169.254", True), ("169.254.169.254.", True),
     ("METADATA.google.internal", True), ("10.0.0.1", False), ("camera.example.org", False),
     ("[fd00:ec2::254]", True), ("100.100.100.200", True), ("0x64646Cc8", False),
     ("0x646464c8", True), ("::ffff:192.0.0.192", True), ("fd00:ec2::255", False),
     ("127.0.0.1", False), ("169.255.1.1", False),
     ("1.2.3.4.5", False), ("", False), ("256", False), ("08.1.1.1", False)],
)  # fmt: skip
def test_link_local_addresses_are_known_however_they_are_written(host: str, is_one: bool) -> None:
    assert link_local(host) is is_one


def test_secrets_of_clouds_are_not_fetched_over_http() -> None:
    for url in ("http://169.254.169.254/latest", "https://2852039166/x"):
        with pytest.raises(BadDocument, match="link-local"):
            check_below(parse_camera("cam", {"url": url}))
    check_below(parse_camera("cam", {"url": "rtsp://169.254.7.7/live"}))  # a camera without DHCP


def test_made_pictures_and_files_are_for_nodes_that_allow_them(tmp_path: Path) -> None:
    inside, outside, link = tmp_path / "in" / "a.mp4", tmp_path / "a.mp4", tmp_path / "in" / "b.mp4"
    inside.parent.mkdir()
    outside.touch()
    link.symlink_to(outside)
    some = Allowed(files=str(inside.parent))
    for source in ("lavfi:testsrc2", str(inside), f"file:{inside}"):
        with pytest.raises(NotAllowed, match="not allowed on this node"):
            Allowed().check_camera(parse_camera("cam", {"url": source}))
    with pytest.raises(BadDocument) as bare:  # a camera's address, not a file
        Allowed().check_camera(parse_camera("cam", {"url": "10.0.0.7/stream1"}))
    assert str(bare.value.hint).startswith("such as rtsp://10.0.0.7/stream1")
    some.check(StreamSource(f"file:{inside}"))
    for place in (outside, link, f"{inside.parent}/../a.mp4", f"{inside.parent}x/a.mp4", "a.mp4",
                  f"subfile,,start,0,end,9,,:{outside}"):  # fmt: skip
        with pytest.raises(NotAllowed, match="not below"):
            some.check(StreamSource(str(place)))


@pytest.mark.parametrize("scheme", [one for one in SCHEMES if one != "lavfi"])
def test_ffmpeg_is_told_what_it_may_open(scheme: str) -> None:
    url = "file:/x" if scheme == "file" else f"{scheme}://10.0.0.1:99/x"
    argv = record_command("ffmpeg", StreamSource(url), Path("/spool"), 60, Tracks())
    given = argv[argv.index("-protocol_whitelist") + 1]
    assert given == PROTOCOLS[scheme]
    assert ("file" in given.split(",")) is (scheme == "file")
    assert argv.index("-protocol_whitelist") < argv.index("-i")
