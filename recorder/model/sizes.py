"""Sizes in bytes and shares, as people write them."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([kKMGTP]i?B?|B)?", re.ASCII)
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def parse_size(text: str | int) -> int:
    """Read a size such as ``200 GB``, ``64MiB`` or a number of bytes.

    Raises: ``ValueError``.

    >>> parse_size("1.5 GB"), parse_size("64MiB")
    (1500000000, 67108864)
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return _bounded(text)
    match = _SIZE.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{str(text)[:64]!r} is not a size; write it like 200GB or 64MiB")
    unit = match[2] or ""
    power = _POWERS[unit[:1].replace("B", "")]
    factor: int = (1024 if "i" in unit else 1000) ** power
    return _bounded(round(float(match[1]) * factor))


def _bounded(size: int) -> int:
    if not 0 <= size < 2**63:
        raise ValueError("a size is at least 0, and less than 9 exabytes")
    return size


def format_size(size: int) -> str:
    """Write a size with three digits and a decimal unit.

    >>> format_size(4_100_000_000_000), format_size(999), format_size(25_300_000)
    ('4.1 TB', '999 B', '25.3 MB')
    """
    value = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if abs(value) < 999.5 or unit == "PB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"


def parse_share(value: object) -> float:
    """Read a share such as ``5%`` or ``0.05``.

    Raises: ``ValueError``.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        if isinstance(value, str) and value.strip().endswith("%"):
            share = float(value.strip()[:-1]) / 100
        else:
            share = float(value)
    except (ValueError, OverflowError):
        said = f"{str(value)[:64]!r} is not a share; write it like 5% or 0.05"
        raise ValueError(said) from None
    if not 0 <= share <= 1:
        raise ValueError(f"{value} is not between 0 and 100 %")
    return share
