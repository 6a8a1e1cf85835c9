"""What a sign-in at a provider is made of, without one: flows, names, groups, settings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.access.flow import Flow, check_next, read_flow, write_flow
from recorder.access.mapped import groups_of, vouched
from recorder.errors import ConfigError, NotAllowed, NotKnown, RequestError
from recorder.model.timebase import MINUTE
from tests.support.provider import settings_of


@given(st.text(alphabet="/\\ab:?#.@\t\n\r%é ", max_size=8))
def test_nobody_is_sent_on_to_elsewhere(text: str) -> None:
    try:
        found = check_next(text)
    except RequestError:
        return
    assert found == "" or (found[0] == "/" and urlsplit(found).netloc == "")
    assert not found.startswith(("//", "/\\"))
    assert found.isprintable()
    assert "\\" not in found


def test_a_cookie_that_was_made_up_or_is_old_counts_not() -> None:
    flow, endless = Flow("w" * 61, 0, "/x"), cast(int, math.inf)
    assert read_flow(write_flow(flow), MINUTE) == flow
    for text, now in [
        (write_flow(flow), 11 * MINUTE),
        (write_flow(flow), -1),
        (write_flow(Flow("short", 0)), 1),
        (write_flow(Flow("w" * 61, 0, "//evil.example")), 1),
        (write_flow(Flow("w" * 61, 0, "", 80, "A" * 43)), 1),
        ("", 1), ("e30", 1), ("W10", 1), ("\u00e9", 1), ("x" * 4000, 1),
        ("W1tb" * 700, 1), (write_flow(Flow("w" * 61, endless)), 1),
    ]:  # fmt: skip
        with pytest.raises(NotKnown):
            read_flow(text, now)


def test_groups_may_lie_inside_and_everybody_is_a_group_that_is_named() -> None:
    inside = {"realm_access": {"roles": ["guards"]}}
    assert groups_of(inside, "realm_access.roles") == ["guards"]
    assert groups_of({"a.b": ["x"], "a": {"b": ["y"]}}, "a.b") == ["x"]
    assert groups_of({"groups": ["a", 7, None]}, "groups") == ["a"]
    said = {"iss": "https://p", "sub": "7", "email": "a@b", "email_verified": True}
    found = vouched(said, "email", "groups", {"*": [{"role": "viewer"}]})
    assert (found.name, found.groups) == ("oidc:a@b", ("*",))
    with pytest.raises(NotKnown, match="verified"):
        vouched({**said, "email_verified": "true"}, "email", "groups", {"*": []})
    with pytest.raises(NotAllowed):
        vouched(said, "email", "groups", {"*": []})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"issuer": "http://login.example"}, "issuer: 'http://login.example' is no https"),
        ({"issuer": "https://x", "redirect": "http://cam.example/x"}, "redirect"),
        ({"issuer": "https://x", "grants": {}}, "grants of some group"),
        ({"issuer": "https://x", "scopes": ["profile"]}, "openid"),
        ({"issuer": "https://x", "grants": {"a": [{"role": "king"}]}}, "grants.a: role 'king'"),
        ({"issuer": ""}, "issuer: missing"),
    ],
)
def test_settings_of_a_provider_that_cannot_work_are_refused(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        settings_of(tmp_path, **more)
