"""What a camera is called by people, where it is, what should be known of it.  Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from recorder.errors import BadDocument
from recorder.model.checks import check_number, check_text

MOST_LABEL, MOST_LOCATION, MOST_NOTES = 128, 256, 4096
FIELDS = ("label", "location", "coordinates", "notes")


@dataclass(frozen=True, slots=True)
class About:
    """Text for people, in any language; the technical name is what keys and rules are made of.

    Units: ``coordinates`` are latitude and longitude in degrees (WGS 84).
    """

    label: str = ""
    location: str = ""
    coordinates: tuple[float, float] | None = None
    notes: str = ""

    def texts(self) -> Iterator[str]:
        """Yield what is searched."""
        yield from (self.label, self.location, self.notes)


def take_about(body: dict[str, object]) -> About:
    """Take what is said for people out of a document.

    Raises: ``RequestError``, ``BadDocument``.
    """
    found = {name: body.pop(name, None) for name in FIELDS}
    texts = (("label", MOST_LABEL), ("location", MOST_LOCATION), ("notes", MOST_NOTES))
    label, location, notes = (
        check_text("" if found[name] is None else found[name], name, most, lines=name == "notes")
        for name, most in texts
    )
    return About(label, location, _coordinates(found["coordinates"]), notes)


def _coordinates(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) != {"latitude", "longitude"}:
        raise BadDocument(
            "coordinates: must have latitude and longitude",
            hint="such as {latitude: 48.137, longitude: 11.575}",
        )
    latitude = check_number(value["latitude"], "coordinates.latitude", -90, 90)
    longitude = check_number(value["longitude"], "coordinates.longitude", -180, 180)
    return float(latitude), float(longitude)


def show_about(about: About) -> dict[str, object]:
    """Write it for answers and for the catalog: every field, ``None`` where nothing is said."""
    return {**show_place(about), "notes": about.notes or None}


def show_place(about: About) -> dict[str, object]:
    """Write what a camera is called and where it is: its notes are not for those outside."""
    place = about.coordinates
    return {
        "label": about.label or None,
        "location": about.location or None,
        "coordinates": None if place is None else {"latitude": place[0], "longitude": place[1]},
    }


def titled(name: str, label: str | None) -> str:
    """Write a camera for people: its technical name, and what they call it.

    >>> titled("north/gate", "East gate"), titled("north/yard", None)
    ('north/gate "East gate"', 'north/yard')
    """
    return f'{name} "{label}"' if label else name


def folded(text: str) -> str:
    """Return text as it is searched: without case, and of one form where Unicode has several.

    >>> folded("Stra\u00dfe") == folded("STRASSE"), folded("e\u0301") == folded("\u00e9")
    (True, True)
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def called(cameras: Iterable[str], labels: Mapping[str, str], site: str = "") -> dict[str, str]:
    """Pick what people call some cameras, of those that are called something.

    ``labels``: by ``site/camera``; a bare name is that of a camera at ``site``.

    >>> called(["north/gate", "yard"], {"north/gate": "East gate", "north/yard": "Yard"}, "north")
    {'north/gate': 'East gate', 'yard': 'Yard'}
    """
    full = {one: one if "/" in one else f"{site}/{one}" for one in cameras}
    return {one: labels[name] for one, name in full.items() if name in labels}


def titles(cameras: Iterable[str], labels: Mapping[str, str]) -> str:
    """Write some cameras for people, in one line.

    >>> titles(["north/gate", "north/yard"], {"north/gate": "East gate"})
    'north/gate "East gate", north/yard'
    """
    return ", ".join(titled(one, labels.get(one)) for one in cameras)
