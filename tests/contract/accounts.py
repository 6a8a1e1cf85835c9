"""What every catalog promises of accounts, what they show, and keys."""

from __future__ import annotations

from dataclasses import replace

from recorder.access.approvals import Request, State
from recorder.access.permissions import Permission
from recorder.catalog.sql import SqlCatalog
from recorder.model.keys import CameraId
from recorder.model.timebase import TimeRange
from recorder.ports import Account, Credential, Peer
from tests.contract.secrets import SecretsContract

ANA = Account("ana", "user", [{"role": "viewer"}], 7)
TOKEN = Credential("t1", "token", "ana", "d1", 7, 100, "wall", ["camera.read"])


class AccountsContract(SecretsContract):
    """A part of what every catalog is held to."""

    def test_a_name_is_given_once(self, catalog: SqlCatalog) -> None:
        assert not catalog.accounts.any()
        assert catalog.accounts.add(ANA)
        assert not catalog.accounts.add(replace(ANA, grants=[{"role": "admin"}]))
        assert catalog.accounts.get("ana") == ANA
        assert catalog.accounts.put(replace(ANA, closed=9), ANA)
        assert catalog.accounts.all() == [replace(ANA, closed=9)]
        assert catalog.accounts.any()

    def test_an_account_that_was_changed_meanwhile_is_not_written_over(
        self, catalog: SqlCatalog
    ) -> None:
        assert catalog.accounts.add(ANA)
        assert catalog.accounts.put(replace(ANA, password="x"), ANA)
        for late in (replace(ANA, grants=[]), replace(ANA, closed=9)):
            assert not catalog.accounts.put(late, ANA)
        assert not catalog.accounts.put(ANA, replace(ANA, name="eve"))
        assert catalog.accounts.get("ana") == replace(ANA, password="x")

    def test_an_identity_has_one_account(self, catalog: SqlCatalog) -> None:
        vouched = replace(ANA, name="oidc:ana", identity="https://p 7")
        assert catalog.accounts.add(ANA)
        assert catalog.accounts.add(replace(ANA, name="eve"))
        assert catalog.accounts.by_identity("https://p 7") is None
        assert catalog.accounts.add(vouched)
        assert not catalog.accounts.add(replace(vouched, name="oidc:other"))
        assert catalog.accounts.by_identity("https://p 7") == vouched
        assert catalog.accounts.by_identity("") is None
        assert catalog.accounts.put(replace(vouched, grants=[], identity=""), vouched)
        assert catalog.accounts.get("oidc:ana") == replace(vouched, grants=[])

    def test_a_request_is_answered_by_one_who_was_first(self, catalog: SqlCatalog) -> None:
        asked = Request(
            "r1", "user:lea", Permission.FOOTAGE_VIEW, CameraId("post1", "gate"),
            TimeRange(5, 6), "case 7", 7, 100,
        )  # fmt: skip
        other = replace(asked, request_id="r2", who="user:tom", asked=8, until=200)
        for one in (asked, other):
            catalog.approvals.add(one)
        assert catalog.approvals.all() == [other, asked]
        assert catalog.approvals.of("user:lea", State.ASKED, 99) == [asked]
        assert catalog.approvals.of("user:lea", State.ASKED, 100) == []
        given = replace(asked, state=State.APPROVED, decided=9, by="user:mia", until=50)
        late = replace(asked, state=State.REFUSED, decided=9, by="user:ned", reason="no")
        assert catalog.approvals.decide(given, State.ASKED)
        assert not catalog.approvals.decide(late, State.ASKED)
        assert catalog.approvals.get("r1") == given
        assert catalog.approvals.of("user:lea", State.APPROVED, 49) == [given]
        assert catalog.approvals.of("user:tom", State.APPROVED, 49) == []
        catalog.approvals.sweep(51)
        assert catalog.approvals.all() == [other]
        assert catalog.approvals.get("r1") is None

    def test_what_is_shown_ends_once_and_at_its_time(self, catalog: SqlCatalog) -> None:
        word = replace(TOKEN, credential_id="i1", digest="d2", kind="invitation", only=None)
        for one in (TOKEN, word):
            catalog.credentials.add(one)
        assert catalog.credentials.by_digest("d1") == TOKEN
        assert catalog.credentials.of("ana", "invitation") == [word]
        assert [catalog.credentials.use_up("i1", 8) for _ in range(2)] == [True, False]
        catalog.credentials.use("t1", 9)
        assert catalog.credentials.end("t1", 50)
        (found,) = catalog.credentials.of("ana", "token")
        assert (found.used, found.counts(49), found.counts(50)) == (9, True, False)
        assert catalog.credentials.end_all("ana", 20) == 1
        assert not catalog.credentials.end("t1", 30)
        catalog.credentials.sweep(15)
        assert [one.credential_id for one in catalog.credentials.of()] == ["t1"]

    def test_a_key_that_was_cast_out_stays_known_as_such(self, catalog: SqlCatalog) -> None:
        peer = Peer("k1", "child", "post1", 7)
        for _ in range(2):
            catalog.peers.add(peer)
        assert [catalog.peers.end("child", "post1", 8) for _ in range(2)] == [1, 0]
        catalog.peers.add(replace(peer, created=9))
        assert catalog.peers.get("k1") == replace(peer, ended=8)
        assert catalog.peers.all() == [replace(peer, ended=8)]
