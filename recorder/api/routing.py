"""Routes of the API: said where modules are read, made when somebody first asks for one.

To make a route, FastAPI has pydantic compile the schemas of all that goes in and out: a second and
megabytes for all of them, of which a node that records is asked for three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from recorder.api.clean_json import CleanJson
from recorder.api.described import name_operation
from recorder.api.known import known_parameters
from recorder.api.refused import problem_of_words
from recorder.api.schemas import Problem
from recorder.api.solved import Plan, plan_of

E = TypeVar("E", bound=Callable[..., object])


class Route(BaseRoute):
    """A method of an address; ``made`` is FastAPI's, one for all doors of this process."""

    def __init__(self, path: str, endpoint: Callable[..., object], method: str, **how: Any) -> None:
        self.path, self.methods = path, {method}
        self.path_regex = compile_path(path)[0]
        self._endpoint, self._how = endpoint, how

    @cached_property
    def made(self) -> APIRoute:
        """Make it, with what all routes share."""
        how = {"response_class": CleanJson, **self._how}
        how["dependencies"] = [Depends(known_parameters), *how.pop("dependencies", ())]
        how["responses"] = {422: {"model": Problem}, **how.pop("responses", {})}
        return APIRoute(
            self.path,
            self._endpoint,
            methods=self.methods,
            generate_unique_id_function=name_operation,
            **how,
        )

    @cached_property
    def plan(self) -> Plan | None:
        """How it is answered past FastAPI; ``None`` where it cannot be."""
        return plan_of(self.made)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for it; only then it is made."""
        if scope["type"] != "http" or not self.path_regex.match(scope["path"]):
            return Match.NONE, {}
        return self.made.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self.made.handle(scope, receive, send)


class Routes:
    """The routes of a module, in order: the first that a request is for answers it."""

    def __init__(self, prefix: str = "", tags: tuple[str, ...] = ()) -> None:
        self.routes: list[Route] = []
        self._prefix, self._tags = prefix, tags

    def get(self, path: str, **how: object) -> Callable[[E], E]:
        """Say that a function answers GET; ``how``: as FastAPI takes it."""
        return self._of("GET", path, how)

    def head(self, path: str, **how: object) -> Callable[[E], E]:
        """Say that a function answers HEAD."""
        return self._of("HEAD", path, how)

    def post(self, path: str, **how: object) -> Callable[[E], E]:
        """Say that a function answers POST."""
        return self._of("POST", path, how)

    def put(self, path: str, **how: object) -> Callable[[E], E]:
        """Say that a function answers PUT."""
        return self._of("PUT", path, how)

    def patch(self, path: str, **how: object) -> Callable[[E], E]:
        """Say that a function answers PATCH."""
        return self._of("PATCH", path, how)

    def delete(self, path: str, **how: object) -> Callable[[E], E]:
        """Say that a function answers DELETE."""
        return self._of("DELETE", path, how)

    def _of(self, method: str, path: str, how: dict[str, object]) -> Callable[[E], E]:
        def keep(endpoint: E) -> E:
            one = Route(self._prefix + path, endpoint, method, tags=list(self._tags), **how)
            self.routes.append(one)
            return endpoint

        return keep


class Direct:
    """Answers those routes that need no more of FastAPI than its description: a middleware."""

    def __init__(self, inner: ASGIApp, routes: Iterable[Route]) -> None:
        self.inner = inner
        self._near: dict[str, list[Route]] = {}
        for route in routes:
            self._near.setdefault(_beginning(route.path), []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        route = self._find(scope) if scope["type"] == "http" else None
        if route is None or route.plan is None:
            await self.inner(scope, receive, send)
            return
        scope["route"], scope["endpoint"] = route.made, route.made.endpoint
        try:
            answer = await route.plan.answer(Request(scope, receive, send))
        except RequestValidationError as exc:
            answer = problem_of_words(exc)
        await answer(scope, receive, send)

    def _find(self, scope: Scope) -> Route | None:
        """Return the first route that a request is for, as FastAPI does; with its parameters."""
        for route in self._near.get(_beginning(scope["path"]), ()):
            found = route.path_regex.match(scope["path"])
            if found is not None and scope["method"] in route.methods:
                scope["path_params"] = found.groupdict()
                return route
        return None


def _beginning(path: str) -> str:
    """Return what of an address no parameter stands in.

    >>> _beginning("/api/v1/cameras/{camera}/timeline"), _beginning("/healthz")
    ('/api/v1/cameras', '/healthz')
    """
    return "/".join(path.split("/", 4)[:4])
