"""The camera documents a node saw last, and the streams it held, kept beside its spool.

A node that starts while the catalog is away records what it was last asked to.  What the file
holds of the cameras' credentials is encrypted as in the catalog; only its owner may read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import aiofiles

CAMERAS = "cameras.json"
HELD = "held.json"


async def remember(
    root: Path, said: Mapping[str, Mapping[str, object]], name: str = CAMERAS
) -> None:
    """Replace what is remembered: camera documents by name, or the streams held."""
    part = root / f"{name}.part"
    async with aiofiles.open(part, "w", opener=_private) as file:
        await file.write(json.dumps(said, indent=1, sort_keys=True))
        await file.flush()
        os.fsync(file.fileno())
    part.replace(root / name)


async def recall(root: Path, name: str = CAMERAS) -> dict[str, dict[str, object]]:
    """Return what was remembered, nothing when there is none that can be read."""
    try:
        async with aiofiles.open(root / name) as file:
            body = json.loads(await file.read())
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
