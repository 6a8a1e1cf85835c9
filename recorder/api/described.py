"""How the API describes itself: one place for what all operations share.

FastAPI knows parameters and answers; here stand problems, statuses, short names, and the
headers of footage, so that a client that is generated of it can do all that the API can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

PROBLEM = "application/problem+json"
TAGS = {
    "cameras": "What should be recorded, and how it is doing.",
    "find": "Timelines and coverage: what there is, and why something is not.",
    "fetch": "Clips, playback, single frames, stored objects.",
    "exports": "Bundles of evidence, signed: asked for, made by and by, fetched.",
    "holds and events": "What nobody may delete; what happened; the points that raise events.",
    "policy": "How long footage is kept, and why.",
    "sites": "The tree of sites, and cameras of those below.",
    "access": "Signing in; users, sessions, tokens, and why somebody may do something.",
    "audit": "Who looked at what and changed what, and the log's signed checkpoint.",
    "operate": "Nodes, stores, health, metrics.",
}
STATUSES = {
    "400": "The request must change: a parameter is missing, unknown, or cannot be read.",
    "401": "Nobody is known by this request: sign in, or send a token.",
    "403": "The caller may not do this.",
    "404": "Nothing has that name, or there is no footage; the hint names the nearest.",
    "408": "The body did not come in time.",
    "409": "The world is not so: a name at several sites, or taken; gaps; two codecs; what lives.",
    "412": "The document changed since it was read.",
    "413": "The body is too large.",
    "415": "The body is not said to be application/json.",
    "421": "This node is not known under that name.",
    "422": "The document breaks a rule; the detail gives the path of the mistake.",
    "429": "The caller asks for too much in too short a time.",
    "500": "A mistake of the recorder's, or bytes that are not what they should be.",
    "502": "A store refuses.",
    "503": "Something does not answer, there is no room, or footage is not there yet: try again.",
}
ALWAYS = ("400", "401", "403", "421", "429", "500", "503")
OF_WRITES = ("408", "413", "415", "422")
OF_FOOTAGE = ("404", "409", "502")
_RETRY = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}

Headers = dict[str, dict[str, object]]
Answers = dict[int | str, dict[str, object]]
"""Of a route, by status, as FastAPI takes them."""


def header(description: str, kind: str = "string") -> dict[str, object]:
    """Describe a header."""
    return {"description": description, "schema": {"type": kind}}


TIMES: Headers = {
    "ETag": header("Strong; the same question has the same while its footage stays the same."),
    "Link": header("Where the true times, all gaps and the timeline are (RFC 8288)."),
    "X-Gaps": header("Number of gaps in the range.", "integer"),
    "X-Covered-Seconds": header("How much of the range has footage.", "number"),
    "X-Missing-Seconds": header("How much has none.", "number"),
    "X-Missing": header("The first five gaps: START/END CAUSE, ..."),
}
BYTES: Headers = {
    "Accept-Ranges": header("bytes"),
    "Content-Length": header("Known before the first byte.", "integer"),
}
ASKED = {
    "Range": "bytes=FIRST-LAST, one range.",
    "If-Range": "The ETag of the part that is there already.",
    "If-None-Match": "The ETag of what is there already.",
}
BINARY = {"schema": {"type": "string", "format": "binary"}}


def footage(what: str, kinds: tuple[str, ...], headers: Headers) -> Answers:
    """Describe answers of bytes that may be asked for by range."""
    content = {kind: BINARY for kind in kinds}
    part = {"Content-Range": header("bytes FIRST-LAST/LENGTH"), **BYTES, **headers}
    return {
        200: {"description": what, "content": content, "headers": {**BYTES, **headers}},
        206: {
            "description": "The bytes asked for with Range.",
            "content": content,
            "headers": part,
        },
        304: {"description": "The ETag in If-None-Match is still right."},
        416: {
            "description": "There are no such bytes.",
            "headers": {"Content-Range": header("bytes */LENGTH")},
        },
    }


VERSIONED: Answers = {200: {"headers": {"ETag": header("Its version, for If-Match.")}}}


BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A service's token (recorder token add), or the word of who signed in.",
}
"""How a program says who it is; a page of this address has a cookie."""


def media(what: str, kind: str, headers: Headers | None = None) -> Answers:
    """Describe an answer that is not JSON."""
    schema = {"schema": {"type": "string"}} if kind.startswith("text/") else BINARY
    return {200: {"description": what, "content": {kind: schema}, "headers": headers or {}}}


def example(body: object) -> Answers:
    """Give an example of an answer."""
    return {200: {"content": {"application/json": {"example": body}}}}


def name_operation(route: APIRoute) -> str:
    """Name an operation after its function."""
    return route.name


class Described(Protocol):
    """A route that FastAPI can describe."""

    @property
    def made(self) -> APIRoute:
        """It, as FastAPI makes it."""


def describe(api: FastAPI, routes: Sequence[Described]) -> None:
    """Have an application describe itself so, by these of its routes."""

    def openapi() -> dict[str, object]:
        if api.openapi_schema is None:
            found = get_openapi(
                title=api.title,
                version=api.version,
                description=api.description,
                routes=[route.made for route in routes],
                tags=[{"name": name, "description": said} for name, said in TAGS.items()],
                servers=[{"url": "/", "description": "This node."}],
            )
            for path, method, operation in operations(found):
                _complete(path, method, operation)
                _take_ranges(operation)
            _add_heads(found)
            found["components"]["securitySchemes"] = {"bearer": BEARER}
            found["security"] = [{"bearer": []}, {}]  # {}: where nobody is asked, or by a cookie
            api.openapi_schema = found
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and operation."""
    for path, methods in document["paths"].items():
        for method, operation in list(methods.items()):
            yield path, method, operation


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Say which problems an operation may answer with."""
    answers = operation["responses"]
    del answers["422"]  # it was only there so that no other stands there, and has the model
    for status in sorted(_statuses(path, method, operation) - set(answers)):
        answers[status] = {
            "description": STATUSES[status],
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": _RETRY} if status in ("429", "503") else {}),
        }


def _take_ranges(operation: dict[str, Any]) -> None:
    """Say which headers of a request for bytes are heeded."""
    if "206" not in operation["responses"]:
        return
    operation.setdefault("parameters", [])
    operation["parameters"] += [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": said,
            "schema": {"type": "string"},
        }
        for name, said in ASKED.items()
    ]


def _statuses(path: str, method: str, operation: dict[str, Any]) -> set[str]:
    found = set(ALWAYS)
    if method not in ("get", "head"):
        found |= set(OF_WRITES)
    if "{" in path:
        found |= {"404"} if method in ("get", "head") else {"404", "409"}  # taken, alive, not empty
    if operation.get("tags") in (["find"], ["fetch"]) or "explain" in path or "/events" in path:
        found |= set(OF_FOOTAGE)
    if operation.get("tags") in (["cameras"], ["holds and events"], ["policy"], ["audit"]):
        found |= {"404", "409"}
    if operation.get("tags") == ["exports"]:
        found |= {"404", "409"}
    if "/access/" in path:
        found |= {"404", "422"} if path.endswith(("/tokens", "/explain")) else set()
    if "/oidc/" in path or "/approvals" in path:
        found |= {"404", "409"}
    if operation.get("tags") == ["policy"]:
        found.add("502")
    names = {one["name"].lower() for one in operation.get("parameters", ())}
    return found | ({"412"} if names & {"if-match", "if-none-match"} else set())


def _add_heads(document: dict[str, Any]) -> None:
    """Describe HEAD where it is of use: what can be asked for by range."""
    for methods in document["paths"].values():
        read = methods.get("get")
        if read is None or "206" not in read["responses"]:
            continue
        name = read["operationId"].removeprefix("read_")
        head = {
            **read,
            "operationId": f"head_{name}",
            "summary": f"Head {name}",
        }
        head["responses"] = {
            status: {key: value for key, value in said.items() if key != "content"}
            for status, said in read["responses"].items()
        }
        methods["head"] = head
