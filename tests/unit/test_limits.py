"""How long what people show counts, and how much one may ask for, is for the settings to say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recorder.accounts import invitations
from recorder.accounts.backoff import Backoff
from recorder.api.entry import Rates
from recorder.app import App
from recorder.config import ApiPart, load_settings
from recorder.errors import ConfigError, RequestError, TooMany
from recorder.limits import LimitsPart
from recorder.model.timebase import DAY, HOUR, MINUTE
from recorder.sites.joining import invite
from tests.support.access import ask


def settings_of(folder: Path, **limits: Any) -> Any:
    part = ApiPart(access="on", limits=LimitsPart(**limits))
    return load_settings(None, data=folder, site="centre", node="n1", api=part)


def test_words_last_as_long_as_the_settings_say(tmp_path: Path) -> None:
    app = App(settings_of(tmp_path, session="1h", invitation="30m", token="30d"))
    app.people.put("ana", [{"role": "viewer"}])
    app.people.set_password("ana", "four words in a row")
    body = {"name": "ana", "password": "four words in a row"}
    answer = ask(app, "POST", "/api/v1/access/login", json=body)
    assert "Max-Age=3600" in answer.headers["set-cookie"]
    (session,) = app.people.live("ana", "session")
    made = invitations.invite(app.people, "ana")[1], invite(app.people, "centre", "post1")[1]
    lasting = [one.expires - one.created for one in (session, *made)]
    assert lasting == [HOUR, 30 * MINUTE, 30 * MINUTE]
    token = app.people.add_token("ana")[1]
    assert token.expires - token.created == 30 * DAY
    with pytest.raises(RequestError, match="within 30d"):
        app.people.add_token("ana", lasts_ns=31 * DAY)
    app.people.limits = LimitsPart(token="1d")
    rotated = app.people.rotate(token.credential_id, 0)[1]
    assert rotated.expires - rotated.created == DAY
    app.close()


def test_a_caller_has_the_rate_and_the_burst_of_the_settings() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0], LimitsPart(rate=2, burst=10))
    for _ in range(10):
        rates.check("user:ana")
    with pytest.raises(TooMany, match="more than 2 requests"):
        rates.check("user:ana")
    rates.check("user:eve")
    now[0] = 2.0
    for _ in range(3):
        rates.check("user:ana")


def test_wrong_passwords_cost_what_the_settings_say() -> None:
    backoff = Backoff(lambda: 0.0, LimitsPart(mistakes=1, longest_wait="20s"))
    backoff.wrong("ana", "10.0.0.1")
    backoff.check("ana", "10.0.0.1")
    for _ in range(20):
        backoff.wrong("ana", "10.0.0.1")
    with pytest.raises(TooMany) as told:
        backoff.check("ana", "10.0.0.1")
    assert told.value.retry_after_s == 21


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session", "1m"), ("session", "31d"), ("invitation", "31d"), ("token", "401d"),
        ("token", "0s"), ("approval", "31d"), ("longest_wait", "25h"), ("session", "soon"),
    ],
)  # fmt: skip
def test_limits_that_nobody_could_mean_are_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"api.limits.{name}"):
        settings_of(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("spol: {}", "settings: spol: no such field", "did you mean spool? there are site, level"),
        ("spool: {maxsize: 3GB}", "spool.maxsize: no such field", "did you mean max_size? there"),
        ("stores: [{nam: main}]", "stores.0.nam: no such field", "shows every setting"),
        ("stores: {name: main}", "settings: stores: must be a list", "By default one directory"),
    ],
)
def test_a_setting_that_nobody_knows_is_named_with_what_was_probably_meant(
    tmp_path: Path, text: str, said: str, hint: str
) -> None:
    file = tmp_path / "recorder.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert said in str(caught.value)
    assert hint in caught.value.hint
