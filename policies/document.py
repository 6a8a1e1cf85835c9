"""The policy document: what is kept where and for how long, and what travels.

One document, YAML or JSON; its rules are tried in order and the first that matches decides.
:func:`schema` publishes its JSON Schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from recorder.errors import RequestError
from recorder.model.sizes import parse_share, parse_size
from recorder.model.timebase import DAY, parse_duration

FOREVER = 2**62
"""An age nothing reaches, in ns."""
LEAST_EVENT_AGE = 7 * DAY
"""Footage that waits in a spool may still come to be known, and is judged by its events."""


def _age(value: object, info: ValidationInfo) -> int:
    if value in ("forever", FOREVER):
        return FOREVER
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a duration such as 30d")
    written = info.context is not None and info.context.get("written")
    if written and value != 0 and not any(map(str.isalpha, str(value))):
        raise ValueError(f"{value} has no unit; write {value}d, {value}h or {value}s")
    try:
        age = parse_duration(value)
    except RequestError as exc:
        raise ValueError(f"{exc}; {exc.hint}") from exc
    if age < 0:
        raise ValueError("must not be negative")
    return age


def _names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Age = Annotated[
    int,
    BeforeValidator(_age),
    WithJsonSchema(
        {"type": "string", "description": "Duration with its unit: 30d, 12h, 90s; or forever."}
    ),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": ["string", "integer"], "description": "Size: 4TB, 200GiB, or bytes."}),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema({"type": ["string", "number"], "description": "Share: 5% or 0.05."}),
]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_names),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "Names; * and ? stand for any text and any letter.",
        }
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Part):
    """Which footage is meant: everything given must hold; nothing given means all."""

    camera: Names = ()
    group: Names = ()
    site: Names = ()
    stream: Names = ()
    event: Names = Field((), description="Only footage touched by an event of these kinds.")

    @property
    def anything(self) -> bool:
        """Tell whether it matches all footage."""
        return self == Match()


class Ages(_Part):
    """How long: kept at least ``min``, and gone after ``max``."""

    min: Age = 0
    max: Age


class Keep(Ages):
    """Ages at one level, other ones for footage touched by an event."""

    events: Ages | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        return value if isinstance(value, Mapping | Keep) else {"min": value, "max": value}


class Replicate(_Part):
    """What travels up, how urgently, and by when."""

    what: Literal["all", "events", "clean-points"] = "all"
    to: str = Field(description="Level that gets a copy.")
    class_: Literal["urgent", "normal", "idle"] = Field("normal", alias="class")
    within: Age | None = Field(None, description="Deadline after the footage was recorded.")


class Thin(_Part):
    """After an age keep only clean points, at a level."""

    after: Age
    at: str


class Move(_Part):
    """From an age on footage lies in another store of the same site."""

    after: Age
    to: str = Field(description="Store, which `stores` names.")


def _several(value: object) -> object:
    if value is None:
        return ()
    return [value] if isinstance(value, Mapping | Thin | Move) else value


Thins = Annotated[
    tuple[Thin, ...],
    BeforeValidator(_several, json_schema_input_type=Thin | tuple[Thin, ...] | None),
]
Moves = Annotated[
    tuple[Move, ...],
    BeforeValidator(_several, json_schema_input_type=Move | tuple[Move, ...] | None),
]


class Rule(_Part):
    """The first rule that matches a segment decides; with ``at_least`` those after it add to it."""

    name: str
    match: Match = Match()
    at_least: bool = Field(
        False, description="Where a later rule that matches keeps it longer, that counts."
    )
    keep: dict[str, Keep] = Field(
        description="By store name, level, or `any`, as {any: 30d}; 30d is both min and max."
    )
    replicate: tuple[Replicate, ...] = ()
    thin: Thins = Field((), description="One, or one for each level or store.")
    move: Moves = Field((), description="One, or one for each store on its way.")


class Room(_Part):
    """The room that stays free in a store."""

    floor: Share = 0.05


class Quota(_Part):
    """Bytes that matching footage is guaranteed in each store, and may not exceed.

    ``per``: not all of it together, but each site's, group's or camera's by itself.
    """

    name: str
    per: Literal["all", "site", "group", "camera"] = "all"
    match: Match = Match()
    store: str = Field("any", description="Store name, level, or `any`.")
    min: Size = 0
    max: Size | None = None


class Pressure(_Part):
    """One step of what goes first when a store is below its floor."""

    match: Match = Match()
    older_than: Age = 0


class OffLink(_Part):
    """What a site may still destroy when it has not heard from its parent."""

    after: Age
    may: Literal["nothing", "floor", "copied", "all"] = "floor"


class Policy(_Part):
    """The whole document, checked."""

    levels: tuple[str, ...] = ("post", "sub-centre", "centre")
    kinds: Names = Field((), description="Kinds of events besides those there are.")
    rules: tuple[Rule, ...]
    stores: dict[str, Room] = Field(default_factory=dict)
    quotas: tuple[Quota, ...] = ()
    pressure: tuple[Pressure, ...] = ()
    off_link: OffLink | None = None
    events: dict[str, Age] = Field(
        default_factory=dict,
        description="How long events stay, by kind or `any`: then they go, once no footage that "
        "they touch is left. At least 7d; what is not named stays forever.",
    )
    blast_radius: Share = Field(
        0.25, description="Share of a store one hour may condemn without an admin's word."
    )
    version: int = Field(0, exclude=True, json_schema_extra={"readOnly": True})

    def event_age(self, kind: str) -> int:
        """Return how long an event of a kind stays at least, in ns."""
        return max(LEAST_EVENT_AGE, self.events.get(kind, self.events.get("any", FOREVER)))

    @property
    def least_event_age(self) -> int:
        """Return the shortest of these ages; ``FOREVER``: all events stay."""
        return max(LEAST_EVENT_AGE, min(self.events.values(), default=FOREVER))

    def room(self, store: str, level: str) -> Room:
        """Return what applies to a store, by its name, its level, or ``any``."""
        for name in (store, level, "any"):
            if name in self.stores:
                return self.stores[name]
        return Room()


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document: made once, for it takes 20 ms; nobody changes it."""
    found = Policy.model_json_schema(by_alias=True)
    found["properties"].pop("version")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
