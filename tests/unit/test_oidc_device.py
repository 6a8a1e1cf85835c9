"""Signing in from a machine without a browser: who waits, what ends it, whom it lets in."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from recorder.app import App
from tests.support.provider import FakeProvider, settings_of
from tests.unit.test_oidc import Browser, app, fake, log_of, me

__all__ = ["app", "fake"]


DEVICE = "/api/v1/access/oidc/device"


def begin_on_device(app: App, fake: FakeProvider, **said: Any) -> httpx.Response:
    """Begin on a machine without a browser; the provider answers with a code, or ``said``."""
    fake.metadata["device_authorization_endpoint"] = f"{fake.issuer}/device"
    fake.raw["/device"] = json.dumps({
        "device_code": "d" * 40, "user_code": "WDJB-MJHT", "expires_in": 600,
        "verification_uri": f"{fake.issuer}/code", **said,
    }).encode()  # fmt: skip
    return Browser(app).ask(DEVICE, method="POST", json={})


def redeem_device(app: App, browser: Browser | None = None) -> httpx.Response:
    body = {"device": "d" * 40}
    return (browser or Browser(app)).ask(f"{DEVICE}/redeem", method="POST", json=body)


def test_a_machine_without_a_browser_waits_until_somebody_typed_its_code_in(
    app: App, fake: FakeProvider
) -> None:
    begun = begin_on_device(app, fake)
    assert begun.json() == {
        "device": "d" * 40, "code": "WDJB-MJHT", "address": f"{fake.issuer}/code",
        "whole_address": "", "lasts_seconds": 600, "wait_seconds": 5,
    }  # fmt: skip
    assert (fake.form["scope"], begun.headers["cache-control"]) == (["openid profile"], "no-store")
    fake.status["/token"] = 400
    for why, longer in (("authorization_pending", 0), ("slow_down", 5)):
        fake.tokens = {"error": why}
        waiting = redeem_device(app)
        assert (waiting.status_code, waiting.json()) == (202, {"wait_seconds": longer})
    fake.status.pop("/token")
    browser = Browser(app)
    browser.asked["nonce"] = ""
    fake.sign(browser.claims(fake))
    done = redeem_device(app, browser)
    assert (done.status_code, done.json()["name"]) == (200, "oidc:ana")
    assert fake.form["device_code"] == ["d" * 40]
    assert me(app, browser)["name"] == "oidc:ana"
    assert ("user:oidc:ana", "user.login", "allowed") in log_of(app)


@pytest.mark.parametrize(
    ("tokens", "status", "said"),
    [
        ({"error": "access_denied"}, 401, "signed nobody in: 'access_denied'"),
        ({"error": "expired_token"}, 401, "signed nobody in: 'expired_token'"),
        ({"error": "unauthorized_client"}, 503, "gives this client no token"),
    ],
)
def test_a_code_that_nobody_may_use_ends_the_waiting(
    app: App, fake: FakeProvider, tokens: dict[str, str], status: int, said: str
) -> None:
    begin_on_device(app, fake)
    fake.status["/token"], fake.tokens = 400, tokens
    answer = redeem_device(app)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True)


def test_who_is_in_no_group_is_not_let_in_from_a_machine_without_a_browser_either(
    app: App, fake: FakeProvider
) -> None:
    begin_on_device(app, fake)
    browser = Browser(app)
    browser.asked["nonce"] = ""
    fake.sign(browser.claims(fake, groups=["kitchen"]))
    assert redeem_device(app, browser).status_code == 403
    fake.sign(browser.claims(fake, aud="another"))
    assert redeem_device(app, browser).status_code == 401
    assert me(app, browser)["kind"] == "nobody"


def test_a_provider_without_codes_for_devices_and_one_that_lies_are_said_to(
    app: App, fake: FakeProvider
) -> None:
    answer = Browser(app).ask(DEVICE, method="POST", json={})
    assert (answer.status_code, "device_authorization_endpoint" in answer.text) == (404, True)
    app = App(settings_of(app.settings.data / "b", issuer=fake.issuer))
    for lie in ({"verification_uri": "http://evil.example/"}, {"user_code": 7}):
        assert begin_on_device(app, fake, **lie).status_code == 503
    fake.status["/device"] = 401
    assert "gives this client no code" in begin_on_device(app, fake).json()["detail"]
    app.close()


@pytest.mark.parametrize("shown", ["", 7, "d" * 2000])
def test_what_no_device_was_given_is_refused_unasked(
    app: App, fake: FakeProvider, shown: object
) -> None:
    body = {"device": shown}
    answer = Browser(app).ask(f"{DEVICE}/redeem", method="POST", json=body)
    assert (answer.status_code, fake.asked) == (400, [])
