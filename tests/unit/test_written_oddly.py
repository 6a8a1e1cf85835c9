"""Settings and documents with anything in them: a sentence, never an error nobody foresaw."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.presets import COUNTY
from policies.read import parse_policy
from recorder.access.grants import parse_grants
from recorder.api.web import is_same
from recorder.cli import main
from recorder.client.connection import Connection
from recorder.config import load_settings
from recorder.errors import BadDocument, ConfigError, RecorderError, RequestError
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event, parse_point
from recorder.model.exports import read_wanted
from recorder.model.holds import parse_hold
from recorder.model.timebase import MINUTE, TimeRange
from tests.support.make import T0
from tests.support.mutated import mutate

SAMPLE: dict[str, Any] = yaml.safe_load(Path("recorder.sample.yaml").read_text())
SAMPLE["stores"] = [
    {"name": "main", "kind": "directory", "path": "store"},
    {"name": "far", "kind": "s3", "endpoint": "http://store:9000", "bucket": "b"},
]
SAMPLE["parent"] = "http://centre:8600"

DAY_OF = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
DOCUMENTS: dict[str, tuple[Callable[[Any], object], dict[str, Any]]] = {
    "policy": (parse_policy, COUNTY),
    "policy that is stored": (lambda one: parse_policy(one, stored=True), COUNTY),
    "camera": (
        lambda one: parse_camera("gate", one),
        {"url": "rtsp://u:p@h/x", "group": "key", "label": "Tor", "transport": "tcp",
         "coordinates": {"latitude": 1.5, "longitude": 2}, "critical": True,
         "masks": [{"polygon": [[0, 0], [0, 1], [1, 1]], "fill": "black"}]},
    ),
    "hold": (
        lambda one: parse_hold(one, "h", T0),
        {**DAY_OF, "cameras": ["gate"], "case": "1", "reason": "r", "owner": "o"},
    ),
    "event": (
        lambda one: parse_event(one, None, "e", "s", T0),
        {"camera": "gate", "kind": "alarm", "at": DAY_OF["start"], "attributes": {"n": 1}},
    ),
    "point": (lambda one: parse_point("p", one), {"cameras": ["gate"], "kind": "alarm"}),
    "export": (
        lambda one: read_wanted(one, TimeRange(T0, T0 + MINUTE)),
        {"cameras": ["gate"], "case": "1", "purpose": "p", "wait": "1d", "stream": "main"},
    ),
    "grant": (
        lambda one: parse_grants([one]),
        {"role": "viewer", "cameras": ["gate"], "groups": ["g"], "sites": ["s"], "back": "7d"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_with_anything_in_it_is_taken_or_refused(kind: str) -> None:
    read, whole = DOCUMENTS[kind]
    read(copy.deepcopy(whole))
    rng = random.Random(kind)
    for _ in range(200):
        body = copy.deepcopy(whole)
        for _ in range(rng.choice((1, 1, 2, 3))):
            mutate(body, rng)
        with contextlib.suppress(RequestError):
            read(body)


def test_settings_with_anything_in_them_are_taken_or_refused(tmp_path: Path) -> None:
    path, rng = tmp_path / "recorder.yaml", random.Random(1)
    path.write_text(yaml.safe_dump(SAMPLE))
    load_settings(path)
    for _ in range(150):
        body = copy.deepcopy(SAMPLE)
        for _ in range(rng.choice((1, 1, 2))):
            mutate(body, rng)
        path.write_text(json.dumps(body))
        with contextlib.suppress(RecorderError):
            load_settings(path)


@pytest.mark.parametrize("url", ["http://[::1", "http://a:99999", "http://a:x", "http://", "a"])
@pytest.mark.parametrize("where", ["parent", "stores", "cors", "stamp"])
def test_a_url_that_cannot_be_taken_apart_is_refused_in_a_sentence(
    where: str, url: str, tmp_path: Path
) -> None:
    parts: dict[str, dict[str, Any]] = {
        "parent": {"parent": url},
        "stores": {"stores": [{"name": "far", "kind": "s3", "endpoint": url, "bucket": "b"}]},
        "cors": {"api": {"cors_origins": [url]}},
        "stamp": {"evidence": {"timestamp_url": url, "timestamp_ca": "ca.pem"}},
    }
    path = tmp_path / "recorder.yaml"
    path.write_text(json.dumps(parts[where]))
    with pytest.raises(ConfigError, match=r"is no|is not"):
        load_settings(path)


@pytest.mark.parametrize("url", ["http://[::1", "http://a:99999", "http://", "a:1"])
def test_a_server_whose_url_cannot_be_taken_apart_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(RequestError, match="give its URL"):
        Connection(url)


def test_an_origin_that_cannot_be_taken_apart_is_not_this_address() -> None:
    assert not is_same("http://[", "")
    assert not is_same("http://[::1", "[::1")


@pytest.mark.parametrize("listen", ["127.0.0.1:²", "127.0.0.1:" + "9" * 5000, "127.0.0.1:65536"])
def test_an_address_whose_port_is_none_is_refused_in_a_sentence(
    listen: str, tmp_path: Path
) -> None:
    path = tmp_path / "recorder.yaml"
    path.write_text(json.dumps({"api": {"listen": listen}}))
    with pytest.raises(ConfigError, match="is not an address and port"):
        load_settings(path)


@pytest.mark.parametrize("share", [{}, [], None, True, "x", "nan", "%", "101%", -1])
def test_a_share_that_is_none_is_refused_in_a_sentence(share: Any) -> None:
    with pytest.raises(BadDocument, match=r"^stores\.any\.floor: .* is not"):
        parse_policy({**COUNTY, "stores": {"any": {"floor": share}}, "blast_radius": share})


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("-c BIN doctor", 78, "is not UTF-8"),
        ("camera probe rtsp://127.0.0.1:1/x --credentials-file BIN", 78, "is not UTF-8"),
        ("camera add gate rtsp://127.0.0.1:1/x --credentials-file BIN", 78, "is not UTF-8"),
        ("--server http://127.0.0.1:1 --token-file BIN camera list", 78, "is not UTF-8"),
        ("policy check BIN", 78, "is not UTF-8"),
        ("camera export -o nowhere/cameras.csv", 74, "nowhere/cameras.csv: No such file"),
        ("backup " + "x" * 300, 74, "File name too long"),
    ],
)
def test_a_file_that_cannot_be_read_or_written_is_told_in_a_sentence(
    words: str,
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("BIN").write_bytes(b"\xac\x00\xff")
    monkeypatch.setattr(sys, "argv", ["recorder", "--data", "data", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert said in capsys.readouterr().err
