"""The camera documents a node saw last, and the streams it held, kept beside its spool.

A node that starts while the catalog is away, or was lost, records what it was last asked to.  What
the file holds of the cameras' credentials is encrypted as in the catalog; only its owner may read
it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path

import aiofiles

CAMERAS = "cameras.json"
HELD = "held.json"
OF = "cameras-of.json"
"""Which catalog said the cameras, ``{"catalog": {"id": …}}``: another that knows none lost them."""


async def remember(
    root: Path, said: Mapping[str, Mapping[str, object]], threads: Executor, name: str = CAMERAS
) -> None:
    """Replace what is remembered: camera documents by name, or the streams held.

    ``threads``: they wait for the disk, the event loop does not.
    """
    part, loop = root / f"{name}.part", asyncio.get_running_loop()
    async with aiofiles.open(part, "w", opener=_private, executor=threads) as file:
        await file.write(json.dumps(said, indent=1, sort_keys=True))
        await file.flush()
        await loop.run_in_executor(threads, os.fsync, file.fileno())
    await loop.run_in_executor(threads, part.replace, root / name)


async def recall(
    root: Path, threads: Executor, name: str = CAMERAS
) -> dict[str, dict[str, object]]:
    """Return what was remembered, nothing when there is none that can be read."""
    try:
        async with aiofiles.open(root / name, executor=threads) as file:
            return _read(await file.read())
    except OSError:
        return {}


def recalled(root: Path, name: str = CAMERAS) -> dict[str, dict[str, object]]:
    """Return the same, for commands: they wait for the disk."""
    try:
        return _read((root / name).read_text())
    except (OSError, UnicodeDecodeError):
        return {}


def is_of_another(said: Mapping[str, Mapping[str, object]], catalog: str) -> bool:
    """Tell whether what is remembered was said by another catalog, by what :data:`OF` has."""
    known = said.get("catalog", {})
    return isinstance(known, Mapping) and known.get("id") not in (None, catalog)


def _read(text: str) -> dict[str, dict[str, object]]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
