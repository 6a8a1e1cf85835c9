"""The machine: ffmpeg, disks, folders, clock, descriptors, the catalog's file."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable

from recorder import index
from recorder.app import App
from recorder.doctor.finding import Finding, Look
from recorder.errors import RecorderError
from recorder.janitor.absent import ADVICE, absent_from
from recorder.janitor.asked import PATIENCE_S
from recorder.janitor.proof import OFF
from recorder.made import find_ffmpeg
from recorder.model.counting import number_of
from recorder.model.places import spool_of
from recorder.model.sizes import format_size
from recorder.model.timebase import Instant, format_duration
from recorder.process import run
from recorder.side_by_side import SideBySide
from recorder.spool.folders import FOLDERS

ANSWERS_S = 20.0
CATALOG_ROOM = 64 << 20
"""Less on its disk is too little: what was written last lies beside the file for a while."""
PROBE = "doctor"
"""What it writes to see that the catalog takes something."""
STREAM_BPS = 500_000  # 4 Mbit/s


def _ffmpeg(app: App) -> Finding:
    program = find_ffmpeg(app.settings.capture.ffmpeg)
    said = run([program, "-version"], ANSWERS_S)
    first = said.stdout.decode(errors="replace").splitlines()[:1]
    if not first:
        return Finding("ffmpeg", "bad", f"{program} does not run")
    words = first[0].split()
    return Finding("ffmpeg", "ok", " ".join(words[:3]))


def _index(_: App) -> Finding:
    if index.COMPILED:
        return Finding("index", "ok", "compiled, agrees with its twin")
    return Finding(
        "index",
        "slow",
        "the compiled index is absent; the Python twin is used",
        "install a C compiler and python3-dev, then: make setup",
    )


def _digest(app: App) -> Finding:
    block = bytes(8 << 20)
    begin = app.clock.monotonic()
    hashlib.sha256(block).digest()
    rate = len(block) / max(app.clock.monotonic() - begin, 1e-6)
    said = f"SHA-256 at {rate / 1e6:.0f} MB/s on one core, {rate / STREAM_BPS:.0f} streams' worth"
    level = "ok" if rate > 300e6 else "slow"
    return Finding("digest", level, said, "" if level == "ok" else "no hardware support for SHA")


def _spool(app: App) -> Finding:
    root = app.spool.root
    usage = shutil.disk_usage(root)
    limits = app.settings.spool
    room = min(limits.max_size, usage.free - limits.floor)
    streams = sum(len(camera.streams) for camera in app.catalog.cameras.all()) or 1
    hours = max(0, room) / (streams * STREAM_BPS) / 3600
    said = (
        f"{root}: {room / 1e9:.1f} GB for footage, {hours:.1f} h of {number_of(streams, 'stream')}"
    )
    if room <= 0:
        return Finding("spool", "bad", said, "the disk is below spool.floor: free some space")
    level = "ok" if hours >= 6 else "note"
    return Finding("spool", level, said, "" if level == "ok" else "how long may the store be away?")


def _folders(app: App) -> Finding:
    usage = app.spool.usage()
    held = [f"{name} {usage[name] / 1e6:.0f} MB" for name in FOLDERS if usage[name]]
    aside = len([name for name, _ in app.spool.contents.files("quarantine") if name[-4:] != ".txt"])
    nameless = app.spool.nameless()
    said = ", ".join(held) or "nothing in the spool"
    if bundles := app.bundles.bytes_lying():
        said += f", bundles of evidence {format_size(bundles)}"
    if nameless:
        advice = f"no stream can be told of what lies in {nameless[0]}: look at it, move it away"
        return Finding("folders", "note", said, advice)
    if aside:
        files = number_of(aside, "file")
        advice = f"{files} put aside in quarantine, each with its reason: look, then delete"
        return Finding("folders", "note", said, advice)
    return Finding("folders", "ok", said)


def _absent(app: App) -> Finding:
    """Look whether the spool has what the catalog says lies there."""
    place = spool_of(app.settings.node)
    found = absent_from(app.catalog.planning, app.catalog.footage, place, app.spool.path_of)
    if found.segments:
        return Finding("footage here", "bad", str(found), ADVICE)
    return Finding("footage here", "ok", "all that the catalog has in this spool is there")


def _disk(app: App) -> Finding:
    path = app.spool.root / "probe" / f"{os.getpid()}"
    block = bytes(8 << 20)
    begin = app.clock.monotonic()
    try:
        with path.open("wb") as file:
            for _ in range(8):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)
    rate = 8 * len(block) / max(app.clock.monotonic() - begin, 1e-6)
    said = f"spool writes at {rate / 1e6:.0f} MB/s, {rate / STREAM_BPS:.0f} streams' worth"
    return Finding("disk", "ok" if rate > 50e6 else "slow", said)


def _clock(app: App) -> Finding:
    def off(ask: Callable[[], Instant | None]) -> int | None:
        try:
            theirs = ask()
        except RecorderError:
            return None  # said where it is asked for itself
        return None if theirs is None else abs(app.clock.now() - theirs)

    upkeep = app.upkeep
    others = {
        name: ask for name, ask in upkeep.other_clocks.items() if not upkeep.is_own_clock(name)
    }
    heard = SideBySide("clocks", off).ask(others, PATIENCE_S)
    found = [(value, name) for name, value in heard.items() if value is not None]
    said = [(value, f"{format_duration(value)} off {name}") for value, name in found]
    if not said:
        advice = "run a time service: a clock that leaps stops retention until somebody vouches"
        return Finding("clock", "ok", "no other clock to compare with", advice)
    worst, what = max(said)
    advice = "" if worst < OFF else "set the clock right: nothing is deleted until then"
    return Finding("clock", "bad" if advice else "ok", what, advice)


def _catalog(app: App) -> Finding:
    app.catalog.database.prove()
    begin = app.clock.monotonic()
    counts = app.catalog.counts()
    app.catalog.progress.put(PROBE, {"node": app.settings.node}, app.clock.now())
    took = app.clock.monotonic() - begin
    many = ", ".join(number_of(counts[one], one) for one in ("segment", "stream"))
    said = f"{many}, answered in {took:.3f} s"
    reserve = app.catalog.database.reserve
    if reserve is not None:
        said += f"; {format_size(reserve.kept_bytes())} kept for it on its disk"
        free = shutil.disk_usage(reserve.folder).free
        if free < CATALOG_ROOM:
            said += f", which has {format_size(free)} left"
            return Finding("catalog", "bad", said, "free some space: a full one takes nothing")
    return Finding("catalog", "ok" if took < 1 else "slow", said)


def _files(_: App) -> Finding:
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    level = "ok" if soft >= 1024 else "note"
    advice = "" if level == "ok" else "raise it with ulimit -n 4096"
    return Finding("files", level, f"up to {soft} open files", advice)


LOOKS: tuple[tuple[str, Look], ...] = (
    ("ffmpeg", _ffmpeg),
    ("index", _index),
    ("digest", _digest),
    ("spool", _spool),
    ("folders", _folders),
    ("footage here", _absent),
    ("disk", _disk),
    ("catalog", _catalog),
    ("files", _files),
    ("clock", _clock),
)
