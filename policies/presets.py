"""Documents to begin with."""

from __future__ import annotations

from typing import Any

HOME: dict[str, object] = {
    "rules": [{"name": "everything", "keep": {"any": "30d"}}],
}

COUNTY: dict[str, Any] = {
    "levels": ["post", "sub-centre", "centre"],
    "rules": [
        {
            "name": "alarms and checkpoints",
            "match": {"event": ["alarm", "checkpoint"]},
            "at_least": True,
            "keep": {"post": "30d", "sub-centre": "30d", "centre": "180d"},
            "replicate": [{"what": "events", "to": "centre", "class": "urgent", "within": "1h"}],
        },
        {
            "name": "key targets",
            "match": {"group": "key"},
            "keep": {
                "post": {"min": "7d", "max": "90d"},
                "sub-centre": {"min": "7d", "max": "90d"},
                "centre": "90d",
            },
            "replicate": [{"what": "all", "to": "centre", "class": "normal", "within": "24h"}],
        },
        {"name": "general", "keep": {"any": {"min": "7d", "max": "30d"}}},
    ],
    "stores": {"any": {"floor": "5%"}},
    "pressure": [
        {"match": {"stream": "sub"}},
        {"match": {"group": "general"}, "older_than": "7d"},
    ],
    "off_link": {"after": "72h", "may": "floor"},
    "blast_radius": "10%",
}
"""The reference county: 30 days in general, 90 for key targets, alarms and checkpoints 180
days at the centre, and nowhere shorter than without; where room is short, sub-streams go first,
then general footage that is older than 7 days."""

PRESETS = {"home": HOME, "county": COUNTY}
