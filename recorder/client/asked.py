"""How a client names times and cameras to the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from urllib.parse import quote

from recorder.errors import RequestError
from recorder.model.timebase import format_instant

Moment = datetime | str | int
"""A time: a ``datetime`` with a zone; ns since the Unix epoch; or text as the API reads it
(RFC 3339, ``now``, ``-90s``)."""


def moment(at: Moment) -> str:
    """Return a time as the API reads it.

    Raises: ``RequestError`` for a ``datetime`` without a zone.

    >>> moment(datetime(2026, 1, 5, 14, 3, 7, 200_000, UTC)), moment(10**9), moment("-90s")
    ('2026-01-05T14:03:07.200000Z', '1970-01-01T00:00:01.000000000Z', '-90s')
    """
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise RequestError(
                f"{at.isoformat()}: has no zone", hint="give datetime(…, tzinfo=UTC) or a ZoneInfo"
            )
        return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return format_instant(at, 9) if isinstance(at, int) else at


def plain(value: object) -> object:
    """Return a document as JSON has it: YAML knows dates, as keys, too.

    >>> plain({"except": {date(2026, 12, 25): []}})
    {'except': {'2026-12-25': []}}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def address_of(
    camera: str, what: str = "", query: Mapping[str, object] | None = None
) -> tuple[str, dict[str, object]]:
    """Return the address of a camera, or of something of it, with its parameters.

    >>> address_of("post1/gate", "clip.mp4"), address_of("gate")
    (('/cameras/gate/clip.mp4', {'site': 'post1'}), ('/cameras/gate', {}))
    """
    site, _, name = camera.rpartition("/")
    path = f"/cameras/{quote(name, '')}" + (f"/{what}" if what else "")
    return path, {**(query or {}), **({"site": site} if site else {})}
