"""Secrets: hidden wherever a URL is shown, refused where they cannot be told from the rest."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recorder.app import App
from recorder.config import load_settings
from recorder.errors import BadDocument, ConfigError
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.secrets import MASK, mask
from recorder.private import tighten


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://10.0.0.1/user=admin_password=SECRET_channel=1_stream=0.sdp?real_stream",
        "rtsp://10.0.0.1/user=admin&password=SECRET&channel=1", "http://h/x.cgi?usr=a&psw=SECRET",
        "http://h/x.cgi?loginuse=a&loginpas=SECRET", "http://h/x?access_token=SECRET#1",
        "srt://h:9?passphrase=SECRET&mode=caller", "tcp://u:SECRET@h:9", "rtsp://u:SECRET@h/x",
        "rtsp://admin:1234/SECRET@h/x", "rtsp://u:SECRET#a@h/x", "rtsp://u:a?SECRET@h/x",
        "rtsp://u:SECRET", "http://h/x?%70assword=SECRET", "http://h/x?token=a/SECRET?b&c=1",
        "rtsp://u:a'SECRET@h/x", "https://SECRET@h/x", "postgresql://u:SECRET@h/db",
        "rtsp://u:SECRET:b@h/x", "rtsp://[u:SECRET@h/x", "http://h/x?api_key=SECRET",
        "http://h/x?u=a&p=SECRET", "http://h/x?jwt=SECRET", "http://h/x?ticket=SECRET&a=1",
        "http://h/x?pin=SECRET", "http://h/x?X-Bearer=SECRET", "http://h/x?otp=SECRET",
        "srt://h:9?streamid=#!::u=a,s=SECRET", "http://h/a?pwd=x&x=1;auth=SECRET",
    ],
)  # fmt: skip
def test_a_secret_in_a_url_is_shown_nowhere(url: str) -> None:
    for text in (url, f"open '{url}' failed", f'{{"url": "{url}"}}', f"<{url}>: refused"):
        assert "SECRET" not in mask(text), mask(text)
        assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "url",
    ["rtsp://10.0.0.9:554/h264?profile=Profile_1", "udp://@239.0.0.1:5000", "http://[fe80::1]:80/x",
     "sqlite:////var/lib/recorder/catalog.db", "rtsp://h/cam/realmonitor?channel=1&subtype=0",
     "https://s3.example.org:9000/b", "http://127.0.0.1:8600/docs", "rtsp://h/user=&password=&x=1"],
)  # fmt: skip
def test_a_url_without_a_secret_is_shown_as_it_is(url: str) -> None:
    assert mask(url) == url
    assert mask(f"{url}: refused") == f"{url}: refused"


@given(st.text(max_size=12),
       st.sampled_from(["rtsp://u:{}SECRET{}@h/x", "rtsp://h/x?password={}SECRET{}"]))  # fmt: skip
@example("/", "rtsp://u:{}SECRET{}@h/x")
def test_no_password_shows_through(around: str, form: str) -> None:
    url = form.format(around, around)
    if re.search(r"\s|&|;|_\w+=", around):
        return  # it ends the text, or the parameter
    assert "SECRET" not in mask(url), mask(url)


@pytest.mark.parametrize(
    "url",
    ["rtsp://u:SEC/RET@h/x", "rtsp://u:SEC#RET@h/x", "rtsp://u:SEC?RET@h/x", "rtsp://u:1/SEC@h/x",
     "rtsp://u:SEC@RET/x@h", "rtsp://u:SEC RET@h/x", "rtsp://[SEC@h/x", "rtsp://h:SEC/x",
     "rtsp://u:SEC\u2100@h/x", "rtsp://h:99999/SEC"],
)  # fmt: skip
def test_a_password_that_is_not_encoded_is_refused_with_the_remedy_and_not_shown(url: str) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_camera("cam", {"url": url})
    assert "SEC" not in str(caught.value) + caught.value.hint
    assert "%2F" in caught.value.hint


@pytest.mark.parametrize("scheme", ["tcp", "udp", "srt", "rtp"])
def test_sources_without_users_have_no_credentials(scheme: str) -> None:
    for body in (
        {"url": f"{scheme}://u:SEC@h:9"},
        {"url": f"{scheme}://h:9", "credentials": "u:SEC"},
    ):
        with pytest.raises(BadDocument) as caught:
            parse_camera("cam", body)
        assert "SEC" not in str(caught.value)
    group = parse_camera("cam", {"url": "udp://@239.0.0.1:5000"}).streams["main"]
    assert (group.full_url(), group.credentials) == ("udp://@239.0.0.1:5000", "")


def test_a_shown_url_is_taken_back_by_the_camera_it_is_of_and_by_no_other() -> None:
    url = "rtsp://10.0.0.1/user=admin_password=tlJw_channel=1_stream=0.sdp"
    first = parse_camera("cam", {"url": url})
    shown = show_camera(first)
    assert MASK in shown["streams"]["main"]["url"]
    assert parse_camera("cam", shown, first).streams == first.streams
    assert first.streams["main"].hidden
    with pytest.raises(BadDocument, match="secret"):
        parse_camera("other", shown)


@pytest.mark.parametrize(
    "text", ["a", "http://h/" + "a", "_user", "a+", "a.b-", "_user=", "://", "=_"]
)
def test_long_text_of_others_is_looked_through_once(text: str) -> None:
    began = time.process_time()
    assert "SECRET" not in mask(text * (200_000 // len(text)) + " rtsp://u:SECRET@h/x")
    assert time.process_time() - began < 5, "it took minutes"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_existing_folder_is_tightened_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    sqlite3.connect(data / "catalog.db").close()
    (data / "catalog.db").touch()
    (data / "catalog.db").chmod(0o644)
    app = App(load_settings(None, data=data))
    with caplog.at_level(logging.WARNING):
        assert app.catalog.cameras.all() == []
    app.close()
    assert (mode(data), mode(data / "catalog.db")) == (0o700, 0o600)
    assert len(caplog.records) == 2
    assert tighten(data) == []


def test_a_folder_that_is_everybodys_stays_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert tighten(tmp_path) == []
    assert mode(tmp_path) == 0o1777


def test_all_that_a_command_writes_is_its_owners_from_the_first_byte(tmp_path: Path) -> None:
    data = tmp_path / "data"
    argv = [
        sys.executable,
        "-m",
        "recorder",
        "--data",
        str(data),
        "camera",
        "add",
        "cam",
        "rtsp://h/x",
    ]
    before = os.umask(0o022)
    try:
        subprocess.run(argv, check=True, capture_output=True)
    finally:
        os.umask(before)
    found = [data, *data.rglob("*")]
    assert data / "catalog.db" in found
    assert {path: mode(path) & 0o077 for path in found} == dict.fromkeys(found, 0)


@pytest.mark.parametrize("text", ["a: [SECRET", "a: *SECRET", "SECRET: : b", "catalog: 'SECRET"])
def test_a_mistake_in_settings_is_told_by_its_line_without_the_line(
    text: str, tmp_path: Path
) -> None:
    path = tmp_path / "recorder.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="line 1") as caught:
        load_settings(path)
    assert "SECRET" not in str(caught.value)


def test_what_sites_say_of_their_address_is_shown_without_its_password() -> None:
    from recorder.ports import SiteBeat
    from recorder.sites.tree import show_site

    shown: dict[str, Any] = show_site(SiteBeat("..", "centre", "https://u:SECRET@h/x", 1), 2)
    assert shown["url"] == "https://h/x"


@pytest.mark.parametrize(
    "pair",
    ["password[]=SEC", "[pwd]=SEC", "verifycode=SEC", "vcode=SEC", "pas=SEC", "senha=SEC",
     "mdp=SEC", "tok=SEC", "src=rtsp%3A%2F%2Fu%3ASEC%4010.0.0.7%2Fx", "src=rtsp:%2f%2fSEC%40h"],
)  # fmt: skip
def test_a_parameter_that_holds_a_secret_in_some_other_way_is_masked(pair: str) -> None:
    shown = mask(f"rtsp://10.0.0.9/x?channel=1&{pair}&stream=0")
    assert "SEC" not in shown
    assert shown.startswith("rtsp://10.0.0.9/x?channel=1&")
    assert shown.endswith(f"={MASK}&stream=0")


def test_a_parameter_that_holds_none_is_shown() -> None:
    text = "rtsp://10.0.0.9/x?codec=h264&src=rtsp%3A%2F%2F10.0.0.7%2Fx&list[]=1&pass&spas=1"
    assert mask(text) == text


@pytest.mark.parametrize("what", ["url", "node_url"])
@pytest.mark.parametrize("url", ["https://u:SEC@h.example.org", "https://h.example.org/?token=SEC"])
def test_an_address_that_is_told_to_others_holds_no_secret(
    what: str, url: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="must hold no credentials") as refused:
        load_settings(None, data=tmp_path, **{what: url})
    assert "SEC" not in str(refused.value)
