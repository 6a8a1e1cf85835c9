"""Settings: how this node runs.  From a YAML file, ``RECORDER_*`` and flags; frozen at start.

Secrets are not written here but pointed to (:mod:`recorder.pointers`).
"""

from __future__ import annotations

from recorder.config.loaded import load_settings
from recorder.config.parts import ApiPart, CapturePart, StorePart
from recorder.config.settings import Settings

__all__ = ["ApiPart", "CapturePart", "Settings", "StorePart", "load_settings"]
