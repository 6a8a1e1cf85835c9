"""What is missing or slow on this machine, and in its site."""

from __future__ import annotations

from recorder.doctor.examined import examine
from recorder.doctor.finding import Finding
from recorder.doctor.stores import refused_writes

__all__ = ["Finding", "examine", "refused_writes"]
