"""What of a camera's pictures is not for everybody: masks over them, and how sensitive they are.

It goes up with the camera's document, beside what people call it, so a site above keeps to it, too.
What cannot be read (a later release wrote it) counts as the strictest there is.  Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from recorder.errors import BadDocument, RequestError
from recorder.model.checks import check_number, check_text
from recorder.model.unknown import check_rest

SENSITIVE = ("purpose", "approval", "both")
FILLS = ("black", "blur")
MOST_MASKS, MOST_POINTS, MOST_NAME = 32, 64, 64
FIELDS = ("sensitive", "masks")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Mask:
    """A polygon that hides a part of the picture.

    Units: points are parts of the picture's width and height, from the top left corner.
    """

    polygon: tuple[Point, ...]
    fill: str = "black"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Privacy:
    """What may be shown of a camera.

    ``sensitive``: what looking at it and exporting it want each time: a ``purpose`` that is said,
    another person's ``approval``, or ``both``; nothing: what grants say.  ``unreadable``: there
    are masks, and they cannot be read here.
    """

    sensitive: str = ""
    masks: tuple[Mask, ...] = ()
    unreadable: bool = False

    @property
    def wants_purpose(self) -> bool:
        """Whether a purpose must be said."""
        return self.sensitive not in ("", "approval")

    @property
    def wants_approval(self) -> bool:
        """Whether another person must approve; of a word that is not known, too."""
        return self.sensitive not in ("", "purpose")


PLAIN = Privacy()


def take_privacy(body: dict[str, object]) -> Privacy:
    """Take what is not for everybody out of a camera's document.

    Raises: ``RequestError``, ``BadDocument``.
    """
    sensitive, masks = (body.pop(name, None) for name in FIELDS)
    if sensitive is not None and sensitive not in SENSITIVE:
        shown = repr(sensitive[:64]) if isinstance(sensitive, str) else "what is given"
        raise BadDocument(
            f"sensitive: {shown} is none of {', '.join(SENSITIVE)}",
            hint="leave it out, or null, where grants alone decide",
        )
    listed = [] if masks is None else masks
    if not isinstance(listed, Sequence) or isinstance(listed, str) or len(listed) > MOST_MASKS:
        raise BadDocument(f"masks: must be a list of at most {MOST_MASKS}")
    return Privacy(sensitive or "", tuple(_mask(one, f"masks.{i}") for i, one in enumerate(listed)))


def _mask(value: object, path: str) -> Mask:
    if not isinstance(value, Mapping):
        raise BadDocument(
            f"{path}: must be an object",
            hint="such as {polygon: [[0.1, 0.1], [0.4, 0.1], [0.4, 0.5]], fill: blur}",
        )
    body = dict(value)
    points, fill = body.pop("polygon", None), body.pop("fill", "black")
    name = check_text(body.pop("name", None) or "", f"{path}.name", MOST_NAME)
    check_rest(body, ("polygon", "fill", "name"), f"{path}.")
    if fill not in FILLS:
        raise BadDocument(f"{path}.fill: is none of {', '.join(FILLS)}")
    if not isinstance(points, Sequence) or isinstance(points, str):
        raise BadDocument(f"{path}.polygon: must be a list of points [x, y], each from 0 to 1")
    if not 3 <= len(points) <= MOST_POINTS:
        raise BadDocument(f"{path}.polygon: must have 3 to {MOST_POINTS} points")
    polygon = tuple(_point(one, f"{path}.polygon.{i}") for i, one in enumerate(points))
    if not area_of(polygon):
        raise BadDocument(f"{path}.polygon: has no area, so it would hide nothing")
    return Mask(polygon, str(fill), name)


def _point(value: object, path: str) -> Point:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise BadDocument(f"{path}: must be a point [x, y]")
    x, y = (check_number(one, path, 0, 1) for one in value)
    return float(x), float(y)


def area_of(polygon: Sequence[Point]) -> float:
    """Return the area of what a polygon's corners span, whichever way it turns.

    >>> area_of([(0, 0), (1, 0), (1, 1)])
    0.5
    """
    pairs = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    return abs(sum(one[0] * two[1] - two[0] * one[1] for one, two in pairs)) / 2


def show_privacy(privacy: Privacy) -> dict[str, object]:
    """Write it for answers and for the catalog: every field, ``None`` where nothing is said."""
    return {
        "sensitive": privacy.sensitive or None,
        "masks": [show_mask(one) for one in privacy.masks] or None,
    }


def show_mask(mask: Mask) -> dict[str, object]:
    """Write one mask."""
    named = {"name": mask.name} if mask.name else {}
    return {"polygon": [list(one) for one in mask.polygon], "fill": mask.fill, **named}


def masks_digest(masks: Sequence[Mapping[str, object]]) -> str:
    """Return the SHA-256 of masks as they are written, their names aside: of what they hide."""
    said = [[one["polygon"], one["fill"]] for one in masks]
    return sha256(json.dumps(said).encode()).hexdigest()


def read_privacy(told: object) -> Privacy:
    """Read it as it was stored, or told by another site: strictly where it cannot be read.

    >>> read_privacy({"sensitive": "very"}).wants_approval, read_privacy({"masks": 7}).unreadable
    (True, True)
    >>> read_privacy("").wants_approval  # what no row should hold
    True
    """
    if told is not None and not isinstance(told, Mapping):
        return Privacy("both", unreadable=True)
    body = {name: told[name] for name in FIELDS if name in told} if told else {}
    if not body:
        return PLAIN
    try:
        return take_privacy(dict(body))
    except RequestError:
        pass
    said = body.get("sensitive")
    sensitive = "both" if said not in (None, *SENSITIVE) else str(said or "")
    try:
        return Privacy(sensitive, take_privacy({"masks": body.get("masks")}).masks)
    except RequestError:
        return Privacy(sensitive, unreadable=True)
