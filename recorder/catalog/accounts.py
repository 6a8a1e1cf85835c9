"""Accounts, what they show, and keys of other sites and nodes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, or_, select, update

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.model.timebase import Instant
from recorder.ports import Account, Credential, Peer


def _account(row: Row[object]) -> Account:
    return Account(
        row.name,
        row.kind,
        row.grants,
        row.created_ns,
        row.password,
        row.closed_ns,
        row.identity,
    )


class SqlAccounts:
    """A :class:`recorder.ports.Accounts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def any(self) -> bool:
        """Tell whether there is, or ever was, an account."""
        with self._database.read() as db:
            return db.execute(select(schema.account.c.name).limit(1)).first() is not None

    def all(self) -> list[Account]:
        """Return all accounts, closed ones too, by name."""
        query = select(schema.account).order_by(schema.account.c.name)
        with self._database.read() as db:
            return [_account(row) for row in db.execute(query)]

    def get(self, name: str) -> Account | None:
        """Return an account, closed or not."""
        query = select(schema.account).where(schema.account.c.name == name)
        with self._database.read() as db:
            row = db.execute(query).first()
        return _account(row) if row is not None else None

    def by_identity(self, identity: str) -> Account | None:
        """Return the account of somebody whom a provider vouches for, closed or not."""
        query = select(schema.account).where(schema.account.c.identity == identity)
        with self._database.read() as db:
            row = db.execute(query).first()
        return _account(row) if row is not None and identity else None

    def add(self, account: Account) -> bool:
        """Store a new account; false when its name or its identity is or was another's."""
        table, same = schema.account, schema.account.c.name == account.name
        if account.identity:
            same = or_(same, table.c.identity == account.identity)
        with self._database.write() as db:
            query = select(table.c.name).where(same)
            if db.execute(query).first() is not None:
                return False
            self._database.upsert(db, schema.account, _row(account))
            return True

    def put(self, account: Account, before: Account) -> bool:
        """Store grants, password and end of an account that is as ``before``; else false."""
        table = schema.account
        query = select(table).where(table.c.name == account.name).with_for_update()
        with self._database.write() as db:
            row = db.execute(query).first()
            if row is None or _row(_account(row)) != _row(before):
                return False
            columns = ("grants", "password", "closed_ns")
            self._database.upsert(db, table, _row(account), columns)
            return True


def _row(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "kind": account.kind,
        "grants": [dict(one) for one in account.grants],
        "password": account.password,
        "created_ns": account.created,
        "closed_ns": account.closed,
        "identity": account.identity,
    }


def _credential(row: Row[object]) -> Credential:
    return Credential(
        row.credential_id,
        row.kind,
        row.account,
        row.digest,
        row.created_ns,
        row.expires_ns,
        row.label,
        row.only,
        row.address,
        row.used_ns,
        row.ended_ns,
    )


class SqlCredentials:
    """A :class:`recorder.ports.Credentials`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_digest(self, digest: str) -> Credential | None:
        """Return what has a digest, whether it counts or not."""
        query = select(schema.credential).where(schema.credential.c.digest == digest)
        with self._database.read() as db:
            row = db.execute(query).first()
        return _credential(row) if row is not None else None

    def of(self, account: str | None = None, kind: str | None = None) -> list[Credential]:
        """Return those of an account, or of a kind, newest first."""
        table = schema.credential
        query = select(table).order_by(table.c.created_ns.desc(), table.c.credential_id)
        if account is not None:
            query = query.where(table.c.account == account)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        with self._database.read() as db:
            return [_credential(row) for row in db.execute(query)]

    def add(self, credential: Credential) -> None:
        """Store a new one."""
        one = credential
        row = {
            "credential_id": one.credential_id,
            "kind": one.kind,
            "account": one.account,
            "digest": one.digest,
            "label": one.label,
            "only": list(one.only) if one.only is not None else None,
            "address": one.address,
            "created_ns": one.created,
            "expires_ns": one.expires,
            "used_ns": one.used,
            "ended_ns": one.ended,
        }
        with self._database.write() as db:
            db.execute(schema.credential.insert().values(**row))

    def use(self, credential_id: str, at: Instant) -> None:
        """Note that it was used."""
        table = schema.credential
        with self._database.write() as db:
            own = table.c.credential_id == credential_id
            db.execute(update(table).where(own).values(used_ns=at))

    def use_up(self, credential_id: str, at: Instant) -> bool:
        """End one that counts once; true for the one who did."""
        table = schema.credential
        own = (table.c.credential_id == credential_id, table.c.ended_ns.is_(None))
        with self._database.write() as db:
            done = db.execute(
                update(table).where(*own, table.c.expires_ns > at).values(ended_ns=at, used_ns=at)
            )
            return done.rowcount == 1

    def end(self, credential_id: str, at: Instant) -> bool:
        """End one, at once or at a later instant; false when there is none that still counts."""
        table = schema.credential
        own = (table.c.credential_id == credential_id, _lasts(at))
        with self._database.write() as db:
            return db.execute(update(table).where(*own).values(ended_ns=at)).rowcount == 1

    def end_all(self, account: str, at: Instant, but: str = "") -> int:
        """End those of an account but one; return how many."""
        table = schema.credential
        own = (table.c.account == account, table.c.credential_id != but, _lasts(at))
        with self._database.write() as db:
            return int(db.execute(update(table).where(*own).values(ended_ns=at)).rowcount)

    def sweep(self, before: Instant) -> None:
        """Forget those that count no more since an instant."""
        table = schema.credential
        over = or_(table.c.expires_ns < before, table.c.ended_ns < before)
        with self._database.write() as db:
            db.execute(delete(table).where(over))


def _lasts(at: Instant) -> Any:
    ended = schema.credential.c.ended_ns
    return or_(ended.is_(None), ended > at)


def _peer(row: Row[object]) -> Peer:
    return Peer(row.public_key, row.kind, row.name, row.created_ns, row.ended_ns)


class SqlPeers:
    """A :class:`recorder.ports.Peers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Peer]:
        """Return all keys, by name; those that were cast out, too."""
        query = select(schema.peer).order_by(schema.peer.c.name, schema.peer.c.created_ns)
        with self._database.read() as db:
            return [_peer(row) for row in db.execute(query)]

    def get(self, public_key: str) -> Peer | None:
        """Return what is known of a key."""
        query = select(schema.peer).where(schema.peer.c.public_key == public_key)
        with self._database.read() as db:
            row = db.execute(query).first()
        return _peer(row) if row is not None else None

    def add(self, peer: Peer) -> None:
        """Store a key; one that is there stays as it is."""
        row = {
            "public_key": peer.public_key,
            "kind": peer.kind,
            "name": peer.name,
            "created_ns": peer.created,
            "ended_ns": peer.ended,
        }
        with self._database.write() as db:
            self._database.upsert(db, schema.peer, row)

    def end(self, kind: str, name: str, at: Instant) -> int:
        """Cast all keys of a site or node out; return how many."""
        table = schema.peer
        own = (table.c.kind == kind, table.c.name == name, table.c.ended_ns.is_(None))
        with self._database.write() as db:
            return int(db.execute(update(table).where(*own).values(ended_ns=at)).rowcount)
