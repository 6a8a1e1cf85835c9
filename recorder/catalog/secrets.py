"""Secrets of cameras: encrypted before they are stored, each bound to its stream.

Which key is in force stands in the catalog; the keys themselves never do.  What cannot be read is
kept as it is, shown as such, and harms nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, select, update

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.catalog.wiping import wipe
from recorder.errors import KeyMissing
from recorder.model.ciphers import key_id_of
from recorder.model.secrets import mask
from recorder.model.timebase import Instant
from recorder.ports import Keys, SecretsSeen

ROWS = 100
"""So many documents are encrypted anew in one transaction."""
KEYS = schema.secret_key
TABLES = (schema.camera, schema.camera_below)


def of_camera(name: str) -> str:
    """Say whose secrets those of a camera of this site are."""
    return f"camera {name}"


def of_below(site: str, name: str) -> str:
    """Say whose secrets those of a camera of a site below are."""
    return f"camera {site}/{name}"


def _of(table: Table, row: Any) -> str:
    return of_camera(row.name) if table is schema.camera else of_below(row.site, row.name)


class SqlSecrets:
    """A :class:`recorder.ports.Secrets`."""

    def __init__(self, database: Database, keys: Keys | None) -> None:
        self._database, self._keys = database, keys
        self._settled = ""

    # -- documents -------------------------------------------------------------------------

    def hide(
        self, db: Connection, of: str, body: Mapping[str, object], at: Instant
    ) -> dict[str, object]:
        """Return a document as it is stored: its secrets encrypted under the key in force.

        Raises: ``KeyMissing`` when it has some and the key is not here.
        """
        if not _holds_secrets(body):
            return dict(body)
        return self._hidden(self._proven(self._current(db, at)), of, body)

    def _proven(self, name: str) -> str:
        """Return the name of a key that is here.  Raises: ``KeyMissing``."""
        if self._keys is None or not self._keys.has(name):
            raise self._missing(name)
        return name

    def cover(self, documents: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, object]]:
        """Return cameras' documents by name as they may be kept beside the catalog."""
        with self._database.read() as db:
            name = _in_force(db)
        if not any(map(_holds_secrets, documents.values())):
            return {one: dict(body) for one, body in documents.items()}
        self._proven(name)
        return {one: self._hidden(name, of_camera(one), body) for one, body in documents.items()}

    def uncover(
        self, documents: Mapping[str, Mapping[str, object]]
    ) -> dict[str, dict[str, object]]:
        """Return what :meth:`cover` made, with secrets; asks no catalog."""
        return {one: self.show(of_camera(one), body) for one, body in documents.items()}

    def refusal(self, body: Mapping[str, object]) -> str:
        """Say why a document's secrets cannot be stored now; empty when they can."""
        if not _holds_secrets(body):
            return ""
        with self._database.read() as db:
            name = _in_force(db)
        if self._keys is not None and (not name or self._keys.has(name)):
            return ""
        return str(self._missing(name))

    def _hidden(self, name: str, of: str, body: Mapping[str, Any]) -> dict[str, object]:
        assert self._keys is not None  # noqa: S101 - whoever calls has a key of them
        streams = dict(body.get("streams") or {})
        for stream, source in _streams(body).items():
            streams[stream] = dict(source)
            if _has_secrets(source):
                whole = str(source.get("url", ""))
                said = {"url": whole, "credentials": source.get("credentials") or ""}
                cipher = self._keys.encrypt(name, said, f"{of} {stream}")
                url = mask(whole)
                streams[stream] |= {"url": url, "credentials": "", "cipher": cipher}
        return {**body, "streams": streams}

    def show(self, of: str, body: Mapping[str, Any]) -> dict[str, object]:
        """Return a stored document with its secrets; those that cannot be read stay ciphers."""
        if not any("cipher" in one for one in _streams(body).values()):
            return dict(body)
        streams = {
            stream: self._shown(f"{of} {stream}", source)
            for stream, source in _streams(body).items()
        }
        return {**body, "streams": {**body["streams"], **streams}}

    def _shown(self, of: str, source: Mapping[str, object]) -> dict[str, object]:
        cipher = str(source.get("cipher", ""))
        said = self._keys.decrypt(cipher, of) if cipher and self._keys is not None else None
        if said is None:
            return dict(source)
        return {name: one for name, one in source.items() if name != "cipher"} | said

    # -- keys ------------------------------------------------------------------------------

    def _current(self, db: Connection, at: Instant) -> str:
        """Return the key in force; the first time one is made, or taken that is here."""
        found = _in_force(db)
        if found:
            return found
        if self._keys is None:
            raise KeyMissing("secrets: no key is given to this catalog")
        first = next(iter(self._keys.ids()), "") or self._keys.add()
        self._database.upsert(db, KEYS, {"number": 1, "key_id": first, "at_ns": at})
        return _in_force(db)  # of two nodes that begin at once one wins

    def _missing(self, name: str) -> KeyMissing:
        place = self._keys.place if self._keys is not None else "nowhere"
        return KeyMissing(
            f"secrets are encrypted under key {name}, which is not in {place}",
            hint="put it back, or take it from another node of this site; if it is lost for good: "
            "recorder secrets begin",
        )

    def begin(self, at: Instant) -> str:
        """Return the key in force; the first time one is made, or taken that is there."""
        with self._database.read() as db:
            name = _in_force(db)
        if not name:
            with self._database.write() as db:
                name = self._current(db, at)
        if self._keys is not None:
            self._keys.ids()  # says what is wrong with what is there
        return self._proven(name)

    def take(self, key_id: str, at: Instant) -> None:
        """Put another key in force: all that is written from now on is under it."""
        with self._database.write() as db:
            last = db.execute(select(func.max(KEYS.c.number))).scalar() or 0
            row = {"number": last + 1, "key_id": key_id, "at_ns": at}
            db.execute(KEYS.insert().values(**row))

    def ids(self) -> tuple[str, ...]:
        """Name the keys that this node has; none when they cannot be read."""
        try:
            return self._keys.ids() if self._keys is not None else ()
        except KeyMissing:
            return ()

    def unused(self) -> str:
        """Name a key that is here and was never in force, made where none is."""
        if self._keys is None:
            raise KeyMissing("secrets: no key is given to this catalog")
        with self._database.read() as db:
            used = set(db.execute(select(KEYS.c.key_id)).scalars())
        left = (one for one in self._keys.ids() if one not in used)
        return next(left, "") or self._keys.add()

    # -- all of them -----------------------------------------------------------------------

    def settle(self, at: Instant) -> bool:
        """Encrypt under the key in force what is not yet, and wipe what was there before."""
        name, changed = self.begin(at), 0
        if self._settled == name:
            return False
        for table in TABLES:
            after: tuple[str, ...] | None = ()
            while after is not None:
                done, after = self._settle_some(table, name, after)
                changed += done
        changed += self._wipe(at)
        self._settled = name
        return changed > 0

    def _settle_some(
        self, table: Table, name: str, after: tuple[str, ...]
    ) -> tuple[int, tuple[str, ...] | None]:
        """Look at some documents after a name; return how many changed, and the last name."""
        keys, done = list(table.primary_key), 0
        query = select(table).order_by(*keys).limit(ROWS).with_for_update()
        if after:
            query = query.where(_beyond(keys, after))
        with self._database.write() as db:
            rows = db.execute(query).all()
            for row in rows:
                if not isinstance(row.body, Mapping):  # it cannot be read, and holds up no other
                    continue
                of = _of(table, row)
                body = self.show(of, row.body)
                if all(_is_under(one, name) for one in _streams(row.body).values()):
                    continue
                own = [column == getattr(row, column.name) for column in keys]
                hidden = self._hidden(name, of, body)
                if hidden == row.body:  # what is under a key that is not here stays
                    continue
                done += 1
                db.execute(update(table).where(*own).values(body=hidden))
        last = tuple(getattr(rows[-1], column.name) for column in keys) if rows else None
        return done, last

    def _wipe(self, at: Instant) -> bool:
        """Overwrite what the database's own files still hold of what was there before."""
        with self._database.read() as db:
            query = select(KEYS.c.number, KEYS.c.wiped_ns).order_by(KEYS.c.number.desc()).limit(1)
            number, wiped = db.execute(query).one()
        if wiped is not None:
            return False
        wipe(self._database, [table.name for table in TABLES])
        with self._database.write() as db:
            db.execute(update(KEYS).where(KEYS.c.number == number).values(wiped_ns=at))
        return True

    def look(self) -> SecretsSeen:
        """Read all secrets, and say how they stand."""
        with self._database.read() as db:
            name = _in_force(db)
            seen = SecretsSeen(name, self._keys is not None and self._keys.has(name))
            wiped = select(KEYS.c.wiped_ns).where(KEYS.c.key_id == name)
            seen.wiped = db.execute(wiped).scalar() is not None
            under: Counter[str] = Counter()
            for table in TABLES:
                for row in db.execute(select(table).order_by(*table.primary_key)):
                    self._count(_of(table, row), row.body, seen, under)
        seen.under = dict(under)
        return seen

    def _count(
        self, of: str, body: Mapping[str, object], seen: SecretsSeen, under: Counter[str]
    ) -> None:
        shown = self.show(of, body) if _streams(body) else {}
        for stream, source in _streams(shown).items():
            cipher = str(_streams(body)[stream].get("cipher", ""))
            if cipher:
                under[key_id_of(cipher)] += 1
            elif _has_secrets(source):
                seen.plain += 1
            if source.get("cipher"):
                seen.unreadable.append(f"{of.removeprefix('camera ')}, stream {stream}")


def _in_force(db: Connection) -> str:
    query = select(KEYS.c.key_id).order_by(KEYS.c.number.desc()).limit(1)
    return db.execute(query).scalar() or ""


def _streams(body: Mapping[str, object]) -> dict[str, Mapping[str, Any]]:
    """Return the sources of a document; what is none, in one that cannot be read, holds nothing."""
    found = body.get("streams") if isinstance(body, Mapping) else None
    streams = found.items() if isinstance(found, Mapping) else ()
    return {name: one for name, one in streams if isinstance(one, Mapping)}


def _has_secrets(source: Mapping[str, object]) -> bool:
    """Tell whether a stream's source, not encrypted, holds what nobody should see."""
    if source.get("cipher"):
        return False
    url = str(source.get("url", ""))
    return bool(source.get("credentials")) or mask(url) != url


def _holds_secrets(body: Mapping[str, object]) -> bool:
    return any(map(_has_secrets, _streams(body).values()))


def _is_under(source: Mapping[str, object], name: str) -> bool:
    cipher = source.get("cipher")
    return key_id_of(str(cipher)) == name if cipher else not _has_secrets(source)


def _beyond(keys: list[Any], after: tuple[str, ...]) -> Any:
    """Compare a primary key of one or two columns with a row's, as rows are ordered."""
    first, *rest = keys
    if not rest:
        return first > after[0]
    return (first > after[0]) | ((first == after[0]) & (rest[0] > after[1]))
