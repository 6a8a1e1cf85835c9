"""Parameter sets: what they say, and the headers made of them."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.bmff import avc, hevc
from recorder.bmff.boxes import find
from recorder.bmff.init import init_size, read_init
from recorder.bmff.parameters import (
    Coding,
    as_complete,
    coding_of,
    header_sets,
    named,
    sample_sets,
    with_sets,
)
from recorder.capture.command import Tracks
from recorder.errors import MalformedMedia
from recorder.sealing import describe
from recorder.spool.disk import Spool
from recorder.spool.raw import opened
from tests.support.media import FF9
from tests.support.shelf import RUN, capture, sealed

HEVC = Coding(4, hevc=True)


def encoded(folder: Path, tag: str, size: str, pixels: str, *more: str) -> bytes:
    """Return a second of H.265 in fragments, as ffmpeg writes it under a sample entry."""
    path = folder / f"{tag}.mp4"
    subprocess.run(
        [FF9, "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=10", "-t", "1",
         "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", pixels, "-x265-params",
         ":".join(("repeat-headers=1", "log-level=none", *more)), "-tag:v", tag,
         "-movflags", "frag_keyframe+empty_moov", str(path)], check=True,
    )  # fmt: skip
    return path.read_bytes()


def config_of(head: bytes) -> bytes:
    entry = read_init(head).lead.entry
    kind = entry[12:16].decode()
    start, end = find(entry, 8, len(entry), kind) or (0, 0)
    place = find(entry, start + 78, end, "hvcC")
    assert place is not None
    return entry[place[0] : place[1]]


@pytest.mark.parametrize(
    ("size", "pixels", "more"),
    [("320x240", "yuv420p", ()), ("322x182", "yuv420p10le", ()), ("416x96", "yuv422p", ()),
     ("320x240", "yuv420p", ("temporal-layers=3", "b-adapt=0"))],
)  # fmt: skip
def test_the_header_of_h265_sets_is_the_one_that_ffmpeg_makes(
    size: str, pixels: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    film = encoded(tmp_path, "hvc1", size, pixels, *more)
    head = film[: init_size(film)]
    track = read_init(head).lead
    assert coding_of(track) == HEVC
    sets = header_sets(track)
    assert sorted(kind for kind, _ in sets) == [hevc.VPS, hevc.SPS, hevc.PPS]
    made = with_sets(head, sets, HEVC)
    assert read_init(made).lead.codec == track.codec
    assert (read_init(made).lead.width, read_init(made).lead.height) == tuple(
        int(side) for side in size.split("x")
    )
    ours, theirs = config_of(made), config_of(head)
    # its SEI messages are no parameter sets; what it says of tiles and layers is a guess, too
    assert ours[:13] == theirs[:13]
    assert ours[16:19] == theirs[16:19]
    assert named(hevc.read_config(ours), HEVC) == sets


def test_a_complete_header_differs_in_its_name_and_its_arrays_alone(tmp_path: Path) -> None:
    open_head = encoded(tmp_path, "hev1", "320x240", "yuv420p")
    open_head = open_head[: init_size(open_head)]
    whole = encoded(tmp_path, "hvc1", "320x240", "yuv420p")
    assert as_complete(open_head) == whole[: init_size(whole)]
    assert as_complete(as_complete(open_head)) == as_complete(open_head)


def test_an_h265_file_becomes_a_segment_in_place(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(encoded(tmp_path, "hev1", "320x240", "yuv420p"))
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(), 60)
    (path,) = spool.files(folder)
    number, raw = path.stat().st_ino, path.read_bytes()
    assert b"hev1" in raw[: init_size(raw)]
    with opened(spool, path, growing=True) as files:
        (growing,) = describe(files.raw, RUN, None)
        assert growing.layout is not None
        shown = b"".join(files.read(part) for part in growing.layout.parts)
    ((segment, target),) = sealed(spool, folder)
    body = target.read_bytes()
    assert target.stat().st_ino == number, "it was copied"
    assert hashlib.sha256(body).hexdigest() == segment.digest
    assert body.startswith(shown)
    assert segment.codecs.startswith("hvc1.")
    assert segment.decoder_digest == growing.segment.decoder_digest
    size = segment.init_bytes
    assert [i for i in range(size) if body[i] != raw[i]]
    assert body[size : len(shown)] == raw[size : len(shown)]


def test_sets_before_the_first_slice_are_found_and_those_of_other_layers_are_not(
    tmp_path: Path,
) -> None:
    film = encoded(tmp_path, "hev1", "320x240", "yuv420p")
    begin = film.index(b"mdat") + 4
    sample = film[begin : begin + 4096]
    assert sample_sets(sample, HEVC) == header_sets(read_init(film).lead)
    at, above = 0, bytearray(sample)
    while hevc.kind_of(bytes(above[at + 4 : at + 6])) not in hevc.SLICES:
        above[at + 5] |= 8  # nuh_layer_id 1
        at += 4 + int.from_bytes(above[at : at + 4], "big")
    assert sample_sets(bytes(above), HEVC) == {}


@given(st.binary(max_size=80), st.sampled_from([avc, hevc]))
def test_torn_sets_are_malformed_and_nothing_else(body: bytes, codec: object) -> None:
    for module, first in ((avc, b"\x67"), (hevc, b"\x42\x01")):
        if module is codec:
            for call in (module.read_sequence, module.id_of, module.size_of):
                try:
                    call(first + body)
                except MalformedMedia:
                    continue
            named([body, first + body], Coding(4, module is hevc))
            module.read_config(body)
