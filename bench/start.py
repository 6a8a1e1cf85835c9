"""What a command costs before it does anything: CPU seconds, beside a Python that does nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

TIMES = 9
COMMANDS = {
    "version": ["--version"],
    "help": ["--help"],
    "camera_list": ["camera", "list"],
    "site": ["site"],
}


def measure() -> dict[str, Any]:
    """Run each command several times; ``x_python``: against ``python -c pass``."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = [str(Path(sys.executable).with_name("recorder")), "--data", folder]
        _cpu_s([*recorder, "camera", "list"])  # makes the catalog
        bare = median(_cpu_s([sys.executable, "-c", "pass"]) for _ in range(TIMES))
        found: dict[str, Any] = {"python_cpu_s": round(bare, 3)}
        for name, arguments in COMMANDS.items():
            one = median(_cpu_s([*recorder, *arguments]) for _ in range(TIMES))
            found[name] = {"cpu_s": round(one, 3), "x_python": round(one / bare, 1)}
        return found


def _cpu_s(argv: list[str]) -> float:
    """Run a program; return the CPU that it took, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
