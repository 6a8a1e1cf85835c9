"""Sites and nodes sign what they ask; who speaks for another, or says it twice, is nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from recorder.accounts.peers import LASTS_NS, SIGNED, SKEW_NS, Signatures, Signer
from recorder.api.door import Door
from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.config import ApiPart, load_settings
from recorder.doctor.examined import examine
from recorder.durable import make_once
from recorder.errors import ConfigError, NotFound, NotKnown, RequestError
from recorder.model.caller import CallerKind
from recorder.model.keys import StreamId, segment_key
from recorder.model.timebase import HOUR, SECOND
from recorder.ports import AskedEntries, Peer, SiteBeat
from recorder.sites.joining import cast_out, invite, join, node_keys, sign_for, take_in
from tests.support.access import ask, make_guarded
from tests.support.clock import FakeClock
from tests.support.make import T0, segment

FEED = "/api/v1/feed"


@dataclass
class Child:
    """A site below, as far as it signs."""

    name: str
    app: App

    def signed(self, method: str, path: str, audience: str = "centre") -> dict[str, str]:
        return {SIGNED: self.app.signer.sign(audience, method, path)}


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[App]:
    one = make_guarded(tmp_path / "centre")
    yield one
    one.close()


def below(centre: App, folder: Path, name: str) -> Child:
    app = App(load_settings(None, data=folder / name, site=name, node="n1"))
    word, _ = invite(centre.people, "centre", name)
    take_in(centre.people, centre.catalog.peers, centre.clock, word, name, app.signer.public_key)
    return Child(name, app)


@pytest.fixture
def post1(centre: App, tmp_path: Path) -> Iterator[Child]:
    one = below(centre, tmp_path, "post1")
    yield one
    one.app.close()


@pytest.fixture
def post2(centre: App, tmp_path: Path) -> Iterator[Child]:
    one = below(centre, tmp_path, "post2")
    yield one
    one.app.close()


def feed(centre: App, headers: dict[str, str], site: str) -> httpx.Response:
    lists: dict[str, Any] = {
        name: [] for name in ("changes", "statuses", "nodes", "sites", "heard")
    }
    body = {"site": site, "level": "post", "url": "http://10.0.0.1", "catalog": f"id-{site}",
            "holds": {}, "facts": {}, **lists}  # fmt: skip
    return ask(centre, "POST", FEED, headers, json=body)


def test_a_child_speaks_for_itself_and_never_for_a_sibling(
    centre: App, post1: Child, post2: Child
) -> None:
    own = feed(centre, post1.signed("POST", FEED), "post1")
    assert own.status_code == 200, own.text
    other = feed(centre, post1.signed("POST", FEED), "post2")
    assert (other.status_code, "which it is not" in other.text) == (403, True)
    assert feed(centre, {}, "post1").status_code == 401
    assert [one.name for one in centre.catalog.sites.all()] == ["post1"]


def test_a_child_sends_and_reads_footage_of_its_own_subtree_alone(
    centre: App, post1: Child, post2: Child
) -> None:
    for one in (post1, post2):
        feed(centre, one.signed("POST", FEED), one.name)
        stream = StreamId(one.name, "gate", "main")
        key = segment_key(str(stream), T0, "n1.1", 0)
        centre.catalog.commits.add_segment(segment(stream=stream, key=key), "main", "", 7)
    codes = {}
    for name in ("post1", "post2"):
        key = segment_key(f"{name}/gate/main", T0, "n1.1", 0)
        path = f"/api/v1/objects/{key}"
        codes[name] = ask(centre, "GET", path, post1.signed("GET", path)).status_code
        path = f"/api/v1/transfers/{key}"
        headers = {**post1.signed("HEAD", path), "x-site": "post1"}
        if name == "post2":
            assert ask(centre, "HEAD", path, headers).status_code == 403
    assert codes["post2"] == 404
    assert codes["post1"] not in (401, 403, 404)
    for path in ("cameras", "policy", "access/users", "nodes"):
        path = f"/api/v1/{path}"
        assert ask(centre, "GET", path, post1.signed("GET", path)).status_code == 403


def test_a_site_with_the_name_of_a_user_is_not_that_user(centre: App, post1: Child) -> None:
    centre.people.put("post1", [{"role": "admin"}])
    centre.people.add_token("post1")
    path = "/api/v1/access/tokens"
    made = ask(centre, "POST", path, post1.signed("POST", path), json={})
    assert made.status_code == 403, made.text
    assert ask(centre, "GET", path, post1.signed("GET", path)).status_code == 403
    (token,) = centre.people.live("post1", "token")
    path = f"/api/v1/access/sessions/{token.credential_id}"
    assert ask(centre, "DELETE", path, post1.signed("DELETE", path)).status_code == 404


def test_a_signature_counts_once_here_and_for_this_request_alone(centre: App, post1: Child) -> None:
    signed = post1.signed("POST", FEED)
    assert feed(centre, signed, "post1").status_code == 200
    assert "shown before" in feed(centre, signed, "post1").text
    for wrong, said in (
        (post1.signed("GET", FEED), "another request"),
        (post1.signed("POST", "/api/v1/other"), "another request"),
        (post1.signed("POST", FEED, "post9"), "this is another"),
    ):
        answer = feed(centre, wrong, "post1")
        assert (answer.status_code, said in answer.text) == (401, True), answer.text


def test_a_signature_that_was_tampered_with_or_is_too_old_is_none(
    centre: App, post1: Child
) -> None:
    clock = FakeClock(centre.clock.now())
    signatures = Signatures(centre.catalog.peers, clock, ("centre",), lambda one: {one})
    signer = Signer(post1.app.settings.data / "node.key", post1.app.catalog.peers, clock, "n1")
    good = signer.sign("centre", "GET", "/x")
    known = signatures.check(good, "GET", "/x")
    assert (known.caller.kind, known.subject.relays) == (CallerKind.SITE, True)
    said, _, signature = signer.sign("centre", "GET", "/x").partition(".")
    for bad in (f"{said}A.{signature}", f"{said}.{signature[:-4]}AAAA", "", ".", "x.y", said,
                "é.é", "A" * 9000, "W1tb" * 900 + "."):  # fmt: skip
        with pytest.raises(NotKnown):
            signatures.check(bad, "GET", "/x")
    late = signer.sign("centre", "GET", "/x")
    clock.sleep((LASTS_NS + SKEW_NS) / SECOND + 1)
    with pytest.raises(NotKnown, match="old"):
        signatures.check(late, "GET", "/x")
    with pytest.raises(NotKnown, match="ahead"):
        signatures.check(signer.sign("centre", "GET", "/x", ahead_ns=HOUR), "GET", "/x")


def test_who_is_cast_out_is_nobody_until_it_is_invited_again_with_another_key(
    centre: App, post1: Child
) -> None:
    cast_out(centre.catalog.peers, centre.clock, "post1")
    answer = feed(centre, post1.signed("POST", FEED), "post1")
    assert (answer.status_code, "cast out" in answer.text) == (401, True)
    with pytest.raises(NotFound):
        cast_out(centre.catalog.peers, centre.clock, "post1")
    word, _ = invite(centre.people, "centre", "post1")
    said = (word, "post1", post1.app.signer.public_key)
    with pytest.raises(RequestError, match="cast out"):
        take_in(centre.people, centre.catalog.peers, centre.clock, *said)
    assert word, "and the word is not used up"
    new = Signer(centre.settings.data / "new.key", post1.app.catalog.peers, centre.clock, "n1")
    said = (word, "post1", new.public_key)
    take_in(centre.people, centre.catalog.peers, centre.clock, *said)
    signed = {SIGNED: new.sign("centre", "POST", FEED)}
    assert feed(centre, signed, "post1").status_code == 200


def test_a_word_for_one_site_lets_no_other_in_and_counts_once(centre: App, tmp_path: Path) -> None:
    word, _ = invite(centre.people, "centre", "post1")
    one = App(load_settings(None, data=tmp_path / "x", site="post2", node="n1"))
    key, peers = one.signer.public_key, centre.catalog.peers
    with pytest.raises(RequestError, match="for site post1"):
        take_in(centre.people, peers, centre.clock, word, "post2", key)
    take_in(centre.people, peers, centre.clock, word, "post1", key)
    with pytest.raises(NotKnown):
        take_in(centre.people, peers, centre.clock, word, "post1", key)
    with pytest.raises(RequestError, match="itself"):
        invite(centre.people, "centre", "centre")
    one.close()


def test_a_name_with_a_key_is_spoken_for_with_it_even_where_access_is_off(tmp_path: Path) -> None:
    part = ApiPart(access="off")
    centre = App(load_settings(None, data=tmp_path / "c", site="centre", node="n1", api=part))
    assert feed(centre, {}, "post9").status_code == 200, "as it was"
    post1 = below(centre, tmp_path, "post1")
    stranger = feed(centre, {}, "post1")
    assert (stranger.status_code, "has a key" in stranger.text) == (403, True)
    assert feed(centre, post1.signed("POST", FEED), "post1").status_code == 200
    cast_out(centre.catalog.peers, centre.clock, "post1")
    assert "cast out" in feed(centre, {}, "post1").text
    for one in (centre, post1.app):
        one.close()


def test_a_site_joins_over_the_line_and_both_know_each_other_then(
    centre: App, tmp_path: Path
) -> None:
    post = App(load_settings(None, data=tmp_path / "post1", site="post1", node="n1"))
    word, _ = invite(centre.people, "centre", "post1")

    async def run() -> str:
        door = Door(centre, None)
        await door.open()
        try:
            parent = f"http://127.0.0.1:{door.port}"
            said = (post.catalog, post.clock, post.signer, parent, "post1", word)
            return await asyncio.to_thread(join, *said)
        finally:
            await door.close()

    assert asyncio.run(run()) == "centre"
    (entry,) = centre.catalog.audit_log.search(AskedEntries(action="site.join"), 9)
    assert read_entry(entry.raw).subject.site == "post1"
    signed = post.sign_for("..")("POST", FEED, 0)
    assert feed(centre, {SIGNED: signed}, "post1").status_code == 200
    # and the parent reads there, as the parent
    known = [one for one in post.catalog.peers.all() if one.kind == "parent"]
    assert [one.public_key for one in known] == node_keys(centre.catalog.peers)
    asked: Any = centre.sign_for("post1")("GET", "/x", 0)
    found = post.signatures.check(asked, "GET", "/x")
    assert (found.caller.kind, found.caller.name) == (CallerKind.SITE, "centre")
    post.close()


def test_nothing_is_signed_for_a_site_that_knows_no_key_of_ours(centre: App) -> None:
    centre.catalog.sites.put(SiteBeat("old", "post", "http://old", 7))
    assert centre.sign_for("old")("GET", "/x", 0) == ""
    assert centre.sign_for("..")("GET", "/x", 0) == ""
    own = sign_for("centre", "spool:n2", lambda: (centre.catalog.peers, centre.signer))
    said = json.loads(
        __import__("base64").urlsafe_b64decode(own("GET", "/x", 0).split(".")[0] + "==")
    )
    assert said["a"] == "centre/n2"


def test_nodes_of_a_site_know_one_another_by_their_catalog(centre: App, tmp_path: Path) -> None:
    other = Signer(tmp_path / "n2.key", centre.catalog.peers, centre.clock, "n2")
    path = "/api/v1/objects/x"
    signed = {SIGNED: other.sign("centre/n1", "GET", path)}
    assert ask(centre, "GET", path, signed).status_code == 404
    centre.catalog.peers.add(Peer("x" * 43, "node", "n3", 7))
    assert other.public_key in node_keys(centre.catalog.peers)


def test_threads_that_sign_first_at_the_same_time_sign_with_one_key(
    centre: App, tmp_path: Path
) -> None:
    for i in range(20):
        path, together = tmp_path / f"{i}" / "node.key", Barrier(8)
        signer = Signer(path, centre.catalog.peers, centre.clock, f"n{i + 5}")

        def sign(signer: Signer = signer, together: Barrier = together) -> str:
            together.wait(10)
            signer.sign("centre", "GET", FEED)
            return signer.public_key

        with ThreadPoolExecutor(8) as pool:
            keys = {one.result() for one in [pool.submit(sign) for _ in range(8)]}
        again = Signer(path, centre.catalog.peers, centre.clock, f"n{i + 5}").public_key
        assert keys == {again}
        assert [one.name for one in path.parent.iterdir()] == ["node.key"]


def test_a_key_that_others_may_read_is_not_used(centre: App, tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    first = Signer(path, centre.catalog.peers, centre.clock, "n1").public_key
    assert Signer(path, centre.catalog.peers, centre.clock, "n1").public_key == first
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        _ = Signer(path, centre.catalog.peers, centre.clock, "n1").public_key


def test_a_key_that_was_copied_from_another_site_signs_nothing_and_lets_nobody_in(
    centre: App, post1: Child, post2: Child, tmp_path: Path
) -> None:
    lent = post2.app.settings.data / "node.key"
    path = post1.app.settings.data / "node.key"
    was = path.read_text()
    path.write_text(lent.read_text())
    swapped = App(post1.app.settings)
    with pytest.raises(ConfigError, match="is the key of post2/n1, and this is post1/n1") as met:
        _ = swapped.signer.public_key
    assert "put this node's own back" in met.value.hint
    assert post2.app.signer.public_key not in node_keys(swapped.catalog.peers)
    (said,) = [one for one in examine(swapped) if one.subject == "node key"]
    assert (said.level, "is the key of post2/n1" in said.detail) == ("bad", True)
    path.write_text(was)
    assert App(post1.app.settings).signer.public_key == post1.app.signer.public_key
    swapped.close()
    # one of before says not whose it is: where it is known it is told all the same
    old = tmp_path / "old.key"
    make_once(old, lent.read_text().splitlines()[0].encode())
    signer = Signer(old, centre.catalog.peers, centre.clock, "n1", site="centre")
    with pytest.raises(ConfigError, match="is the key of the site below post2, and this is centre"):
        _ = signer.public_key
    post = Signer(old, post1.app.catalog.peers, centre.clock, "n1", site="post1")
    answer = feed(centre, {SIGNED: post.sign("centre", "POST", FEED)}, "post1")
    assert (answer.status_code, "put its own back" in answer.json()["hint"]) == (403, True)


def test_a_key_that_was_lost_and_made_anew_is_told_at_both_ends(
    centre: App, post1: Child, caplog: pytest.LogCaptureFixture
) -> None:
    (post1.app.settings.data / "node.key").unlink()
    again = App(post1.app.settings)
    headers = {SIGNED: again.signer.sign("centre", "POST", FEED)}
    assert "another node.key than before" in caplog.text
    answer = feed(centre, headers, "post1")
    assert (answer.status_code, "not known here" in answer.text) == (401, True)
    assert "node.key is another now" in answer.json()["hint"]
    again.close()


def test_two_nodes_of_one_key_are_told(
    centre: App, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = centre.signer.public_key
    path = tmp_path / "n2.key"
    make_once(path, (centre.settings.data / "node.key").read_bytes())
    second = Signer(path, centre.catalog.peers, centre.clock, "n2", site="centre")
    assert second.public_key == first
    assert "node.key is that of another node, too" in caplog.text
