"""Vouching for the logs of sites below: each must go on from what was vouched for before.

A site that rewrites its past can sign that with its own key; it cannot have it countersigned.
Source: C2SP tlog-cosignature; what is told is as in tlog-witness, within the feed.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recorder import telemetry
from recorder.audit.entry import Subject
from recorder.audit.note import (
    COSIGNATURE,
    BadNote,
    Checkpoint,
    Key,
    cosign,
    read_checkpoint,
    read_key,
)
from recorder.audit.tiles import hashes_in
from recorder.audit.tree import check_consistency, consistency
from recorder.errors import IntegrityError, StoreRefused, StoreUnavailable
from recorder.logbook.book import Book
from recorder.logbook.keys import own_signer
from recorder.logbook.press import Press
from recorder.logbook.shelf import Shelf
from recorder.model.caller import Caller, CallerKind
from recorder.model.counting import number_of
from recorder.model.timebase import SECOND
from recorder.ports import AuditTree, Clock, ObjectStore, Witnessed, WitnessedLog

log = logging.getLogger("recorder.logbook")

MOST_STEPS = 128
"""Hashes of a proof: two for each bit of a tree's size."""
REST_S = 60.0
"""A log's store that was away is asked again after so long: one that hangs delays the feed."""


class Witness:
    """Looks at what children say of their logs, and countersigns what goes on."""

    def __init__(
        self, witnessed: Witnessed, book: Callable[[], Book], clock: Clock, site: str, key: Path
    ) -> None:
        """``key``: the file of the key that countersigns; not that of this site's own log."""
        self._witnessed, self._book, self._clock = witnessed, book, clock
        self._site, self._path = site, key
        self._told: dict[str, str] = {}

    def key(self) -> Key:
        """Return the key that countersigns."""
        return own_signer(self._path).key(f"spanstore/{self._site}/witness", COSIGNATURE)

    def look(self, child: str, said: object) -> dict[str, object] | None:
        """Answer what a child says of its log.

        ``signature`` and ``key`` where it is vouched for; ``old``: the size to prove from;
        ``conflict``: why it is not.
        """
        if not isinstance(said, Mapping):
            return None
        try:
            return self._look(child, said)
        except (BadNote, binascii.Error, ValueError, KeyError, TypeError, AttributeError) as exc:
            return {"conflict": f"malformed: {exc}"[:300]}

    def _look(self, child: str, said: Mapping[str, Any]) -> dict[str, object]:
        shown, told = read_checkpoint(str(said["checkpoint"])), read_key(str(said["key"]))
        if not shown.origin.startswith(f"spanstore/{child}/") or told.name != shown.origin:
            return self._conflict(child, shown, f"log {shown.origin} is not of site {child}")
        logs = self._witnessed.of(child)
        known = next((one for one in logs if one.origin == shown.origin), None)
        key = read_key(known.key) if known is not None else told
        if not shown.by(key):
            return self._conflict(child, shown, f"it is not signed with key {key}")
        if known is not None:
            before = read_checkpoint(known.checkpoint)
            if shown.size < before.size:
                why = f"it has {number_of(shown.size, 'entry')}, and had {before.size}"
                return self._conflict(child, shown, why)
            if int(said.get("old", 0)) != before.size and shown.size != before.size:
                return {"old": before.size}
            if not self._goes_on(before, shown, said):
                those = ("entry is not that which was", "entries are not those that were")
                why = f"its first {number_of(before.size, *those)} vouched for"
                return self._conflict(child, shown, why)
        elif logs:
            self._note(child, "log.new-below", shown, before=logs[-1].origin)
        return self._vouch(child, shown, key)

    @staticmethod
    def _goes_on(before: Checkpoint, shown: Checkpoint, said: Mapping[str, object]) -> bool:
        if shown.size == before.size:
            return shown.root == before.root
        steps = said.get("proof")
        if not isinstance(steps, list) or len(steps) > MOST_STEPS:
            return False
        proof = [base64.b64decode(str(one), validate=True) for one in steps]
        return check_consistency(before.size, shown.size, proof, before.root, shown.root)

    def _vouch(self, child: str, shown: Checkpoint, key: Key) -> dict[str, object]:
        signer, own = own_signer(self._path), self.key()
        now = self._clock.now()
        line = cosign(shown, own, signer.sign, now // SECOND)
        # noted first: a signature that was given away must never be forgotten
        noted = shown.joined(line).note
        self._witnessed.put(WitnessedLog(child, shown.origin, str(key), noted, now))
        self._told.pop(child, None)
        return {"origin": shown.origin, "size": shown.size, "signature": str(line), "key": str(own)}

    def _conflict(self, child: str, shown: Checkpoint, why: str) -> dict[str, object]:
        if self._told.get(child) != shown.note:
            self._told[child] = shown.note
            telemetry.AUDIT_CONFLICTS.labels(child).inc()
            log.error("a site's audit log does not go on", extra={"site": child, "why": why})
            self._note(child, "log.conflict", shown, why=why)
        return {"conflict": why}

    def _note(self, child: str, action: str, shown: Checkpoint, **details: Any) -> None:
        caller, about = Caller(CallerKind.SITE, child), Subject(child, name=shown.origin)
        root = shown.root.hex()
        self._book().note(caller, action, about, size=shown.size, root=root, **details)


class Vouched:
    """Has this site's log vouched for by its parent, by way of the feed.

    While its store is away nothing is said of the log, and all else is: it is tried again later.
    """

    def __init__(
        self,
        tree: AuditTree,
        store: Callable[[], ObjectStore],
        press: Callable[[], Press],
        clock: Clock,
    ) -> None:
        self._tree, self._store, self._press, self._clock = tree, store, press, clock
        self._rests_s = float("-inf")
        """Until when its store is asked nothing (monotonic)."""
        self._old = 0
        self._done: tuple[str, int] | None = None
        self._conflict = ""

    def said(self) -> dict[str, object] | None:
        """Say how far the log is; nothing when the parent has vouched for that."""
        logs = self._tree.logs()
        if self._clock.monotonic() < self._rests_s:
            return None
        if not logs or not logs[-1].checkpoint or (logs[-1].origin, logs[-1].size) == self._done:
            return None
        state = logs[-1]
        old = self._old if self._old <= state.size else 0
        tile = Shelf(self._store(), state.origin).tile
        try:
            steps = consistency(old, state.size, hashes_in(state.size, tile))
        except IntegrityError:  # signed anew meanwhile, or lost: without a proof it is a conflict
            return None
        except (StoreUnavailable, StoreRefused) as exc:
            self._rest(exc)
            return None
        proof = [base64.b64encode(one).decode() for one in steps]
        return {"checkpoint": state.checkpoint, "key": state.key, "old": old, "proof": proof}

    def _rest(self, exc: Exception) -> None:
        self._rests_s = self._clock.monotonic() + REST_S
        log.warning("the parent is told nothing of the audit log", extra={"reason": str(exc)})

    def heard(self, answer: object) -> None:
        """Take in what the parent says of it."""
        if not isinstance(answer, Mapping):
            return
        conflict = str(answer.get("conflict", ""))
        if conflict and conflict != self._conflict:
            log.error("the parent does not vouch for the audit log", extra={"why": conflict})
        self._conflict = conflict
        if "signature" in answer:
            origin, size = str(answer.get("origin", "")), _size(answer.get("size"))
            line, key = str(answer["signature"]), str(answer.get("key", ""))
            try:
                joined = self._press().join(origin, size, line, key)
            except BadNote:
                return
            except (StoreUnavailable, StoreRefused) as exc:
                self._rest(exc)
                return
            self._old = size
            self._done = (origin, size) if joined else None
        elif "old" in answer:
            self._old = _size(answer["old"])


def _size(said: object) -> int:
    """Read how many entries another has seen; what is no number is none."""
    return said if isinstance(said, int) and said >= 0 else 0
