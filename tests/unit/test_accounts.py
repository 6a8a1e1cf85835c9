"""Who is who: passwords, sessions, tokens, invitations; what was taken, changed, or is too old."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from recorder import telemetry
from recorder.access.words import SESSION, TOKEN, digest_of, make_word
from recorder.accounts import invitations, passwords
from recorder.accounts.backoff import FORGOTTEN_S, Backoff
from recorder.accounts.invitations import FIRST
from recorder.accounts.people import People
from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.cli import serve
from recorder.cli.granting import AccessHere
from recorder.clock import chance
from recorder.config import ApiPart, load_settings
from recorder.errors import (
    NotFound,
    NotKnown,
    RequestError,
    StateError,
    TooMany,
)
from recorder.metrics import exposition
from recorder.model.timebase import DAY, HOUR, SECOND
from recorder.ports import AskedEntries
from tests.support.access import ADMIN, ask, make_guarded, person
from tests.support.clock import FakeClock

SECRET = "four quiet words in a row"
LOGIN = {"name": "ana", "password": SECRET}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost nothing."""
    monkeypatch.setattr(passwords, "_hasher", lambda: PasswordHasher(1, 8, 1))
    passwords._nobody.cache_clear()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = make_guarded(tmp_path)
    clock = FakeClock(now=one.clock.now())
    one.clock = clock  # type: ignore[assignment]
    yield one
    one.close()


def later(app: App, ns: int) -> None:
    clock: Any = app.clock
    clock.sleep(ns / SECOND)


def ana(app: App, *grants: dict[str, Any]) -> None:
    app.people.put("ana", list(grants) or [{"role": "viewer"}])
    app.people.set_password("ana", SECRET)


def sign_in(app: App, **said: Any) -> httpx.Response:
    return ask(app, "POST", "/api/v1/access/login", json={**LOGIN, **said})


def me(app: App, headers: dict[str, str]) -> str:
    answer = ask(app, "GET", "/api/v1/access/sessions", headers)
    return "" if answer.status_code == 401 else str(answer.status_code)


def test_who_signs_in_has_a_cookie_that_scripts_and_other_pages_do_not_get(app: App) -> None:
    ana(app)
    answer = sign_in(app)
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == "ana"
    said = answer.headers["set-cookie"]
    assert "HttpOnly" in said
    assert "SameSite=strict" in said
    assert "Secure" not in said  # without TLS, on loopback, it would not come back
    over_tls = ask(app, "POST", "/api/v1/access/login", json=LOGIN, base="https://127.0.0.1")
    assert over_tls.headers["set-cookie"].startswith("__Host-spanstore=")
    assert "Secure" in over_tls.headers["set-cookie"]
    cookie = {"cookie": said.partition(";")[0]}
    assert me(app, cookie) == "200"
    assert me(app, {**cookie, "sec-fetch-site": "same-origin"}) == "200"
    assert me(app, {**cookie, "sec-fetch-site": "cross-site"}) == ""


def test_a_page_of_another_origin_changes_nothing_with_somebody_s_cookie(app: App) -> None:
    ana(app, {"role": "admin"})
    cookie = {"cookie": sign_in(app).headers["set-cookie"].partition(";")[0]}
    there = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    for headers in ({**cookie, **there}, {**cookie, "origin": "https://evil.example"}):
        put = ask(app, "PUT", "/api/v1/access/users/eve", headers, json={"grants": ADMIN})
        assert put.status_code == 403
    form = {**cookie, "content-type": "application/x-www-form-urlencoded"}
    assert ask(app, "PUT", "/api/v1/access/users/eve", form, content=b"x").status_code == 415
    assert app.catalog.accounts.get("eve") is None


@pytest.mark.parametrize("said", [{"password": "wrong"}, {"name": "nobody"}, {"name": "vms"}])
def test_a_wrong_name_and_a_wrong_password_answer_alike(app: App, said: dict[str, str]) -> None:
    ana(app)
    app.people.put("vms", [{"role": "platform"}], "service")
    answer = sign_in(app, **said)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "name or password is wrong"


def test_wrong_passwords_cost_time_and_lock_nobody_out_for_ever(app: App) -> None:
    ana(app)
    codes = [sign_in(app, password="wrong password").status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    waiting = sign_in(app)
    assert waiting.status_code == 429
    later(app, (int(waiting.headers["retry-after"]) + 1) * SECOND)
    assert sign_in(app).status_code == 200


def test_who_is_turned_away_for_want_of_room_has_not_given_a_wrong_password(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana(app)
    monkeypatch.setattr(passwords, "MOST_WAITING", 0)
    for _ in range(9):
        full = sign_in(app)
        assert (full.status_code, full.headers["retry-after"]) == (429, "3")
        assert "at once" in full.json()["detail"]
    monkeypatch.undo()
    assert sign_in(app).status_code == 200


def test_who_guesses_from_elsewhere_does_not_keep_the_owner_out() -> None:
    now = [0.0]
    backoff = Backoff(lambda: now[0])
    for _ in range(1000):
        backoff.wrong("ana", "203.0.113.9")
    with pytest.raises(TooMany) as told:
        backoff.check("ana", "203.0.113.9")
    assert told.value.retry_after_s <= 301
    now[0] = 11.0
    backoff.check("ana", "10.0.0.1")
    backoff.wrong("ana", "10.0.0.1")
    backoff.right("ana", "10.0.0.1")


def test_mistakes_of_an_hour_ago_count_no_more() -> None:
    now = [0.0]
    backoff = Backoff(lambda: now[0])
    for _ in range(20):
        backoff.wrong("ana", "10.0.0.1")
    now[0] = FORGOTTEN_S + 1
    backoff.wrong("ana", "10.0.0.1")
    backoff.check("ana", "10.0.0.1")


def test_who_signs_in_often_waits_for_nothing() -> None:
    backoff = Backoff(lambda: 0.0)
    for _ in range(500):
        backoff.check("wall", "10.0.0.1")
        backoff.wrong("wall", "10.0.0.1")
        backoff.right("wall", "10.0.0.1")


def test_a_session_ends_by_itself_or_by_whoever_ends_it(app: App) -> None:
    ana(app)
    cookie = {"cookie": sign_in(app).headers["set-cookie"].partition(";")[0]}
    other = {"cookie": sign_in(app).headers["set-cookie"].partition(";")[0]}
    listed = ask(app, "GET", "/api/v1/access/sessions", cookie).json()
    assert len(listed) == 2
    assert ask(app, "POST", "/api/v1/access/logout", other, json={}).status_code == 204
    assert (me(app, other), me(app, cookie)) == ("", "200")
    later(app, 12 * HOUR)
    assert me(app, cookie) == ""


def test_what_is_changed_by_a_character_is_nobody_s(app: App) -> None:
    shown = person(app, "ana", [{"role": "viewer"}])["authorization"]
    assert me(app, {"authorization": shown}) == "200"
    other = make_word(TOKEN, chance)
    for forged in (shown[:-1] + ("0" if shown[-1] != "0" else "1"), f"Bearer {other}", "Bearer x",
                   shown + "0", "Basic YW5hOnB3"):  # fmt: skip
        answer = ask(app, "GET", "/api/v1/cameras", {"authorization": forged})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_an_invitation_is_no_session_and_counts_once(app: App) -> None:
    app.people.put("ana", [{"role": "viewer"}])
    word, _ = invitations.invite(app.people, "ana")
    assert me(app, {"authorization": f"Bearer {word}"}) == ""
    body = {"word": word, "password": SECRET}
    assert ask(app, "POST", "/api/v1/access/redeem", json=body).status_code == 200
    assert sign_in(app).status_code == 200
    assert ask(app, "POST", "/api/v1/access/redeem", json=body).status_code == 401
    found = app.catalog.audit_log.search(AskedEntries(action="user.redeem"), 9)
    said = [read_entry(one.raw) for one in found]
    assert [(one.subject.name, one.result) for one in said] == [("ana", "allowed")]


def test_an_invitation_that_is_too_old_or_withdrawn_counts_not(app: App) -> None:
    app.people.put("ana", [{"role": "viewer"}])
    old, _ = invitations.invite(app.people, "ana")
    word, _ = invitations.invite(app.people, "ana")
    with pytest.raises(NotKnown):
        invitations.redeem(app.people, old, SECRET)
    later(app, DAY)
    with pytest.raises(NotKnown):
        invitations.redeem(app.people, word, SECRET)
    with pytest.raises(NotKnown):
        invitations.redeem(app.people, make_word(SESSION, chance), SECRET)


def test_the_first_admin_comes_in_by_a_word_that_works_once(app: App) -> None:
    assert not app.people.has_admin()
    word = invitations.first_admin(app.people)
    with pytest.raises(RequestError):
        invitations.redeem(app.people, word, "short", "root")
    assert invitations.redeem(app.people, word, SECRET, "root").name == "root"
    assert app.people.has_admin()
    with pytest.raises(NotKnown):
        invitations.redeem(app.people, word, SECRET, "root2")
    with pytest.raises(StateError, match="last admin"):
        app.people.close("root")
    with pytest.raises(StateError, match="last admin"):
        app.people.put("root", [{"role": "viewer"}])
    assert app.catalog.credentials.of(FIRST, "invitation")[0].ended is not None


def test_each_nodes_word_for_the_first_admin_counts_until_one_was_used(app: App) -> None:
    first, second, third = (invitations.first_admin(app.people) for _ in range(3))
    assert invitations.redeem(app.people, first, SECRET, "root").name == "root"
    with pytest.raises(NotKnown):
        invitations.redeem(app.people, second, SECRET, "root2")
    late = invitations.first_admin(app.people)  # of a node that asked a moment before
    with pytest.raises(StateError, match="there is an admin by now"):
        invitations.redeem(app.people, late, SECRET, "root2")
    assert third != late


def test_a_start_without_an_admin_prints_the_word_of_one_and_with_one_nothing(
    app: App, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(serve._tell_first_admin(app))
    (word,) = re.findall(r"spanstore_i_\w+", capfd.readouterr().err)
    invitations.redeem(app.people, word, SECRET, "root")
    asyncio.run(serve._tell_first_admin(app))
    open_ = App(load_settings(None, data=tmp_path / "open"))
    asyncio.run(serve._tell_first_admin(open_))
    open_.close()
    assert capfd.readouterr().err == ""


def test_a_token_is_shown_once_limited_and_rotated_without_a_gap(app: App) -> None:
    app.people.put("vms", [{"role": "platform"}], "service")
    word, made = app.people.add_token("vms", "wall", ["camera.read"], 10 * DAY)
    old = {"authorization": f"Bearer {word}"}
    assert ask(app, "GET", "/api/v1/cameras", old).status_code == 200
    refused = ask(app, "GET", "/api/v1/events", old, params={"start": "-1h", "end": "now"})
    assert (refused.status_code, "is not for event.read" in refused.text) == (403, True)
    answer = ask(app, "POST", f"/api/v1/access/tokens/{made.credential_id}/rotate", old,
                 json={"overlap": "1h"})  # fmt: skip
    new = {"authorization": f"Bearer {answer.json()['word']}"}
    for shown in (old, new):
        assert ask(app, "GET", "/api/v1/cameras", shown).status_code == 200
    later(app, HOUR)
    assert ask(app, "GET", "/api/v1/cameras", old).status_code == 401
    assert ask(app, "GET", "/api/v1/cameras", new).status_code == 200
    later(app, 10 * DAY)
    assert ask(app, "GET", "/api/v1/cameras", new).status_code == 401


def test_a_token_makes_none_that_may_more_than_itself(app: App) -> None:
    app.people.put("ana", ADMIN)
    word, _ = app.people.add_token("ana", only=["camera.read"])
    shown = {"authorization": f"Bearer {word}"}
    made = ask(app, "POST", "/api/v1/access/tokens", shown, json={"only": ["policy.write"]})
    assert made.status_code == 403
    other = ask(app, "POST", "/api/v1/access/tokens", shown, json={})
    limited = {"authorization": f"Bearer {other.json()['word']}"}
    assert ask(app, "GET", "/api/v1/policy", limited).status_code == 403


def test_one_ends_one_s_own_and_an_admin_everybody_s(app: App) -> None:
    person(app, "ana", [{"role": "viewer"}])
    (session,) = app.people.live("ana", "session")
    path = f"/api/v1/access/sessions/{session.credential_id}"
    assert ask(app, "DELETE", path, person(app, "eve", [{"role": "officer"}])).status_code == 404
    assert ask(app, "DELETE", path, person(app, "root", ADMIN)).status_code == 204
    assert app.people.live("ana", "session") == []


def test_a_closed_account_is_nobody_s_and_its_name_is_never_given_again(app: App) -> None:
    ana(app)
    shown = person(app, "ana", [{"role": "viewer"}])
    admin = person(app, "root", ADMIN)
    assert ask(app, "DELETE", "/api/v1/access/users/ana", admin).status_code == 204
    assert me(app, shown) == ""
    assert sign_in(app).status_code == 401
    again = ask(app, "PUT", "/api/v1/access/users/ana", admin, json={"grants": []})
    assert again.status_code == 409


def test_a_password_that_is_changed_ends_all_else_and_asks_for_the_old_one(app: App) -> None:
    ana(app)
    cookie = {"cookie": sign_in(app).headers["set-cookie"].partition(";")[0]}
    word, _ = app.people.add_token("ana")
    path, new = "/api/v1/access/password", "another four quiet words"
    wrong = ask(app, "POST", path, cookie, json={"old": "not this one", "new": new})
    assert wrong.status_code == 401
    assert ask(app, "POST", path, cookie, json={"old": SECRET, "new": new}).status_code == 204
    assert me(app, cookie) == "200"
    assert me(app, {"authorization": f"Bearer {word}"}) == ""


def test_what_another_process_ends_counts_here_no_more_within_seconds(app: App) -> None:
    shown = person(app, "ana", [{"role": "viewer"}])
    assert me(app, shown) == "200"
    elsewhere = People(app.catalog, app.clock)
    (session,) = elsewhere.live("ana", "session")
    elsewhere.end(session.credential_id)
    later(app, 4 * SECOND)
    assert me(app, shown) == ""


def test_where_access_is_off_a_stranger_s_cookie_is_of_no_matter(tmp_path: Path) -> None:
    app = App(load_settings(None, data=tmp_path, api=ApiPart(access="off")))
    app.people.put("ana", ADMIN)
    for headers in ({}, {"cookie": "spanstore=x; other=y"}, {"authorization": "Basic eDp5"}):
        assert ask(app, "GET", "/api/v1/cameras", headers).status_code == 200
    app.close()


def test_one_caller_asks_for_so_much_and_no_more(app: App) -> None:
    shown = person(app, "ana", [{"role": "viewer"}])

    async def many() -> list[int]:
        from recorder.api.server import make_api

        transport = httpx.ASGITransport(make_api(app, None))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            asked = [await client.get("/healthz", headers=shown) for _ in range(410)]
            assert (await client.get("/healthz")).status_code == 200
            return [one.status_code for one in asked]

    codes = asyncio.run(many())
    assert codes.count(429) == 10


def test_no_secret_is_in_anything_that_is_written(
    app: App, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ana(app, {"role": "admin"})
    answers = [sign_in(app), sign_in(app, password="wrong wrong wrong")]
    session = answers[0].headers["set-cookie"].partition(";")[0].partition("=")[2]
    shown = {"authorization": f"Bearer {session}"}
    token = ask(app, "POST", "/api/v1/access/tokens", shown, json={}).json()["word"]
    word = ask(app, "POST", "/api/v1/access/users/ana/invitation", shown, json={}).json()["word"]
    _ = app.signer.public_key
    private = (tmp_path / "node.key").read_text().strip()
    for path in ("users", "sessions", "tokens", "me", "keys"):
        answers.append(ask(app, "GET", f"/api/v1/access/{path}", shown))
    kept = (app.people.get("ana").password, digest_of(token), digest_of(session))
    said = [one.text for one in answers] + [exposition(None, app.clock).decode(), caplog.text]
    for line in caplog.records:
        said.append(telemetry.JsonLines().format(line) if hasattr(telemetry, "JsonLines") else "")
    app.catalog.database.engine.dispose()
    files = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()
                     and one.name != "node.key")  # fmt: skip
    for secret in (SECRET, session, token, word, private):
        assert not any(secret in one for one in said)
        assert secret.encode() not in files, "the catalog keeps digests alone"
    for secret in kept:
        assert not any(secret in one for one in said)
    modes = {one.name: one.stat().st_mode & 0o777 for one in (tmp_path / "node.key",)}
    assert modes == {"node.key": 0o600}
    assert repr(app.people.get("ana")) == "Account('ana', 'user')"
    assert json.dumps(kept[1]) not in repr(app.people.live("ana", "token"))


@pytest.mark.parametrize("bad", ["short", "aaaaaaaaaaaaaaaa", "x" * 300])
def test_a_password_that_is_soon_guessed_is_refused(bad: str) -> None:
    with pytest.raises(RequestError):
        passwords.check_password(bad, "ana")


def test_a_service_has_no_password(app: App) -> None:
    app.people.put("vms", [{"role": "platform"}], "service")
    with pytest.raises(RequestError, match="tokens"):
        app.people.set_password("vms", SECRET)
    with pytest.raises(RequestError, match="service"):
        invitations.invite(app.people, "vms")
    with pytest.raises(NotFound):
        app.people.get("nobody")


def test_a_word_of_another_s_account_changes_nothing_when_replaced(app: App) -> None:
    ana(app)
    account = app.people.get("ana")
    assert not app.catalog.accounts.add(replace(account, grants=ADMIN))
    assert app.people.get("ana").grants == [{"role": "viewer"}]


def test_what_two_admins_grant_at_once_is_both_kept(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recorder.cli.access import _granted

    ana(app, {"role": "viewer"})
    context: Any = SimpleNamespace(app=app, doing=lambda *_, **__: nullcontext(), note=None)
    answers = AccessHere(context)
    other: list[dict[str, Any]] = [{"role": "auditor"}]
    read = AccessHere.user

    def overtaken(self: AccessHere, name: str) -> Any:
        found = read(self, name)
        if other:  # between reading and writing another admin is done
            app.people.put(name, [*app.people.get(name).grants, other.pop()])
        return found

    monkeypatch.setattr(AccessHere, "user", overtaken)
    _granted(answers, "ana", [{"role": "operator"}])
    roles = [one["role"] for one in app.people.get("ana").grants]
    assert roles == ["viewer", "auditor", "operator"]


def test_a_password_set_at_the_same_time_as_a_grant_loses_neither(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana(app, {"role": "viewer"})
    before = app.people.get("ana").password
    hashed = passwords.hash_password

    def slowly(word: str) -> str:
        app.people.put("ana", [])  # all is taken from her while she sets a new password
        return hashed(word)

    monkeypatch.setattr("recorder.accounts.people.hash_password", slowly)
    app.people.set_password("ana", SECRET)
    account = app.people.get("ana")
    assert (list(account.grants), account.password == before) == ([], False)


def test_a_grant_meant_for_what_was_read_is_refused_once_that_has_changed(app: App) -> None:
    ana(app, {"role": "admin"})
    session = sign_in(app).headers["set-cookie"].partition(";")[0].partition("=")[2]
    shown = {"authorization": f"Bearer {session}"}
    app.people.put("eve", [{"role": "viewer"}])
    read = ask(app, "GET", "/api/v1/access/users/eve", shown)
    assert read.headers["etag"] == f'"{read.json()["version"]}"'
    matching = {**shown, "if-match": read.headers["etag"]}
    body = {"grants": [{"role": "officer"}]}
    first = ask(app, "PUT", "/api/v1/access/users/eve", matching, json=body)
    assert (first.status_code, first.headers["etag"] != read.headers["etag"]) == (200, True)
    late = ask(app, "PUT", "/api/v1/access/users/eve", matching, json={"grants": []})
    assert (late.status_code, late.json()["title"]) == (412, "StaleVersion")
    assert [one["role"] for one in app.people.get("eve").grants] == ["officer"]
    nobody = ask(app, "PUT", "/api/v1/access/users/tom", matching, json=body)
    assert nobody.status_code == 404
