"""A clock that is set wrong, and right again, while the process that reads it runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("leap.c")


class Leaping:
    """Moves the clock of the processes that are started with ``env``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / "leap.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self._file = folder / "shift"
        self.set(0)
        self.env = {"LD_PRELOAD": str(library), "LEAP_FILE": str(self._file)}

    def set(self, shift_ns: int) -> None:
        """Let the clock be off by so much from now on."""
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            file.write(shift_ns.to_bytes(8, "little", signed=True))
