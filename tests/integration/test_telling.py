"""What footage says of itself and of what is missing in it: in headers, in listings, inside."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from click.testing import CliRunner

from recorder.app import App
from recorder.bmff.boxes import find, walk
from recorder.capture.command import Tracks
from recorder.cli import recorder
from recorder.export.identity import ClipPart, notes_of
from recorder.model.missing import missing_in
from recorder.model.timebase import SECOND, TimeRange, format_instant
from recorder.model.timeline import Gap, Timeline
from tests.support.doors import ask, camera, make_app, put_film, within
from tests.support.make import STREAM, T0
from tests.support.media import FF5, FF9
from tests.support.shelf import Shelf, make_film, record_files


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Nine seconds with sound, in three segments."""
    folder = tmp_path_factory.mktemp("film")
    shelf = Shelf(folder)
    shelf.put(record_files(make_film(folder), folder / "run", 3, Tracks(("aac",))))
    yield shelf
    shelf.close()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    found = make_app(tmp_path)
    yield found
    found.close()


def test_a_clip_says_what_is_missing_why_and_where_all_of_it_is_said(app: App, film: Shelf) -> None:
    asked = put_film(app, film, 1)
    hole = film.segments[1].range
    for method in ("GET", "HEAD"):
        answer = ask(app, method, camera("clip.mp4"), params=within(asked.start, asked.end))
        assert answer.status_code == 200
        assert answer.headers["x-gaps"] == "1"
        missing, covered = (
            float(answer.headers[f"x-{word}-seconds"]) for word in ("missing", "covered")
        )
        assert missing == pytest.approx(hole.duration_ns / SECOND, abs=0.001)
        assert missing + covered == pytest.approx(asked.duration_ns / SECOND, abs=0.001)
        start, end = format_instant(hole.start), format_instant(hole.end)
        assert answer.headers["x-missing"] == f"{start}/{end} purged"
        targets = [one.partition(">")[0] for one in answer.headers["link"].split("<")[1:]]
        times, timeline = (urljoin(str(answer.url), one) for one in targets)
        (gap,) = ask(app, "GET", times).json()["gaps"]
        assert (gap["start"], gap["cause"]) == (start, "purged")
        assert ask(app, "GET", timeline).json()["gaps"] == [gap]


def test_a_clip_without_gaps_says_so(app: App, film: Shelf) -> None:
    asked = put_film(app, film)
    answer = ask(app, "GET", camera("clip.mp4"), params=within(asked.start, asked.end))
    said = [answer.headers.get(f"x-{name}") for name in ("gaps", "missing-seconds", "missing")]
    assert said == ["0", "0.0", None]


def test_headers_stay_short_however_many_gaps_there_are() -> None:
    from recorder.api.telling import missing_headers

    asked = TimeRange(T0, T0 + 366 * 86_400 * SECOND)
    gaps = tuple(Gap(T0 + i * SECOND, T0 + i * SECOND + 1, "spool-full") for i in range(100_000))
    headers = missing_headers(missing_in(Timeline(asked, (), gaps), asked))
    assert headers["X-Gaps"] == "100000"
    assert sum(map(len, headers.values())) < 600


def test_seeks_of_a_player_do_not_ask_for_the_timeline_each_time(
    app: App, film: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = put_film(app, film)
    looked: list[TimeRange] = []
    by_view = app.view.timeline

    def noted(*arguments: Any) -> Timeline:
        looked.append(arguments[1])
        return by_view(*arguments)

    monkeypatch.setattr(app.view, "timeline", noted)
    counts = []
    for wanted in ("bytes=0-", "bytes=1-", "bytes=-9", "bytes=00-5", "bytes = 7-9"):
        headers = {"range": wanted}
        path = camera("clip.mp4")
        assert ask(app, "GET", path, params=within(*_ends(asked)), headers=headers).is_success
        counts.append(len(looked))
    assert counts == [1, 1, 1, 2, 3]


def _ends(asked: TimeRange) -> tuple[int, int]:
    return asked.start, asked.end


def test_a_zip_and_the_command_line_say_what_is_missing(
    app: App, film: Shelf, tmp_path: Path
) -> None:
    asked = put_film(app, film, 1)
    params = within(asked.start, asked.end, format="zip")
    answer = ask(app, "GET", camera("clip.mp4"), params=params)
    assert answer.headers["x-gaps"] == "1"
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    manifest = json.loads(packed.read("timeline.json"))
    assert [gap["cause"] for gap in manifest["gaps"]] == ["purged"]
    assert manifest["missing_seconds"] == pytest.approx(3, abs=0.1)
    sizes = {one["file"]: one["bytes"] for one in manifest["files"]}
    assert sizes == {one.filename: one.file_size for one in packed.infolist()[:-1]}
    settings = tmp_path / "recorder.yaml"
    settings.write_text(f"site: {STREAM.site}\nnode: n1\ndata: {tmp_path}\n")
    command = ["-c", str(settings), "clip", STREAM.camera]
    command += [f"--{name}={value}" for name, value in within(*_ends(asked)).items()]
    done = CliRunner().invoke(recorder, [*command, "-o", str(tmp_path / "c.mp4"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["gaps"] == manifest["gaps"]
    assert done.stderr.startswith("MISSING 3")
    assert done.stderr.rstrip().endswith("purged")


def tags(path: Path, program: str) -> dict[str, str]:
    said = subprocess.run(
        [program.replace("ffmpeg", "ffprobe"), "-v", "error", "-of", "json", "-show_format",
         "-show_streams", str(path)], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {key.lower(): value for key, value in json.loads(said.stdout)["format"]["tags"].items()}


def test_a_clip_says_inside_what_it_is_the_same_each_time(
    app: App, film: Shelf, tmp_path: Path
) -> None:
    asked = put_film(app, film, 1)
    asked = TimeRange(asked.start + SECOND, asked.end - SECOND)
    answers = [ask(app, "GET", camera("clip.mp4"), params=within(*_ends(asked))) for _ in "ab"]
    assert len({one.content for one in answers}) == 1
    assert len({one.headers["etag"] for one in answers}) == 1
    path = tmp_path / "clip.mp4"
    path.write_bytes(answers[0].content)
    said = tags(path, FF5)
    assert said["title"].startswith(f"{STREAM.site}/{STREAM.camera} 20")
    inside = json.loads(said["comment"])
    times = ask(app, "GET", camera("clip.json"), params=within(*_ends(asked))).json()
    assert inside["first_parts"] == times["parts"]
    assert (inside["start"], inside["end"]) == (times["first_frame"], times["end"])
    lines = [f"{one['sha256']}  {one['key']}\n" for one in times["sources"]]
    assert [one["key"] for one in times["sources"]] == [film.segments[i].key for i in (0, 2)]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert inside["sources_sha256"] == times["sources_sha256"] == digest


def test_what_follows_stays_where_it_is_when_the_footage_is_sealed(film: Shelf) -> None:
    sealed = film.segments[:2]
    part = ClipPart(0, SECOND, TimeRange(T0, T0 + SECOND), None, "avc1", 25)
    open_ = [sealed[0], replace(sealed[1], digest="")]
    notes = [notes_of([part], one) for one in (sealed, open_)]
    assert notes[0] != notes[1]
    assert len(notes[0]) == len(notes[1])
    assert b"not sealed yet" in notes[1]


def without_notes(body: bytes) -> bytes:
    """The same clip as it was before it said anything of itself."""
    moov = next(one for one in walk(body, 0, len(body)) if one[0] == "moov")
    udta = next(one for one in walk(body, moov[2], moov[3]) if one[0] == "udta")
    gone = udta[3] - udta[1]
    head = bytearray(body[: udta[1]])
    head[moov[1] : moov[1] + 4] = (moov[3] - moov[1] - gone).to_bytes(4, "big")
    for _, _, payload, end in (one for one in walk(head, moov[2], len(head)) if one[0] == "trak"):
        place = find(head, payload, end, "mdia", "minf", "stbl", "co64")
        assert place is not None
        for at in range(place[0] + 8, place[1], 8):
            old = int.from_bytes(head[at : at + 8], "big")
            head[at : at + 8] = (old - gone).to_bytes(8, "big")
    return bytes(head) + body[udta[3] :]


@pytest.mark.parametrize("ffmpeg", [FF5, FF9])
def test_decoders_pass_over_what_a_clip_says_of_itself(
    app: App, film: Shelf, tmp_path: Path, ffmpeg: str
) -> None:
    asked = put_film(app, film)
    params = within(asked.start + SECOND, asked.end - SECOND)
    body = ask(app, "GET", camera("clip.mp4"), params=params).content
    seen = []
    for name, one in (("with", body), ("without", without_notes(body))):
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(one)
        argv = [ffmpeg, "-v", "error", "-i", str(path), "-map", "0", "-f", "framehash", "-"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        seen.append([row for row in done.stdout.splitlines() if not row.startswith("#software")])
    assert len(seen[0]) > 100
    assert seen[0] == seen[1]
