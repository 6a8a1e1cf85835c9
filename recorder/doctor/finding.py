"""What the doctor says of one thing it looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recorder.app import App


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: ``level`` is ok, note, slow or bad."""

    subject: str
    level: str
    detail: str
    advice: str = ""


Look = Callable[[App], Finding]
"""Looks at one thing."""
