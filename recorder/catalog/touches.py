"""What events touch: which cameras, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    true,
)

from recorder.catalog import schema
from recorder.model.keys import ANY_SITE, CameraId, read_camera_id
from recorder.model.timebase import TimeRange


def touch_rows(
    event_id: str, site: str, kind: str, touched: TimeRange, cameras: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what an event of a site touches; of its cameras those without a site are its own."""
    return [
        {
            **camera._asdict(),
            "start_ns": touched.start,
            "event_id": event_id,
            "end_ns": touched.end,
            "kind": kind,
        }
        for camera in dict.fromkeys(read_camera_id(name, site) for name in cameras)
    ]


def touching_any(cameras: Iterable[CameraId]) -> list[ColumnElement[bool]]:
    """Say which touches are of some cameras: what is said of any site's is of each."""
    by_site: dict[str, list[str]] = {}
    for one in cameras:
        by_site.setdefault(one.site, []).append(one.camera)
    touch = schema.touch.c
    return [
        and_(touch.camera.in_(names), touch.site.in_([site, ANY_SITE]) if site else true())
        for site, names in by_site.items()
    ]
