"""Signing in at a provider: what is believed, whom it lets in, and what it may not do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import urllib3
from joserfc.jwk import OctKey, RSAKey

from recorder.accounts import invitations
from recorder.accounts import provider as provider_module
from recorder.api.routes import oidc
from recorder.api.server import make_api
from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.config import ApiPart, load_settings
from recorder.errors import RequestError
from recorder.model.timebase import SECOND
from recorder.oidc import OidcPart
from recorder.ports import AskedEntries
from tests.support.access import ADMIN, person
from tests.support.provider import GRANTS, KEY, SECRET, FakeProvider, faking, settings_of

OURS = "http://127.0.0.1:8600"
LOGIN, CALLBACK = "/api/v1/access/oidc/login", "/api/v1/access/oidc/callback"
OTHER = RSAKey.generate_key(2048, {"kid": "other", "use": "sig"})


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with faking() as made:
        yield made


@pytest.fixture
def app(tmp_path: Path, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("T_OIDC", SECRET)
    made = App(settings_of(tmp_path, issuer=fake.issuer))
    yield made
    made.close()


class Browser:
    """A browser that begins, and comes back with what a provider, or somebody else, says."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.api = make_api(app, None)
        self.cookies = httpx.Cookies()
        self.asked: dict[str, str] = {}

    async def get(self, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.api, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url=OURS, cookies=self.cookies
        ) as client:
            answer = await client.request(more.pop("method", "GET"), path, **more)
            self.cookies = client.cookies
            return answer

    def ask(self, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self.get(path, **more))

    def begin_at(self, url: str) -> httpx.Response:
        return self._begun(self.ask(url + LOGIN))

    def begin(self, **query: Any) -> httpx.Response:
        return self._begun(self.ask(LOGIN, params=query))

    def _begun(self, answer: httpx.Response) -> httpx.Response:
        found = parse_qs(urlsplit(answer.headers.get("location", "")).query)
        self.asked = {name: value[0] for name, value in found.items()}
        return answer

    def come_back(self, **query: str) -> httpx.Response:
        return self.ask(
            CALLBACK, params={"code": "c", "state": self.asked.get("state", ""), **query}
        )

    def claims(self, fake: FakeProvider, **more: Any) -> dict[str, Any]:
        now = self.app.clock.now() // SECOND
        return {
            "iss": fake.issuer, "aud": "recorder", "sub": "7", "iat": now, "exp": now + 60,
            "nonce": self.asked["nonce"], "preferred_username": "ana", "groups": ["guards"], **more,
        }  # fmt: skip

    def sign_in(self, fake: FakeProvider, **claims: Any) -> httpx.Response:
        self.begin()
        fake.sign(self.claims(fake, **claims))
        return self.come_back()


def me(app: App, browser: Browser) -> Mapping[str, Any]:
    found: Mapping[str, Any] = browser.ask("/api/v1/access/me").json()
    return found


def log_of(app: App) -> list[tuple[str, str, str]]:
    found = app.catalog.audit_log.search(AskedEntries(), 20)
    entries = [read_entry(one.raw) for one in found]
    return [(str(one.caller), one.action, one.result.value) for one in entries]


def test_whom_the_provider_vouches_for_has_a_session_of_ours(app: App, fake: FakeProvider) -> None:
    browser = Browser(app)
    begun = browser.begin(next="/console/?camera=gate")
    assert begun.status_code == 303
    assert browser.asked["code_challenge_method"] == "S256"
    assert browser.asked["scope"] == "openid profile"
    assert browser.asked["redirect_uri"] == OURS + CALLBACK
    fake.sign(browser.claims(fake))
    answer = browser.come_back(session_state="what nobody here knows")
    assert answer.status_code == 200, answer.text
    assert 'content="0;url=/console/?camera=gate"' in answer.text
    kept = [one.partition("=")[0] for one in answer.headers.get_list("set-cookie")]
    assert kept == ["spanstore", "spanstore-oidc"]
    assert "samesite=strict" in answer.headers.get_list("set-cookie")[0].lower()
    assert fake.form["code_verifier"][0] not in (browser.asked["state"], browser.asked["nonce"])
    said = me(app, browser)
    assert (said["kind"], said["name"]) == ("user", "oidc:ana")
    assert said["permissions"] == ["camera.read", "event.read", "footage.view"]
    (session,) = browser.ask("/api/v1/access/sessions").json()
    assert (session["user"], session["label"]) == ("oidc:ana", "oidc")
    assert ("user:oidc:ana", "user.login", "allowed") in log_of(app)


def test_what_a_group_is_given_follows_the_provider_at_each_sign_in(
    app: App, fake: FakeProvider
) -> None:
    Browser(app).sign_in(fake, groups=["guards"])
    Browser(app).sign_in(fake, groups=["leads", "others"], preferred_username="ana-b")
    (account,) = app.catalog.accounts.all()
    assert account.name == "oidc:ana"
    assert list(account.grants) == GRANTS["leads"]


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": 1}, "has expired"),
        ({"iat": 1 << 40}, "has expired, or is not valid yet"),
        ({"aud": "another"}, "aud is not as it must be"),
        ({"aud": ["recorder", "another"]}, "azp is not as it must be"),
        ({"azp": "another"}, "azp is not as it must be"),
        ({"iss": "https://another.example"}, "iss is not as it must be"),
        ({"nonce": "of another sign-in"}, "nonce is not as it must be"),
        ({"nonce": None}, "nonce is not as it must be"),
        ({"sub": None}, "sub is not as it must be"),
        ({"sub": "x" * 256}, "sub is missing"),
        ({"preferred_username": "ana\u202e"}, "is no name"),
        ({"preferred_username": "a b"}, "is no name"),
        ({"preferred_username": "../x"}, "is no name"),
        ({"groups": []}, "no group that is given anything"),
        ({"groups": {"guards": 1}}, "no group that is given anything"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(
    app: App, fake: FakeProvider, claims: dict[str, Any], said: str
) -> None:
    browser = Browser(app)
    answer = browser.sign_in(fake, **claims)
    assert answer.status_code in (401, 403)
    assert said in answer.json()["detail"]
    assert app.catalog.accounts.all() == []
    assert browser.ask("/api/v1/access/sessions").status_code == 401


def test_who_is_refused_stands_in_the_audit_log(app: App, fake: FakeProvider) -> None:
    assert Browser(app).sign_in(fake, groups=["strangers"]).status_code == 403
    assert ("nobody", "user.login", "refused") in log_of(app)


def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(
    app: App, fake: FakeProvider
) -> None:
    browser = Browser(app)
    browser.begin()
    claims = browser.claims(fake)
    fake.sign(claims, OTHER, kid="first")
    assert "signature does not hold" in browser.come_back().json()["detail"]
    fake.sign(claims)
    head, body, signature = fake.tokens["id_token"].split(".")
    middle = len(body) // 2
    changed = body[:middle] + ("A" if body[middle] != "A" else "B") + body[middle + 1 :]
    fake.tokens = {"id_token": f"{head}.{changed}.{signature}"}
    assert browser.come_back().status_code == 401
    bare = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    fake.tokens = {"id_token": f"{bare}.{body}."}
    assert browser.come_back().status_code == 401
    shared = OctKey.import_key(SECRET, {"kid": "first"})
    fake.sign(claims, shared, alg="HS256")
    assert browser.come_back().status_code == 401
    fake.tokens = {"access_token": "alone"}
    assert "no ID token" in browser.come_back().json()["detail"]
    assert app.catalog.accounts.all() == []


def test_a_key_that_is_new_is_looked_up_and_one_that_is_gone_counts_no_more(
    app: App, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(app)
    assert browser.sign_in(fake).status_code == 200
    monkeypatch.setattr(provider_module, "RENEWED_S", -1.0)
    fake.keys = [OTHER]
    browser.begin()
    fake.sign(browser.claims(fake), OTHER)
    assert browser.come_back().status_code == 200
    assert fake.asked.count("/keys") == 2
    browser.begin()
    fake.sign(browser.claims(fake), KEY)
    assert "a key that the provider does not have" in browser.come_back().json()["detail"]


def test_keys_are_not_asked_for_again_and_again(app: App, fake: FakeProvider) -> None:
    browser = Browser(app)
    for _ in range(5):
        browser.begin()
        fake.sign(browser.claims(fake), OTHER)
        assert browser.come_back().status_code == 401
    assert fake.asked.count("/keys") == 1


def test_an_answer_that_another_browser_asked_for_is_refused(app: App, fake: FakeProvider) -> None:
    mine, others = Browser(app), Browser(app)
    mine.begin()
    others.begin()
    fake.sign(others.claims(fake))
    assert "another sign-in" in mine.come_back(state=others.asked["state"]).json()["detail"]
    assert "another sign-in" in mine.come_back(state="").json()["detail"]
    stranger = Browser(app)
    refused = stranger.come_back(state=others.asked["state"]).json()
    assert "did not begin" in refused["detail"]
    assert "127.0.0.1:8600" in refused["hint"]
    assert "/token" not in fake.asked


def test_a_code_of_another_sign_in_is_refused_by_its_nonce(app: App, fake: FakeProvider) -> None:
    mine, others = Browser(app), Browser(app)
    others.begin()
    mine.begin()
    fake.sign(others.claims(fake))
    assert "nonce is not" in mine.come_back(code="of the other").json()["detail"]


def test_an_answer_of_another_provider_is_refused(app: App, fake: FakeProvider) -> None:
    browser = Browser(app)
    browser.begin()
    fake.sign(browser.claims(fake))
    assert "iss is another's" in browser.come_back(iss="https://x.example").json()["detail"]
    assert browser.come_back(iss=fake.issuer).status_code == 200
    other = Browser(app)
    other.begin()
    fake.metadata["authorization_response_iss_parameter_supported"] = True
    other.api.state.provider = None
    made = provider_module.Provider(app.settings.api.oidc, app.settings.oidc_redirect, app.clock)
    other.api.state.provider = made
    assert "iss is another's" in other.come_back().json()["detail"]


def test_a_local_user_is_never_another_of_the_same_name(app: App, fake: FakeProvider) -> None:
    person(app, "ana", ADMIN)
    browser = Browser(app)
    assert browser.sign_in(fake, preferred_username="ana").status_code == 200
    assert me(app, browser)["name"] == "oidc:ana"
    assert "policy.write" not in me(app, browser)["permissions"]
    for path in ("oidc:eve", "oidc:ana"):
        with pytest.raises((RequestError, Exception)):
            app.people.put(path, ADMIN)
    with pytest.raises(Exception, match="vouches for it"):
        app.people.put("oidc:ana", ADMIN)
    with pytest.raises(Exception, match="vouches for it"):
        invitations.invite(app.people, "oidc:ana")
    with pytest.raises(Exception, match="vouches for it"):
        app.people.set_password("oidc:ana", "some words in a row")
    with pytest.raises(Exception, match="sessions alone"):
        app.people.add_token("oidc:ana")


def test_a_name_that_the_provider_gives_anew_takes_nothing_over(
    app: App, fake: FakeProvider
) -> None:
    assert Browser(app).sign_in(fake, sub="1", preferred_username="ana").status_code == 200
    answer = Browser(app).sign_in(fake, sub="2", preferred_username="ana")
    assert answer.status_code == 403
    assert "another person" in answer.json()["detail"]
    assert log_of(app).count(("user:oidc:ana", "user.login", "allowed")) == 1


def test_who_was_closed_here_does_not_come_in_again(app: App, fake: FakeProvider) -> None:
    browser = Browser(app)
    browser.sign_in(fake)
    app.people.close("oidc:ana")
    app.knower.forget()
    assert browser.ask("/api/v1/access/sessions").status_code == 401
    assert "closed here" in Browser(app).sign_in(fake).json()["detail"]


def test_claims_that_do_not_stand_in_the_token_are_asked_for(app: App, fake: FakeProvider) -> None:
    browser = Browser(app)
    browser.begin()
    claims = browser.claims(fake)
    fake.sign({name: one for name, one in claims.items() if name != "groups"})
    fake.tokens["access_token"] = "x"
    fake.info = {"sub": "7", "groups": ["leads"], "preferred_username": "somebody else"}
    assert browser.come_back().status_code == 200
    assert me(app, browser)["name"] == "oidc:ana"
    other = Browser(app)
    other.begin()
    fake.sign({name: one for name, one in other.claims(fake).items() if name != "groups"})
    fake.tokens["access_token"] = "x"
    fake.info = {"sub": "another", "groups": ["leads"]}
    assert "sub is another's" in other.come_back().json()["detail"]


@pytest.mark.parametrize(
    ("path", "raw", "said"),
    [
        ("/.well-known/openid-configuration", b"<html>", "is no JSON"),
        ("/.well-known/openid-configuration", b"[]", "is no JSON"),
        ("/.well-known/openid-configuration", b'{"issuer": "https://evil.example"}', "says that"),
        ("/.well-known/openid-configuration", b"x" * (1 << 21), "does not answer"),
    ],
)
def test_a_provider_that_answers_nonsense_is_said_to(
    app: App, fake: FakeProvider, path: str, raw: bytes, said: str
) -> None:
    fake.raw[path] = raw
    answer = Browser(app).begin()
    assert answer.status_code == 503
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("address", ["http://evil.example/auth", "javascript:alert(1)", "", 7])
def test_a_provider_that_names_an_address_without_tls_is_not_followed(
    app: App, fake: FakeProvider, address: object
) -> None:
    fake.metadata["authorization_endpoint"] = address
    answer = Browser(app).begin()
    assert answer.status_code == 503
    assert "no https URL" in answer.json()["detail"]


def test_a_provider_that_refuses_this_client_or_a_code_is_said_to(
    app: App, fake: FakeProvider
) -> None:
    browser = Browser(app)
    browser.begin()
    fake.tokens = {"error": "invalid_grant"}
    fake.status["/token"] = 400
    assert "'invalid_grant'" in browser.come_back().json()["detail"]
    fake.tokens, fake.status["/token"] = {"error": "invalid_client"}, 401
    answer = browser.come_back()
    assert (answer.status_code, "'invalid_client'" in answer.json()["detail"]) == (503, True)
    said = browser.come_back(error="access_denied", code="").json()["detail"]
    assert "signed nobody in: 'access_denied'" in said


def test_a_provider_that_is_away_is_said_once_and_not_waited_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_OIDC", SECRET)
    with faking() as gone:
        issuer = gone.issuer
    app = App(settings_of(tmp_path, issuer=issuer))
    browser = Browser(app)
    first = browser.begin()
    assert first.status_code == 503
    assert first.json()["detail"].startswith(f"the provider does not answer at {issuer}/.well-")
    assert first.headers["retry-after"]

    def none(*_: object, **__: object) -> None:
        raise AssertionError("it is asked again")

    monkeypatch.setattr(browser.api.state.provider._pool, "request", none)
    assert browser.begin().json()["detail"] == first.json()["detail"]
    assert browser.ask("/api/v1/access/me").json()["sign_in"] == ["password", "oidc"]
    app.close()


def test_a_provider_that_hangs_keeps_nobody_else(
    app: App, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # it hangs until it is let go, however busy the machine is
    monkeypatch.setattr(provider_module, "TIMEOUT", urllib3.Timeout(120))
    monkeypatch.setattr(provider_module, "PATIENCE_S", 120.0)
    browser, admin = Browser(app), person(app, "eve", ADMIN)
    fake.may_answer.clear()

    async def both() -> tuple[httpx.Response, httpx.Response, bool]:
        hanging = [asyncio.create_task(browser.get(LOGIN)) for _ in range(8)]
        while not fake.asked:  # noqa: ASYNC110 - another thread adds to it
            await asyncio.sleep(0.01)
        other = await browser.get("/api/v1/access/users", headers=admin)
        wrong = {"name": "eve", "password": "it is none"}
        await browser.get("/api/v1/access/login", method="POST", json=wrong)
        waits = not any(one.done() for one in hanging)
        fake.may_answer.set()
        return (await asyncio.gather(*hanging))[0], other, waits

    begun, other, waited = asyncio.run(both())
    assert (begun.status_code, other.status_code, waited) == (303, 200, True)


def test_a_provider_that_hangs_is_given_up(
    app: App, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "PATIENCE_S", 0.05)
    fake.may_answer.clear()
    answer = Browser(app).begin()
    assert (answer.status_code, "in time" in answer.json()["detail"]) == (503, True)


def test_too_many_that_wait_are_told_to_come_again(
    app: App, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "MOST_WAITING", 0)
    assert Browser(app).begin().status_code == 429


@pytest.mark.parametrize(
    "query",
    [{"next": "https://evil.example/"}, {"next": "//evil.example"}, {"port": "80"},
     {"port": "40000"}, {"port": "40000", "challenge": "short"}, {"challenge": "A" * 43}],
)  # fmt: skip
def test_what_leads_elsewhere_is_refused_before_the_provider_is_asked(
    app: App, fake: FakeProvider, query: dict[str, str]
) -> None:
    assert Browser(app).begin(**query).status_code == 400
    assert fake.asked == []


def test_a_command_gets_a_code_that_it_alone_can_use_and_once(app: App, fake: FakeProvider) -> None:
    from recorder.access.flow import challenge_of

    verifier, browser = "v" * 43, Browser(app)
    browser.begin(port=40000, challenge=challenge_of(verifier))
    fake.sign(browser.claims(fake))
    answer = browser.come_back()
    to = urlsplit(answer.headers["location"])
    assert (answer.status_code, to.scheme, to.netloc) == (303, "http", "127.0.0.1:40000")
    assert "spanstore" not in {
        one.partition("=")[0] for one in answer.headers.get_list("set-cookie")
    }
    code = parse_qs(to.query)["code"][0]

    def redeem(verifier: str) -> httpx.Response:
        body = {"code": code, "verifier": verifier}
        return Browser(app).ask("/api/v1/access/oidc/redeem", method="POST", json=body)

    assert redeem("w" * 43).status_code == 401
    right = redeem(verifier)
    assert (right.status_code, right.json()["name"]) == (200, "oidc:ana")
    assert right.headers["set-cookie"].startswith("spanstore=spanstore_s_")
    assert redeem(verifier).status_code == 401
    shown = {"authorization": f"Bearer {code}"}
    assert browser.ask("/api/v1/access/sessions", headers=shown).status_code == 401


def test_with_a_provider_everybody_is_asked_who_he_is(app: App) -> None:
    assert Browser(app).ask("/api/v1/cameras").status_code == 401


def test_behind_a_proxy_with_a_path_it_comes_back_there_and_cookies_are_for_tls_alone(
    tmp_path: Path, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_OIDC", SECRET)
    outside = "https://centre.example.org/recorder"
    said = {"client_id": "recorder", "client_secret": "env:T_OIDC", "grants": GRANTS}
    part = ApiPart(listen="127.0.0.1:8600", oidc=OidcPart(issuer=fake.issuer, **said))
    made = load_settings(None, data=tmp_path, site="centre", node="n1", api=part, url=outside)
    app = App(made)
    browser = Browser(app)
    begun = browser.begin_at("https://centre.example.org")
    assert browser.asked["redirect_uri"] == outside + CALLBACK
    kept = begun.headers["set-cookie"]
    assert kept.startswith("__Host-spanstore-oidc=")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(kept.lower().split("; "))
    app.close()
