"""The doctor: what is missing or slow on this machine, in plain words."""

from __future__ import annotations

from recorder.app import App
from recorder.doctor import machine, site, stores
from recorder.doctor.finding import Finding
from recorder.errors import RecorderError
from recorder.janitor.asked import silent_stores

SILENT = "look at the line to it, and whether the service runs; footage stays in the spool"


def examine(app: App) -> list[Finding]:
    """Look at everything a node needs; nothing is changed."""
    findings = []
    for subject, look in machine.LOOKS + site.LOOKS:
        try:
            findings.append(look(app))
        except RecorderError as exc:
            findings.append(Finding(subject, "bad", str(exc), exc.hint))
        except OSError as exc:
            findings.append(Finding(subject, "bad", str(exc)))
    silent = silent_stores(app.stores)
    for part in app.settings.all_stores:
        if part.name in silent:
            findings.append(Finding(f"store {part.name}", "bad", silent[part.name], SILENT))
            continue
        try:
            findings += stores.look_at(app, part)
        except RecorderError as exc:
            findings.append(Finding(f"store {part.name}", "bad", str(exc), exc.hint))
    return findings + stores.look_at_all(app, silent) + site.look_around(app)
