"""Copies with masks and a mark: what is hidden is hidden, all else is as it was, in its time."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from recorder.api import burning
from recorder.cli import recorder
from recorder.errors import MalformedMedia, StateError
from recorder.export import burnt
from recorder.export.burnt import NOTHING, Burn, burn_of, burnt_clip, lines_of, size_of
from recorder.export.clip import make_clip
from recorder.export.covers import alpha_of
from recorder.made import find_ffmpeg
from recorder.model.camera_document import parse_camera
from recorder.model.masks import Mask, Privacy
from recorder.model.timebase import SECOND, TimeRange, format_instant
from tests.support.access import ask, person
from tests.support.exhibit import Exhibit
from tests.support.make import STREAM, T0
from tests.support.shelf import make_parted

FFMPEG = find_ffmpeg("")
BLACK = Mask(((0.1, 0.1), (0.4, 0.1), (0.4, 0.5), (0.1, 0.5)), "black")
BLUR = Mask(((0.5, 0.1), (0.9, 0.1), (0.9, 0.5), (0.5, 0.5)), "blur")
WIDTH, HEIGHT = 320, 180
ASKED = TimeRange(T0 + 1300 * 1_000_000, T0 + 22 * SECOND)
ODD = ["user:Zoë 'O'Neill: %{pts} \\ [x];,=", '案件 "7": 100%\n{a}']
QUERY = {"start": format_instant(ASKED.start), "end": format_instant(ASKED.end)}


@pytest.fixture(scope="module")
def exhibit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exhibit]:
    one = Exhibit(tmp_path_factory.mktemp("exhibit"))
    document = {"url": "rtsp://x/y", "masks": [
        {"polygon": [list(point) for point in mask.polygon], "fill": mask.fill}
        for mask in (BLACK, BLUR)]}  # fmt: skip
    one.app.catalog.cameras.put(parse_camera(STREAM.camera, document), T0, None)
    yield one
    one.close()


def pictures(path: Path) -> list[bytes]:
    """Decode a clip to grey pictures."""
    raw = subprocess.run(
        [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough",
         "-pix_fmt", "gray", "-f", "rawvideo", "-"], check=True, capture_output=True,
    ).stdout  # fmt: skip
    size = WIDTH * HEIGHT
    return [raw[i : i + size] for i in range(0, len(raw), size)]


def times(path: Path) -> dict[str, list[str]]:
    """Return the times of all frames that are shown and heard."""
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "frame=media_type,pts_time", "-of", "json",
         str(path)], check=True, capture_output=True,
    ).stdout  # fmt: skip
    found: dict[str, list[str]] = {}
    for one in json.loads(out)["frames"]:
        found.setdefault(one["media_type"], []).append(one["pts_time"])
    return found


def within(picture: bytes, mask: Mask, inset: int = 3) -> list[int]:
    """Return the pixels of a rectangular mask."""
    (left, top), (right, bottom) = mask.polygon[0], mask.polygon[2]
    rows = range(round(top * HEIGHT) + inset, round(bottom * HEIGHT) - inset)
    begin, end = round(left * WIDTH) + inset, round(right * WIDTH) - inset
    return [value for y in rows for value in picture[y * WIDTH + begin : y * WIDTH + end]]


def sharpest(values: list[int], width: int) -> int:
    """Say how much neighbours in a row differ at most: what edges are."""
    pairs = enumerate(itertools.pairwise(values))
    return max(abs(a - b) for i, (a, b) in pairs if (i + 1) % width)


def check_copy(clear: Path, copy: Path) -> None:
    """Hold a masked copy of a clip to it: what is hidden, what is not, and when."""
    assert times(copy) == times(clear), "every frame and every sound has its time"
    before, after = pictures(clear), pictures(copy)
    assert len(before) == len(after) > 100
    hidden = [mask.polygon for mask in (BLACK, BLUR)]
    cover = b"".join(alpha_of([[(x, y) for x, y in one] for one in hidden], WIDTH, HEIGHT))
    near = {at + dy * WIDTH + dx for at in (i for i, c in enumerate(cover) if c)
            for dy in range(-3, 4) for dx in range(-3, 4)}  # fmt: skip
    outside = [at for at in range(0, WIDTH * HEIGHT, 7) if at not in near]
    width = len(within(before[0], BLUR)) // (round(0.4 * HEIGHT) - 6)
    for was, now in list(zip(before, after, strict=True))[:: len(before) // 12]:
        assert max(within(now, BLACK)) <= 24, "it is black"
        assert max(within(was, BLACK)) > 100
        edges = sharpest(within(was, BLUR), width), sharpest(within(now, BLUR), width)
        assert edges[0] > 70 > 38 > edges[1], f"details are gone: {edges}"
        off = sorted(abs(was[at] - now[at]) for at in outside)
        assert sum(off) / len(off) < 3, "all else is as it was"
    first, last = after[0], after[-1]
    assert max(within(first, BLACK)) <= 24, "the first frame is no exception"
    assert max(within(last, BLACK)) <= 24, "nor the last"


@pytest.mark.parametrize("ffmpeg", [FFMPEG, "/usr/bin/ffmpeg"])
def test_a_masked_clip_hides_what_it_should_and_each_frame_keeps_its_time(
    exhibit: Exhibit, tmp_path: Path, ffmpeg: str
) -> None:
    view, clear, copy = exhibit.app.view, tmp_path / "clear.mp4", tmp_path / "copy.mp4"
    with view.find_some(STREAM, ASKED) as found:
        clip = make_clip(view, found, ASKED)
        clear.write_bytes(b"".join(clip.read()))
        with burnt_clip(clip, Burn((BLACK, BLUR)), ffmpeg, tmp_path) as path:
            copy.write_bytes(path.read_bytes())
    assert sum(part.frames for part in clip.parts) == len(times(copy)["video"])
    check_copy(clear, copy)
    assert [one.name for one in tmp_path.iterdir() if "burning" in one.name] == []


def test_a_mark_is_seen_and_no_name_is_read_as_a_command(exhibit: Exhibit, tmp_path: Path) -> None:
    view = exhibit.app.view
    asked = TimeRange(T0 + SECOND, T0 + 2 * SECOND)
    shown = []
    for words in (ODD, ["%{localtime}", "; touch /tmp/x"], []):
        with view.find_some(STREAM, asked) as found:
            clip = make_clip(view, found, asked)
            burn = Burn((BLACK,), lines_of(words))
            with burnt_clip(clip, burn, FFMPEG, tmp_path) as path:
                shown.append(pictures(path))
    corner = [b"".join(one[-1][y * WIDTH + 10 : y * WIDTH + 90] for y in range(150, 165))
              for one in shown]  # fmt: skip
    assert corner[0] != corner[2] != corner[1] != corner[0]
    assert len({len(one) for one in shown}) == 1
    assert lines_of(ODD) == ("user:Zoë 'O'Neill: %{pts} \\ [x];,=", '案件 "7": 100% {a}')
    assert lines_of(["a" * 500, "b"]) == ("a" * 96,) * 4, "no more than there is room for"


def test_a_copy_of_a_camera_without_masks_that_can_be_read_is_not_made() -> None:
    assert burn_of("a/b", Privacy(), (), masked=False) == NOTHING
    with pytest.raises(StateError, match="a/b: has no masks"):
        burn_of("a/b", Privacy(), (), masked=True)
    with pytest.raises(StateError, match="cannot be read"):
        burn_of("a/b", Privacy(unreadable=True), (), masked=True)


def test_what_takes_too_long_or_fails_is_ended_and_leaves_nothing(
    exhibit: Exhibit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, folder, slow = exhibit.app.view, tmp_path / "room", tmp_path / "slow"
    folder.mkdir()
    for text, said in (
        ("exec sleep 600", "took longer"),
        ("echo no room >&2; exit 1", "no room"),
        ("echo no valid Font >&2; exit 1", "needs a font"),
    ):
        slow.write_text(f"#!/bin/sh\n{text}\n")
        slow.chmod(0o755)
        monkeypatch.setattr(burnt, "FIXED_S", 0.2)
        monkeypatch.setattr(burnt, "SLOWEST", 0.0)
        with view.find_some(STREAM, ASKED) as found:
            clip = make_clip(view, found, ASKED)
            with (
                pytest.raises((MalformedMedia, StateError), match=said),
                burnt_clip(clip, Burn((BLACK,)), str(slow), folder),
            ):
                raise AssertionError("unreachable")
    assert list(folder.iterdir()) == []


corners = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(st.lists(corners, min_size=3, max_size=6))
def test_every_pixel_whose_middle_is_inside_is_covered(polygon: list[tuple[float, float]]) -> None:
    width, height = 24, 16
    rows = list(alpha_of([polygon], width, height))
    assert [len(row) for row in rows] == [width] * height
    for y in range(height):
        for x in range(width):
            at, inside = ((x + 0.5) / width, (y + 0.5) / height), False
            for (ax, ay), (bx, by) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
                if (ay > at[1]) != (by > at[1]):
                    inside ^= at[0] < ax + (bx - ax) * (at[1] - ay) / (by - ay) - 1e-9
            assert not inside or rows[y][x] == 255


def test_where_the_camera_left_frames_out_the_copy_does_too(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    leave = (
        "select='not(between(t,2.5,3.3))*not(eq(mod(n,7),3))',settb=1/1000,setpts='PTS+4*mod(N,3)'"
    )
    subprocess.run(
        [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi",
         "-i", "sine", "-c:a", "aac", "-t", "9",
         "-vf", leave, "-fps_mode", "vfr", "-enc_time_base", "1:1000", "-c:v", "libx264",
         "-preset", "ultrafast", "-g", "25", "-bf", "2", str(film)], check=True,
    )  # fmt: skip
    site = Exhibit(tmp_path / "site", film)
    clear, copy, view = tmp_path / "clear.mp4", tmp_path / "copy.mp4", site.app.view
    asked = TimeRange(T0 + SECOND, T0 + 8 * SECOND)
    with view.find_some(STREAM, asked) as found:
        clip = make_clip(view, found, asked)
        clear.write_bytes(b"".join(clip.read()))
        with burnt_clip(clip, Burn((BLUR,)), FFMPEG, tmp_path) as path:
            copy.write_bytes(path.read_bytes())
    shown = [float(one) for one in times(clear)["video"]]
    apart = {round(b - a, 3) for a, b in itertools.pairwise(shown)}
    assert len(apart) > 4, "they come unevenly"
    assert max(apart) > 0.8, "and there is a hole"
    assert times(copy) == times(clear)
    site.close()


def test_a_clip_over_a_change_of_size_is_refused_for_masks_would_be_elsewhere(
    tmp_path: Path,
) -> None:
    site = Exhibit(tmp_path / "site", make_parted(tmp_path))
    view, asked = site.app.view, TimeRange(T0, T0 + 9 * SECOND)
    with view.find_some(STREAM, asked) as found:
        clip = make_clip(view, found, asked)
        with (
            pytest.raises(StateError, match="the picture's size changes"),
            burnt_clip(clip, Burn((BLACK,)), FFMPEG, tmp_path),
        ):
            raise AssertionError("unreachable")
    site.close()


# -- the doors -------------------------------------------------------------------------------------


def get(exhibit: Exhibit, path: str, shown: Any, **query: str) -> Any:
    return ask(exhibit.app, "GET", f"/api/v1/cameras/cam07/{path}", shown, params=query)


def test_who_may_have_masked_copies_gets_those_and_nothing_else(
    exhibit: Exhibit, tmp_path: Path
) -> None:
    app = exhibit.app
    lea = person(app, "lea", [{"role": "officer", "masked": True}])
    boss = person(app, "boss", [{"role": "admin"}])
    clear, copy = tmp_path / "clear.mp4", tmp_path / "copy.mp4"
    answer = get(exhibit, "clip.mp4", boss, **QUERY)
    clear.write_bytes(answer.content)
    answer = get(exhibit, "clip.mp4", lea, **QUERY, masked="true", mark="true")
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    copy.write_bytes(get(exhibit, "clip.mp4", lea, **QUERY, masked="true").content)
    check_copy(clear, copy)
    assert get(exhibit, "clip.mp4", lea, **QUERY).status_code == 403
    for form in ("zip", "fmp4"):
        answer = get(exhibit, "clip.mp4", lea, **QUERY, masked="true", format=form)
        assert answer.status_code == 400, "it would be as it was recorded"
    at = {"at": QUERY["start"]}
    assert get(exhibit, "frame.jpg", lea, **at).status_code == 403
    answer = get(exhibit, "frame.jpg", lea, **at, masked="true", width="160")
    assert (answer.status_code, size_of(answer.content)) == (200, (160, 90))
    picture = tmp_path / "f.jpg"
    picture.write_bytes(get(exhibit, "frame.jpg", lea, **at, masked="true").content)
    assert max(within(pictures(picture)[0], BLACK, 6)) <= 24
    for path in ("playback.m3u8", "strip", "clip.json"):
        assert get(exhibit, path, lea, **QUERY).status_code == 403, path
    key = exhibit.segments[0].key
    assert ask(app, "GET", f"/api/v1/objects/{key}", lea).status_code == 403
    assert list((app.spool.root / "burning").iterdir()) == [], "nothing is left"


def test_who_may_have_masked_copies_after_an_approval_can_ask_for_it(exhibit: Exhibit) -> None:
    app = exhibit.app
    eyes = [{"role": "officer", "masked": True, "four_eyes": ["footage.export"]}]
    lea, boss = person(app, "lou", eyes), person(app, "boss", [{"role": "admin"}])
    body = {"camera": "cam07", "action": "footage.export", "purpose": "case 7", **QUERY}
    assert get(exhibit, "clip.mp4", lea, **QUERY, masked="true").status_code == 403
    made = ask(app, "POST", "/api/v1/approvals", lea, json=body)
    assert made.status_code == 201, made.text
    ask(app, "POST", f"/api/v1/approvals/{made.json()['id']}/approve", boss, json={})
    assert get(exhibit, "clip.mp4", lea, **QUERY, masked="true").status_code == 200
    assert get(exhibit, "clip.mp4", lea, **QUERY).status_code == 403, "it is for a masked copy"


def test_no_masked_copy_is_made_where_there_are_no_masks_or_of_too_much(
    exhibit: Exhibit, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = exhibit.app
    boss = person(app, "boss", [{"role": "admin"}])
    lea = person(app, "lea", [{"role": "officer", "masked": True}])
    document = app.catalog.cameras.get(STREAM.camera)
    assert document is not None
    app.catalog.cameras.put(parse_camera(STREAM.camera, {"url": "rtsp://x/y"}), T0, None)
    assert get(exhibit, "clip.mp4", boss, **QUERY, masked="true").status_code == 409
    assert get(exhibit, "clip.mp4", lea, **QUERY, masked="true").status_code == 403
    app.catalog.cameras.put(document, T0, None)
    monkeypatch.setattr(burning, "MOST_NS", SECOND)
    answer = get(exhibit, "clip.mp4", boss, **QUERY, masked="true")
    assert (answer.status_code, "1s long" in answer.text) == (400, True)
    monkeypatch.setattr(burning._ROOM, "acquire", lambda *, blocking: blocking)
    monkeypatch.setattr(burning, "MOST_NS", 600 * SECOND)
    assert get(exhibit, "clip.mp4", boss, **QUERY, masked="true").status_code == 503


def test_commands_on_the_node_make_the_same_copies(exhibit: Exhibit, tmp_path: Path) -> None:
    data, config = exhibit.app.settings.data, tmp_path / "recorder.yaml"
    stores = [{"name": "main", "kind": "directory", "path": str(data.parent / "store")}]
    config.write_text(json.dumps({"site": STREAM.site, "node": "n1", "data": str(data),
                                  "stores": stores}))  # fmt: skip

    def run(*words: str) -> None:
        ran = CliRunner().invoke(recorder, ["--config", str(config), *words])
        assert ran.exit_code == 0, (ran.output, ran.exception)

    span = ["--start", QUERY["start"], "--end", QUERY["end"]]
    clear, copy, picture = (tmp_path / one for one in ("clear.mp4", "copy.mp4", "f.jpg"))
    run("clip", "cam07", *span, "-o", str(clear))
    run("clip", "cam07", *span, "--masked", "-o", str(copy))
    check_copy(clear, copy)
    run("--purpose", "x", "frame", "cam07", "--at", QUERY["start"], "--masked", "--mark",
        "-o", str(picture))  # fmt: skip
    assert max(within(pictures(picture)[0], BLACK, 6)) <= 24
