"""What the installed ffmpeg can do, asked of the program itself: once, when it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass

from recorder.process import run
from recorder.turns import OneAtATime

AGAIN_S = 60.0
"""After so long a program is asked again that did not answer, or said nothing."""
PATIENCE_S = 20
_TURNS = OneAtATime()
"""Of programs: many streams start at once, and one of them asks."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a program can do, or is believed to, while it has not said.

    ``checks_rtsps``: whether its RTSP reader can check a certificate (5.1 cannot, and does not).
    ``decodable``: the codecs it can decode; all are believed to be where there are none.
    """

    checks_rtsps: bool = True
    decodable: frozenset[str] = frozenset()


_known: dict[str, Abilities] = {}
_unknown: dict[str, float] = {}


def abilities(program: str) -> Abilities:
    """Return what a program can do; may take long, so it is called from threads."""
    found = _known.get(program)
    if found is not None:
        return found
    with _TURNS.wait(program):
        if program in _known or time.monotonic() - _unknown.get(program, -AGAIN_S) < AGAIN_S:
            return _known.get(program, Abilities())
        reader = _said(program, "-h", "demuxer=rtsp")
        codecs = _said(program, "-codecs") if reader else b""
        if not reader or not codecs:  # one that does not run says so itself when it is to record
            _unknown[program] = time.monotonic()
            return Abilities()
        rows = (line.split() for line in codecs.decode(errors="replace").splitlines())
        able = frozenset(row[1] for row in rows if len(row) > 1 and row[0].startswith("D"))
        _known[program] = Abilities(b"tls_verify" in reader, able)
        return _known[program]


def _said(program: str, *words: str) -> bytes:
    """Return what a program says of itself, nothing where it does not end well."""
    try:
        done = run([program, "-hide_banner", *words], PATIENCE_S)
    except OSError:
        return b""
    return done.stdout if done.returncode == 0 else b""
