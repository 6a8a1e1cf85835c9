"""Many cameras are added and changed at once: all of them are looked at before one is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recorder.errors import BadDocument, RecorderError
from recorder.model.camera_document import parse_camera
from recorder.model.cameras import Camera
from recorder.model.changing import change_camera
from recorder.model.secrets import MASK
from recorder.model.sheets import Wanted
from recorder.model.timebase import Instant
from recorder.sites.changing import Changed, Changer, check_case, show_changed

MOST_SAID = 10


@dataclass(frozen=True, slots=True)
class Taken:
    """One camera of a sheet: what becomes of it, and what must be seen to by hand."""

    name: str
    changed: Changed
    note: str = ""

    @property
    def what(self) -> str:
        """``added``, ``changed`` or ``same``."""
        if self.changed.before is None:
            return "added"
        return "changed" if self.changed.differences else "same"


def show_taken(one: Taken) -> dict[str, object]:
    """Write what becomes of a camera."""
    return {
        "camera": one.name,
        "done": one.what,
        "note": one.note or None,
        **show_changed(one.changed),
    }


def take_sheet(
    changer: Changer, wanted: Sequence[Wanted], author: str, now: Instant, *, dry: bool
) -> list[Taken]:
    """Add and change the cameras of a sheet; none is removed.  ``dry``: only say what would be.

    Raises: ``BadDocument`` naming the mistakes, before anything is stored.
    """
    known = {one.name: one for one in changer.catalog.cameras.all()}
    alike: dict[str, list[str]] = {}
    for name in (*known, *(one.name for one in wanted)):
        alike.setdefault(name.lower(), []).append(name)
    mistakes, taken = [], []
    for one in wanted:
        try:
            if one.name not in known:
                check_case(one.name, alike[one.name.lower()])
            taken.append(_look(changer, one, known.get(one.name)))
        except RecorderError as exc:
            mistakes.append((f"{one.where}: {exc}", exc.hint))
    if mistakes:
        said = "; ".join(text for text, _ in mistakes[:MOST_SAID])
        more = len(mistakes) - MOST_SAID
        raise BadDocument(
            f"{said}{f'; and {more} more' if more > 0 else ''}; nothing was stored",
            hint=mistakes[0][1],
        )
    if dry:
        return taken
    return [
        _store(changer, one, each, author, now) for one, each in zip(wanted, taken, strict=True)
    ]


def _look(changer: Changer, wanted: Wanted, old: Camera | None) -> Taken:
    if old is not None:
        return Taken(wanted.name, changer.compare(old, _changed(changer, wanted, old)))
    camera = changer.check(parse_camera(wanted.name, wanted.document))
    masked = MASK in str(wanted.document)
    note = "its secrets are not in the file: give them with camera set" if masked else ""
    return Taken(wanted.name, changer.compare(None, camera), note)


def _changed(changer: Changer, wanted: Wanted, old: Camera) -> Camera:
    return changer.check(change_camera(old, wanted.document))


def _store(changer: Changer, wanted: Wanted, taken: Taken, author: str, now: Instant) -> Taken:
    if taken.what == "same":
        return taken
    if taken.changed.before is None:
        said = changer.put(taken.changed.after, author, now, replacing=False)
    else:
        said = changer.change(wanted.name, wanted.document, author, now)
    return Taken(taken.name, said, taken.note)
