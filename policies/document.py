"""The retention document: how long which footage is kept, and the room every store keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recorder.errors import BadDocument, RequestError
from recorder.model.timebase import DAY, SECOND, parse_duration


@dataclass(frozen=True, slots=True)
class Retention:
    """A checked retention document.

    ``keep_ns``: age per camera group; ``default_ns`` for every other group.
    ``floor``: share of a store that stays free; below it the oldest footage goes first,
    whatever its age.  ``blast_radius``: largest share of a store's footage one plan may
    condemn without being told to.
    """

    default_ns: int = 30 * DAY
    keep_ns: dict[str, int] = field(default_factory=dict)
    floor: float = 0.05
    blast_radius: float = 0.25
    version: int = 0

    def age_of(self, group: str) -> tuple[int, str]:
        """Return how long a group's footage is kept, and the name of the rule."""
        if group in self.keep_ns:
            return self.keep_ns[group], f"keep.{group}"
        return self.default_ns, "keep.default"


def parse_retention(document: Mapping[str, Any], version: int = 0) -> Retention:
    """Read a retention document.

    Raises: ``BadDocument`` with the path of the mistake.

    >>> parse_retention({"keep": {"default": "30d", "key": "90d"}}).age_of("key")
    (7776000000000000, 'keep.key')
    """
    body = dict(document)
    keep = body.pop("keep", None)
    if not isinstance(keep, Mapping) or "default" not in keep:
        raise BadDocument(
            "keep.default: missing", hint="say how long everything else is kept, such as 30d"
        )
    ages = {str(group): _age(f"keep.{group}", age) for group, age in keep.items()}
    floor = _share(body, "floor", 0.05)
    blast = _share(body, "blast_radius", 0.25)
    if body:
        raise BadDocument(f"{sorted(body)[0]}: no such field")
    return Retention(ages.pop("default"), ages, floor, blast, version)


def _age(path: str, value: object) -> int:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise BadDocument(f"{path}: must be a duration such as 30d")
    try:
        age = parse_duration(value, path)
    except RequestError as exc:
        raise BadDocument(str(exc), hint=exc.hint) from exc
    if age < 60 * SECOND:
        raise BadDocument(f"{path}: shorter than a minute would keep nothing")
    return age


def _share(body: dict[str, Any], name: str, default: float) -> float:
    value = body.pop(name, default)
    if isinstance(value, str) and value.endswith("%"):
        try:
            value = float(value[:-1]) / 100
        except ValueError as exc:
            raise BadDocument(f"{name}: {value!r} is not a share") from exc
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadDocument(f"{name}: must be a share such as 5% or 0.05")
    return float(value)
