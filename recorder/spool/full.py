"""A full disk, said as what it is."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from recorder.errors import SpoolFull


@contextmanager
def full_is_said(what: str) -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" into ``SpoolFull``; other errors pass."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SpoolFull(
                f"{what}: no space left on the spool's disk", hint="free space, or add disk"
            ) from exc
        raise
