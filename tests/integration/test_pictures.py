"""Pictures out of footage: as small as asked, and a strip of them in one answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from recorder.app import App
from recorder.capture.command import Tracks
from recorder.model.timebase import MS, SECOND, format_instant, parse_instant
from tests.support.doors import ask, camera, make_app, put_film, within
from tests.support.shelf import Shelf, make_film, record_files


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Nine seconds of 320 by 180 in three segments."""
    folder = tmp_path_factory.mktemp("film")
    shelf = Shelf(folder)
    shelf.put(record_files(make_film(folder), folder / "run", 3, Tracks()))
    yield shelf
    shelf.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, film: Shelf) -> Iterator[App]:
    one = make_app(tmp_path_factory.mktemp("app"))
    put_film(one, film, 1)
    yield one
    one.close()


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Width and height of a JPEG."""
    at = 2
    while jpeg[at + 1] not in (0xC0, 0xC2):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    height, width = (int.from_bytes(jpeg[at + i : at + i + 2], "big") for i in (5, 7))
    return width, height


@pytest.mark.parametrize(("width", "size"), [(0, (320, 180)), (160, (160, 90)), (999, (320, 180))])
def test_a_frame_is_no_wider_than_asked_and_never_made_larger(
    app: App, film: Shelf, width: int, size: tuple[int, int]
) -> None:
    at = film.segments[0].start + SECOND
    params = {"at": format_instant(at, 9), "width": str(width)}
    answer = ask(app, "GET", camera("frame.jpg"), params=params)
    assert answer.status_code == 200, answer.text
    assert size_of(answer.content) == size


def test_a_strip_has_pictures_where_there_is_footage_each_with_its_true_time(
    app: App, film: Shelf
) -> None:
    start, end = film.segments[0].start, film.segments[-1].end
    params = {**within(start, end), "count": "6", "width": "80"}
    answer = ask(app, "GET", camera("strip"), params=params)
    assert answer.status_code == 200, answer.text
    pictures = answer.json()["pictures"]
    hole = film.segments[1].range
    wanted = [parse_instant(one["wanted"]) for one in pictures]
    assert [one["at"] is None for one in pictures] == [hole.start <= at < hole.end for at in wanted]
    assert sum(one["jpeg"] is not None for one in pictures) == 4
    for one, at in zip(pictures, wanted, strict=True):
        if one["jpeg"] is not None:
            assert size_of(base64.b64decode(one["jpeg"])) == (80, 46)
            shown = parse_instant(one["at"])
            assert at - SECOND - MS <= shown <= at
            assert abs((shown - start + SECOND // 2) % SECOND - SECOND // 2) < 5 * MS, (
                "a clean point"
            )
            same = ask(app, "GET", camera("frame.jpg"), params={"at": one["at"], "width": "80"})
            assert base64.b64encode(same.content).decode() == one["jpeg"]


def test_a_strip_has_no_more_pictures_than_a_row_holds(app: App) -> None:
    params = {"start": "-1h", "end": "now", "count": "25"}
    assert ask(app, "GET", camera("strip"), params=params).status_code == 400
