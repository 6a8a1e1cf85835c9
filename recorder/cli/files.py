"""Files that are named on the command line."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper
from pathlib import Path

from recorder.errors import BadDocument
from recorder.regular import read_whole


def read_text(path: Path) -> str:
    """Return the text of a file, without the mark that some editors begin it with.

    Raises: ``BadDocument``; ``OSError``, which :func:`recorder.cli.main` tells.
    """
    try:
        return TextIOWrapper(BytesIO(read_whole(path)), "utf-8-sig").read()
    except UnicodeDecodeError as exc:
        raise BadDocument(f"{path}: is not UTF-8", hint="save it as UTF-8") from exc
