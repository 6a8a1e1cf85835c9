"""Each role asks what the API's description allows, and it answers as described."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from recorder.access.permissions import Role
from recorder.api.server import make_api
from recorder.app import App
from recorder.capture.command import Tracks
from recorder.config import ApiPart, load_settings
from recorder.limits import LimitsPart
from recorder.model.camera_document import parse_camera
from recorder.model.timebase import format_instant
from tests.support.access import person
from tests.support.doors import put_film
from tests.support.make import STREAM
from tests.support.shelf import STORE, Shelf, make_film, record_files

CONFORM = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
AWAY = {"NotYet", "SourceUnreachable"}
"""Footage that may still come, a camera that is probed and is not there: 503, by design."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A node that asks everybody, with nine seconds of footage; nobody waits for more."""
    folder = tmp_path_factory.mktemp("asked")
    often = LimitsPart(rate=10_000, burst=100_000)
    part = ApiPart(access="on", listen="127.0.0.1:0", wait=0, limits=often)
    found = App(load_settings(None, data=folder / "data", site=STREAM.site, node="n1", api=part))
    found.admit(STORE)
    film = Shelf(folder)
    film.put(record_files(make_film(folder), folder / "run", 3, Tracks()))
    span = put_film(found, film)
    found.__dict__["span"] = span
    film.close()
    yield found
    found.close()


@pytest.fixture(scope="module")
def schema(app: App) -> Any:
    return schemathesis.openapi.from_dict(make_api(app, None).openapi())


def set_back(app: App) -> None:
    """Have the camera again, whoever removed it."""
    if app.catalog.cameras.get(STREAM.camera) is None:
        app.catalog.cameras.put(parse_camera(STREAM.camera, {"url": "rtsp://10.0.0.7/x"}), 1, None)


def known(app: App, case: Any, draw: Callable[[st.SearchStrategy[bool]], bool]) -> None:
    """Have a case ask for what there is, half the time: what was made up is seldom there."""
    span = app.__dict__["span"]
    names = {"camera": STREAM.camera, "site": STREAM.site, "stream": STREAM.stream}
    times = {
        "start": format_instant(span.start, 9),
        "end": format_instant(span.end, 9),
        "at": format_instant(span.start + 10**9, 9),
    }
    for given_, there in ((case.path_parameters, names), (case.query, names | times)):
        for name in there.keys() & (given_ or {}).keys():
            if not draw(st.booleans()):
                given_[name] = there[name]


def ask_all(app: App, schema: Any, role: Role, examples: int) -> Counter[int]:
    """Have a role ask each operation so often; return the statuses it was answered with."""
    seen: Counter[int] = Counter()
    api: Any = make_api(app, None)
    with get_client(api, max_stream_events=1000) as client:
        shows = dict[str, str]()
        for operation in (found.ok() for found in schema.get_all_operations()):
            if not shows or "/access/" in operation.path:  # one before may have signed out
                shows = person(app, f"the-{role}", [{"role": role.value}])
            set_back(app)
            asking(app, client, operation, shows, seen, examples)()
    return seen


def asking(
    app: App,
    client: Any,
    operation: Any,
    shows: dict[str, str],
    seen: Counter[int],
    examples: int,
) -> Callable[[], None]:
    """Make what asks one operation, the same each time."""

    @seed(7)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), data=st.data())
    def ask(case: Any, data: Any) -> None:
        known(app, case, data.draw)
        case.headers = {**(case.headers or {}), **shows}
        response = case.call(session=client, base_url="http://127.0.0.1")
        seen[response.status_code] += 1
        case.validate_response(response, checks=CONFORM)
        refused_rightly(case.method, response)

    return ask


def refused_rightly(method: str, response: Any) -> None:
    """A refusal is a problem document; nothing breaks."""
    if response.status_code < 400 or method == "HEAD":
        return
    kind = response.headers["content-type"][0]
    assert kind.startswith("application/problem+json"), kind
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code
    assert problem["detail"]
    assert response.status_code < 500 or problem["title"] in AWAY, problem


BOTH_ENDS = (Role.VIEWER, Role.ADMIN)
"""Who may least and most of those that may anything; what each may is proven route by route."""


@pytest.mark.xdist_group("roles")
@pytest.mark.parametrize(
    "role",
    [pytest.param(one, marks=[] if one in BOTH_ENDS else [pytest.mark.long]) for one in Role],
)
def test_whatever_a_role_asks_is_answered_as_described(app: App, schema: Any, role: Role) -> None:
    seen = ask_all(app, schema, role, 1)
    assert seen[200] > 10
    assert (seen[403] > 0) == (role is not Role.ADMIN)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.xdist_group("roles")
@pytest.mark.parametrize("role", Role)
def test_whatever_a_role_asks_for_long_is_answered_as_described(
    app: App, schema: Any, role: Role
) -> None:
    assert ask_all(app, schema, role, 60)[200] > 100
