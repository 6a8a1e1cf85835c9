"""What every catalog promises of accounts, what they show, and keys."""

from __future__ import annotations

from dataclasses import replace

from recorder.catalog.sql import SqlCatalog
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
        catalog.accounts.put(replace(ANA, closed=9))
        assert catalog.accounts.all() == [replace(ANA, closed=9)]
        assert catalog.accounts.any()

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
