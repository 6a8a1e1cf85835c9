"""What a movie says of itself: a ``udta`` that players pass over and tools show as tags.

Source: ISO/IEC 14496-12, 8.10.1 (``udta``) and 8.11.1 (``meta``); the list of tags is the one of
iTunes, which every tool reads.
"""

from __future__ import annotations

import struct

from recorder.bmff.boxes import box, full_box

_HANDLER = full_box("hdlr", 0, 0, bytes(4), b"mdir", b"appl", bytes(9))
_TEXT = struct.pack(">II", 1, 0)
"""UTF-8, no locale."""


def make_notes(title: str, comment: str, tool: str) -> bytes:
    """Build the ``udta`` of a movie.

    >>> make_notes("gate", "{}", "Spanstore")[4:8]
    b'udta'
    """
    tags = (("\xa9nam", title), ("\xa9cmt", comment), ("\xa9too", tool))
    items = [box(kind, box("data", _TEXT, text.encode())) for kind, text in tags]
    return box("udta", full_box("meta", 0, 0, _HANDLER, box("ilst", *items)))
