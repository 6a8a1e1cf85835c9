"""Claim: the audit log takes >= 5,000 entries/s with checkpoints; a look costs <= 1 ms by itself.

Method: 128 threads write looks as routes do, each waiting for its entry, into a SQLite catalog on
this machine's disk, while another signs again and again into a directory store; what is not
signed when they are done is signed, and counts.  ``bare``: rows of the same bytes into a table of
one column, a transaction for each 128, with the same durability.  ``look``: one by one, nobody
else; ``bare_look`` a transaction of one bare row.  ``per_cpu_s``: entries, written and signed, by
second of one core: what is left of the rate where others use the machine.  ``verify``: all of it
hashed anew.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench.timing import median, p99, seconds
from recorder.app import App
from recorder.audit.entry import Entry, Subject, write_entry
from recorder.config import Settings
from recorder.logbook.proof import CatalogEvidence, prove
from recorder.model.caller import Caller, CallerKind
from recorder.model.timebase import MINUTE, SECOND, TimeRange

THREADS, EACH = 128, 250
ANA = Caller(CallerKind.USER, "ana", "10.0.0.7", "3f2a", "accident 7")
T0 = 1_767_621_787 * SECOND


def _entry(number: int) -> Entry:
    range_ = TimeRange(T0 + number * MINUTE, T0 + (number + 1) * MINUTE)
    about = Subject("north", f"cam{number % 585}", "main", range_)
    return Entry(T0 + number, ANA, "footage.clip", about, details={"format": "mp4"})


def measure() -> dict[str, Any]:
    """Write, sign, verify."""
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as folder:
        bare, bare_look = _bare(Path(folder) / "bare.db")
        app = App(Settings(data=Path(folder) / "data", site="north", node="n1"))
        app.admit(app.settings.ship_store)
        app.press.publish()
        busy = time.process_time()
        written, signed, checkpoints = _write(app)
        busy = time.process_time() - busy
        number = iter(range(10**6, 10**7))
        look = seconds(lambda: app.book.write([_entry(next(number))]), 300)
        app.press.publish()
        begin = time.perf_counter()
        evidence = CatalogEvidence(app.catalog.audit_tree, app.log_store, "north")
        proof = prove(evidence, None)
        verify = time.perf_counter() - begin
        app.close()
    assert not proof.faults
    assert proof.checkpoint is not None
    return {
        "entries": THREADS * EACH, "written_per_s": round(written), "signed_per_s": round(signed),
        "per_cpu_s": round(THREADS * EACH / busy), "checkpoints": checkpoints,
        "bare_per_s": round(bare),
        "share_of_bare": round(signed / bare, 3),
        "look_ms": round(1000 * median(look), 3), "look_p99_ms": round(1000 * p99(look), 3),
        "bare_look_ms": round(1000 * median(bare_look), 3),
        "verify_per_s": round(proof.checkpoint.size / verify),
    }  # fmt: skip


def _write(app: App) -> tuple[float, float, int]:
    """Return entries per second written, written and signed, and how many checkpoints."""
    done, checkpoints = threading.Event(), [0]

    def write(first: int) -> None:
        for number in range(first, first + EACH):
            app.book.write([_entry(number)])

    def sign() -> None:
        while not done.wait(1.0):
            app.press.publish()
            checkpoints[0] += 1

    writers = [threading.Thread(target=write, args=(n * EACH,)) for n in range(THREADS)]
    signer = threading.Thread(target=sign)
    begin = time.perf_counter()
    for one in (signer, *writers):
        one.start()
    for one in writers:
        one.join()
    written = time.perf_counter() - begin
    done.set()
    signer.join()
    state = app.press.publish()
    signed = time.perf_counter() - begin
    assert state.size >= THREADS * EACH
    return THREADS * EACH / written, THREADS * EACH / signed, checkpoints[0] + 1


def _bare(path: Path) -> tuple[float, list[float]]:
    """Return rows per second of the bare thing, and seconds of one row by itself."""
    raw = write_entry(_entry(1), "north", "n1")
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("CREATE TABLE bare (body BLOB)")

    def insert(count: int) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO bare VALUES (?)", [(raw,)] * count)
        db.execute("COMMIT")

    begin = time.perf_counter()
    for _ in range(EACH):
        insert(THREADS)
    rate = THREADS * EACH / (time.perf_counter() - begin)
    alone = seconds(lambda: insert(1), 300)
    db.close()
    return rate, alone
