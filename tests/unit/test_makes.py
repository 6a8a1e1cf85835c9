"""A camera of a known make is named by make, host and channel, and only by these."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.config import Settings
from recorder.errors import BadDocument
from recorder.model.camera_document import parse_camera
from recorder.model.changing import change_camera
from recorder.model.makes import MAKES
from tests.unit.test_about import run
from tests.unit.test_guard import ask

ROOT = Path(__file__).resolve().parents[2]
HIK = {"make": "hikvision", "host": "10.0.0.7"}


def urls(document: dict[str, Any]) -> dict[str, str]:
    return {name: one.url for name, one in parse_camera("gate", document).streams.items()}


@pytest.mark.parametrize("make", MAKES)
def test_the_guide_lists_every_make_with_where_its_streams_are(make: str) -> None:
    """Read from the guide's table, so that neither can change alone."""
    text = (ROOT / "docs/guide/first-camera.md").read_text()
    (row,) = re.findall(rf"^\| `{make}`[^|]*\| `([^`]+)` \| `([^`]+)` \|$", text, re.M)
    streams = {name: {"make": make, "host": "HOST", "channel": 1} for name in ("main", "sub")}
    found = urls({"streams": streams})
    assert (found["main"], found["sub"]) == row
    if "{channel" in MAKES[make].main:
        streams["main"]["channel"] = 12
        assert "12" in urls({"streams": streams})["main"]


def test_a_pattern_of_ones_own_is_filled_in_with_host_port_and_channel() -> None:
    url = "rtsp://{host}:{port}/ch{channel:03}/{channel}"
    given = {"url": url, "host": "nvr", "port": 8554, "channel": 7}
    assert urls(given) == {"main": "rtsp://nvr:8554/ch007/7"}
    assert urls({"url": "rtsp://{host}/a", "host": "fe80::7", "port": 8554}) == {
        "main": "rtsp://[fe80::7]:8554/a"
    }
    assert urls({"url": "rtsp://u:p%40w@{host}/a", "host": "nvr"}) == {"main": "rtsp://nvr/a"}
    assert urls({"url": "rtsp://nvr/{x}/{channels}"}) == {"main": "rtsp://nvr/{x}/{channels}"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"make": "hikvison", "host": "h"}, "make: 'hikvison' is not known"),
        ({"make": "hikvision"}, "host: missing"),
        ({"make": 5, "host": "h"}, "make: "),
        ({**HIK, "url": "rtsp://a/b"}, "url: given beside make"),
        ({**HIK, "host": "h:554"}, "host: is neither"), ({**HIK, "host": "u@h"}, "host: is neith"),
        ({**HIK, "host": "h/../x?y"}, "host: is neither"), ({**HIK, "host": 7}, "host: "),
        ({**HIK, "host": "[::1"}, "host: is neither"), ({**HIK, "host": "-h"}, "host: is neither"),
        ({**HIK, "channel": 0}, "channel: must be between 1 and 9999"),
        ({**HIK, "channel": "2"}, "channel: must be a"), ({**HIK, "port": 0}, "port: must be"),
        ({"make": "uniview", "host": "h", "channel": 2}, "channel: 2 is given, and cameras of"),
        ({"host": "h"}, "host: goes with a make"), ({"channel": 2}, "channel: goes with a make"),
        ({"url": "rtsp://a/b", "host": "h"}, "host: given, and url has no"),
        ({"url": "rtsp://{host}/b"}, "host: missing"),
        ({"url": "rtsp://{host}:{port}/b", "host": "h"}, "port: missing"),
        ({"url": "rtsp://{host}/b", "host": "h", "channel": 2}, "channel: 2 is given, and url has"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_path(document: Any, said: str) -> None:
    with pytest.raises(BadDocument, match=rf"^streams\.main\.{re.escape(said)}"):
        urls(document)


def test_of_a_make_only_main_and_sub_are_known() -> None:
    with pytest.raises(BadDocument, match=r"streams\.hd\.make: of a make only streams main and"):
        urls({"streams": {"hd": HIK}})


def test_a_change_names_the_make_and_keeps_the_password() -> None:
    camera = parse_camera("gate", {**HIK, "credentials": "u:secret", "record": "event"})
    changed = change_camera(camera, {"make": "dahua", "host": "10.0.0.8", "channel": 3})
    main = changed.streams["main"]
    assert main.url == "rtsp://10.0.0.8/cam/realmonitor?channel=3&subtype=0"
    assert (main.credentials, main.record) == ("u:secret", "event")
    more = change_camera(changed, {"streams": {"sub": HIK}})
    assert more.streams["sub"].url == "rtsp://10.0.0.7/Streaming/Channels/102"
    with pytest.raises(BadDocument, match=r"^streams\.main\.host: goes with a make"):
        change_camera(camera, {"host": "10.0.0.9"})


# -- commands and the API --------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Any:
    made = App(Settings(site="here", node="n1", data=tmp_path))
    yield made
    made.close()


def stored(app: App, name: str) -> dict[str, tuple[str, str]]:
    camera = app.catalog.cameras.get(name)
    assert camera is not None
    return {key: (one.url, one.credentials) for key, one in camera.streams.items()}


def test_a_camera_of_a_make_is_added_with_its_sub_stream(app: App, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("u:secret\n")
    words = ("--credentials-file", str(tmp_path / "secret"), "--port", "8554")
    run(app, "camera", "add", "gate", "--make", "reolink", "--host", "h", "--sub-stream", *words)
    assert stored(app, "gate") == {
        "main": ("rtsp://h:8554/h264Preview_01_main", "u:secret"),
        "sub": ("rtsp://h:8554/h264Preview_01_sub", "u:secret"),
    }
    with pytest.raises(Exception, match="--sub-stream: goes with --make"):
        run(app, "camera", "add", "yard", "rtsp://h/a", "--sub-stream")
    known = json.loads(run(app, "camera", "makes", "--json"))["makes"]
    assert known["reolink"]["main"] in run(app, "camera", "makes")


def test_a_sheet_of_makes_has_one_password_for_all_that_say_none(app: App, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("u:secret\n")
    (tmp_path / "new.csv").write_text(
        "name,stream,make,host,channel,url,credentials,group\n"
        "gate,main,hikvision,10.0.0.7,,,,doors\ngate,sub,Hikvision,10.0.0.7,,,,\n"
        "lane,main,dahua,nvr,12,,own:one,\nyard,main,,cam,3,rtsp://{host}/ch{channel},,\n"
        "past,main,,,,rtsp://its:own@h/a,,\n"
    )
    words = ("camera", "import", str(tmp_path / "new.csv"))
    secret = ("--credentials-file", str(tmp_path / "secret"))
    assert run(app, *words, *secret).endswith("4 added, 0 changed, 0 same\n")
    assert stored(app, "gate") == {
        "main": ("rtsp://10.0.0.7/Streaming/Channels/101", "u:secret"),
        "sub": ("rtsp://10.0.0.7/Streaming/Channels/102", "u:secret"),
    }
    assert stored(app, "lane") == {
        "main": ("rtsp://nvr/cam/realmonitor?channel=12&subtype=0", "own:one")
    }
    assert stored(app, "yard") == {"main": ("rtsp://cam/ch3", "u:secret")}
    assert stored(app, "past") == {"main": ("rtsp://h/a", "its:own")}
    assert run(app, *words).endswith("0 added, 0 changed, 4 same\n"), "no password is taken away"
    sheet = {"cameras": {"flat": HIK}}
    (tmp_path / "flat.yaml").write_text(json.dumps(sheet))
    run(app, "camera", "import", str(tmp_path / "flat.yaml"), *secret)
    assert stored(app, "flat")["main"][1] == "u:secret"
    (tmp_path / "bad.csv").write_text("name,make,host\nx,hikvision,h\ny,hikvison,h\n")
    with pytest.raises(BadDocument, match=r"bad\.csv: row 3: streams\.main\.make: 'hikvison'"):
        run(app, "camera", "import", str(tmp_path / "bad.csv"))
    assert app.catalog.cameras.get("x") is None


def test_the_api_takes_a_make_wherever_it_takes_a_url(app: App) -> None:
    made = ask(app, "PUT", "/api/v1/cameras/gate", json=HIK)
    assert made.status_code == 201, made.text
    assert made.json()["streams"]["main"]["url"] == "rtsp://10.0.0.7/Streaming/Channels/101"
    assert "make" not in made.json()["streams"]["main"]
    change = {"make": "axis", "host": "10.0.0.9"}
    changed = ask(app, "PATCH", "/api/v1/cameras/gate", json=change)
    assert stored(app, "gate")["main"][0] == "rtsp://10.0.0.9/axis-media/media.amp?camera=1"
    assert [one["path"] for one in changed.json()["changes"]] == ["streams.main.url"]
    refused = ask(app, "PATCH", "/api/v1/cameras/gate", json={"make": "axi", "host": "h"})
    assert refused.status_code == 422
    assert "did you mean axis?" in refused.json()["hint"]
