"""Builds every component when it is first asked for; alone knows them all."""

from __future__ import annotations

from recorder.app.app import App

__all__ = ["App"]
