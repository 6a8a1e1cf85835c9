"""What a route asks of a request, found out once.

FastAPI describes routes, and says what their parameters may be.  But for each request it finds out
anew what every function wants: that took longer than most answers do.  Here it stands in a list.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Literal, Union, cast, get_args, get_origin

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from fastapi._compat import ModelField
    from fastapi.dependencies.models import Dependant

Call = Callable[..., Awaitable[object]]
Mistake = dict[str, object]

SIMPLE = (str, int, float, bool)
"""What one word of an address can be."""
ELSEWHERE = (
    "header_params",
    "cookie_params",
    "body_params",
    "response_param_name",
    "background_tasks_param_name",
    "websocket_param_name",
    "security_scopes_param_name",
)
"""What of a function's wishes only FastAPI knows how to grant."""
MISSED = object()
"""Stands for what a function would have returned, had it been given what it asks for."""


@dataclass(frozen=True, slots=True)
class Word:
    """A parameter that is a word of the address; ``where``: in its path, or in its query."""

    name: str
    alias: str
    where: Literal["path", "query"]
    required: bool
    default: object
    as_it_is: bool
    field: ModelField

    def read(self, request: Request, mistakes: list[Mistake]) -> object:
        """Return what a request says, or the default; ``MISSED``, and a mistake, for neither."""
        params = request.path_params if self.where == "path" else request.query_params
        said = params.get(self.alias)
        if said is None:
            if not self.required:
                return self.default
            at = (self.where, self.alias)
            mistakes.append({"type": "missing", "loc": at, "msg": "Field required", "input": None})
            return MISSED
        if self.as_it_is:
            return said
        value, wrong = self.field.validate(said, {}, loc=(self.where, self.alias))
        mistakes += cast("list[Mistake]", wrong)
        return MISSED if wrong else value


@dataclass(frozen=True, slots=True)
class Step:
    """A function, and where what it is given comes from; ``before``: steps of this list."""

    call: Call
    words: tuple[Word, ...]
    before: tuple[tuple[str, int], ...]
    needs: tuple[int, ...]
    request: str | None

    async def take(self, request: Request, known: list[object], mistakes: list[Mistake]) -> object:
        """Call it, or return ``MISSED`` when something that it wants is."""
        values: dict[str, object] = {name: known[at] for name, at in self.before}
        values.update({one.name: one.read(request, mistakes) for one in self.words})
        if MISSED in values.values() or any(known[at] is MISSED for at in self.needs):
            return MISSED
        if self.request is not None:
            values[self.request] = request
        return await self.call(**values)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order in which they are taken; the last is the route's own function."""

    steps: tuple[Step, ...]

    async def answer(self, request: Request) -> Response:
        """Answer a request.

        Raises: ``RequestValidationError``; what the functions raise.
        """
        known: list[object] = []
        mistakes: list[Mistake] = []
        for step in self.steps:
            known.append(await step.take(request, known, mistakes))
        if known[-1] is MISSED:
            raise RequestValidationError(mistakes)
        return cast(Response, known[-1])


def plan_of(route: APIRoute) -> Plan | None:
    """Return how a route is answered; ``None`` when it wants something that is not known here.

    So it is where its function does not say that it makes the answer itself.
    """
    made = inspect.signature(route.endpoint, eval_str=True).return_annotation
    if not (isinstance(made, type) and issubclass(made, Response)):
        return None
    steps: dict[object, Step] = {}
    try:
        _add(route.dependant, steps, top=True)
    except _NotKnown:
        return None
    return Plan(tuple(steps.values()))


class _NotKnown(Exception):
    """A function wants what is not known here."""


def _add(dependant: Dependant, steps: dict[object, Step], *, top: bool = False) -> int:
    """Add a function after those it depends on; return its place."""
    call = dependant.call
    if call is None or any(getattr(dependant, name, None) for name in ELSEWHERE):
        raise _NotKnown
    needs = [(one.name, _add(one, steps)) for one in dependant.dependencies]
    if call not in steps:
        path = [_word(one, "path") for one in dependant.path_params]
        query = [_word(one, "query") for one in dependant.query_params]
        steps[call] = Step(
            _awaited(call, in_thread=top),
            (*path, *query),
            tuple((name, at) for name, at in needs if name is not None),
            tuple(at for _, at in needs),
            dependant.request_param_name,
        )
    return list(steps).index(call)


def _awaited(call: Callable[..., object], *, in_thread: bool) -> Call:
    own = call if inspect.isroutine(call) else type(call).__call__
    if inspect.iscoroutinefunction(own):
        return cast(Call, call)
    if inspect.isgeneratorfunction(own) or inspect.isasyncgenfunction(own) or not in_thread:
        raise _NotKnown
    return partial(run_in_threadpool, call)


def _word(field: ModelField, where: Literal["path", "query"]) -> Word:
    info = field.field_info
    kind = info.annotation
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    kinds = tuple(one for one in kinds if one is not NoneType)
    if not all(one in SIMPLE or get_origin(one) is Literal for one in kinds):
        raise _NotKnown
    if info.validate_default or info.validation_alias not in (None, field.alias):
        raise _NotKnown
    return Word(
        field.name,
        field.alias,
        where,
        info.is_required(),
        None if info.is_required() else field.get_default(),
        kinds == (str,) and not info.metadata,
        field,
    )
