"""Seal: turn what capture left of a file into segments that describe themselves.

:func:`describe` thinks (scan, true times, clocks, span rule, sound) for finished and growing
files alike; :func:`seal` adds digest and trailer.  Both are pure; the spool writes what they say.
"""

from __future__ import annotations

from recorder.sealing.described import describe
from recorder.sealing.part import Described, SegmentHealth
from recorder.sealing.raw import Raw, follower_of, survey
from recorder.sealing.sealed import Sealed, SealedFile, body_blocks, seal

__all__ = [
    "Described",
    "Raw",
    "Sealed",
    "SealedFile",
    "SegmentHealth",
    "body_blocks",
    "describe",
    "follower_of",
    "seal",
    "survey",
]
