"""A strip of pixels that tells a frame's number and time, to people and to programs.

One strip is ``WIDTH`` x ``HEIGHT`` gray pixels: a line of text, and under it ``CELLS``
black or white cells that hold frame number, milliseconds of the day and a check.
"""

from __future__ import annotations

from recorder.model.timebase import DAY, MS, Instant, format_instant

WIDTH, HEIGHT = 216, 16
CELL, CELLS = 3, 64
SCALE = 5
"""How much larger the strip is drawn: compression must not blur a cell."""

_GLYPHS = {
    "0": "0E11131519110E",
    "1": "040C040404040E",
    "2": "0E11010204081F",
    "3": "1F02040201110E",
    "4": "02060A121F0202",
    "5": "1F101E0101110E",
    "6": "0608101E11110E",
    "7": "1F010204080808",
    "8": "0E11110E11110E",
    "9": "0E11110F01020C",
    "-": "0000001F000000",
    ":": "000C0C000C0C00",
    ".": "00000000000C0C",
    "T": "1F040404040404",
    "Z": "1F01020408101F",
    " ": "00000000000000",
    "#": "0A0A1F0A1F0A0A",
}


def strip(frame: int, at: Instant) -> bytes:
    """Draw the strip of one frame."""
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    text = f"{format_instant(at, 3)} #{frame:07d}"
    for place, char in enumerate(text[: WIDTH // 6]):
        glyph = bytes.fromhex(_GLYPHS.get(char, _GLYPHS[" "]))
        for y, bits in enumerate(glyph):
            for x in range(5):
                if bits >> (4 - x) & 1:
                    rows[1 + y][1 + place * 6 + x] = 255
    line = bytearray(WIDTH)
    value = _encode(frame, at % DAY // MS)
    for cell in range(CELLS):
        if value >> (CELLS - 1 - cell) & 1:
            line[cell * CELL : (cell + 1) * CELL] = b"\xff" * CELL
    for y in range(10, HEIGHT):
        rows[y] = line
    return b"".join(rows)


def _encode(frame: int, ms_of_day: int) -> int:
    body = (frame & 0xFFFFFFFF) << 27 | ms_of_day & 0x7FFFFFF
    return body << 5 | _check(body)


def _check(body: int) -> int:
    return (body * 0x9E3779B97F4A7C15 >> 40) & 0x1F


def read_cells(levels: bytes) -> tuple[int, int] | None:
    """Read ``(frame, ms of the day)`` from one gray level per cell, ``None`` when blurred."""
    value = 0
    for level in levels[:CELLS]:
        value = value << 1 | (level > 127)
    body = value >> 5
    if len(levels) < CELLS or _check(body) != value & 0x1F:
        return None
    return body >> 27, body & 0x7FFFFFF


def cell_filter(left: int = 0, top: int = 0) -> str:
    """Write the ffmpeg filter that turns a picture into one gray row of cells."""
    width, height = CELLS * CELL * SCALE, 6 * SCALE
    y = top + 10 * SCALE
    # the middle of each cell only: edges are softened by the codec
    return (
        f"crop={width}:{height // 3}:{left}:{y + height // 3},"
        f"scale={CELLS * 3}:3:flags=area,crop={CELLS * 3}:1:0:1,format=gray"
    )


def middle_of_cells(row: bytes) -> bytes:
    """Take the middle third of every cell from a row that :func:`cell_filter` made."""
    return row[1::3]
