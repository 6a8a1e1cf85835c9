"""A disk that hangs, and answers again, under a process that runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("hang.c")


class Hanging:
    """Lets what lies at a path hang for the processes that are started with ``env``."""

    def __init__(self, folder: Path, path: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / "hang.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self._file = folder / "hung"
        self._file.write_bytes(b"\0")
        self.env = {
            "LD_PRELOAD": str(library), "HANG_FILE": str(self._file), "HANG_PATH": path,
        }  # fmt: skip

    def set(self, hangs: bool) -> None:
        """Let it hang from now on, or answer."""
        with self._file.open("r+b") as file:
            file.write(b"\1" if hangs else b"\0")
