"""What people say meanwhile: holds, events, policies, what cameras are called."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import httpx

from recorder.model.timebase import SECOND, format_instant
from tests.fault.promises import Kept
from tests.fault.tree import Site, Tree, policy, quiet
from tests.support.ports import until

MISTAKEN = {"rules": [{"name": "all", "keep": {"any": "1m"}}]}


@contextmanager
def the_policy_is_mistaken(tree: Tree) -> Iterator[None]:
    """A typo is applied, and put right before the grace is over; or all is kept for a while."""
    with tree.taking("policy", "catalog centre") as free:
        if free:
            tree.say("mistaken policy")
            tree.put("/api/v1/policy", policy(short=False) if tree.short else MISTAKEN)
            for node in tree.nodes if not tree.short else ():
                if node.process is not None:
                    url, yes = "/api/v1/policy/apply", {"yes": "true"}
                    quiet(lambda: node.http.post(url, params=yes, timeout=5).is_success)  # noqa: B023
        yield
        if free:
            right = policy(tree.short)
            until(lambda: tree.put("/api/v1/policy", right), 90, "the policy is put right")


@contextmanager
def something_is_held(tree: Tree) -> Iterator[None]:
    """A hold is placed at a post or above; some are released again."""
    post, at = tree.dice.choice(tree.posts), tree.dice.choice([0, 1])
    where = tree.centre if at else post
    now, length = time.time_ns(), tree.dice.uniform(2, 12)
    start = now - round(tree.dice.uniform(length, 50) * SECOND)
    name = f"h{now}"
    body = {
        "id": name, "cameras": [f"{post.name}/cam"], "case": "17", "reason": "theft", "owner": "me",
        "start": format_instant(start), "end": format_instant(start + round(length * SECOND)),
    }  # fmt: skip
    tree.say(f"hold {name} of {post.name} at {where.name}")
    placed = _said(tree, where, "POST", "/api/v1/holds", body)
    end = start + round(length * SECOND)
    kept = Kept(post.name, where.name, start, end, now, sure=placed is True)
    tree.promises.kept[name] = kept
    tree.words["holds"][name] = (where.name, True if placed else None)
    yield
    if tree.dice.random() < 0.6:
        _release(tree, tree.dice.choice(sorted(tree.words["holds"])))


def _release(tree: Tree, name: str) -> None:
    where, held = tree.words["holds"][name]
    if held is False:
        return
    site = tree.sites[where]
    said = _said(tree, site, "DELETE", f"/api/v1/holds/{name}?by=me")
    one = tree.promises.kept[name]
    tree.say(f"hold {name} released: {said}")
    if said is not False:
        one.until = min(one.until, time.time_ns())
        one.undone &= bool(said)
        tree.words["holds"][name] = (where, False if said else None)


@contextmanager
def something_happens(tree: Tree) -> Iterator[None]:
    """An alarm at a post or above: what it touches is kept; some are taken away again."""
    post, at = tree.dice.choice(tree.posts), tree.dice.choice([0, 1])
    where = tree.centre if at else post
    now = time.time_ns()
    start = now - round(tree.dice.uniform(3, 50) * SECOND)
    name = f"e{now}"
    body = {
        "id": name, "camera": f"{post.name}/cam", "kind": "alarm", "at": format_instant(start),
        "pre": "2s", "post": "4s",
    }  # fmt: skip
    tree.say(f"event {name} of {post.name} at {where.name}")
    placed = _said(tree, where, "POST", "/api/v1/events", body)
    kept = Kept(post.name, where.name, start - 2 * SECOND, start + 4 * SECOND, now,
                sure=placed is True)  # fmt: skip
    tree.promises.kept[name] = kept
    tree.words["events"][name] = (where.name, True if placed else None)
    yield
    if tree.dice.random() < 0.3:
        chosen = tree.dice.choice(sorted(tree.words["events"]))
        where_name, there = tree.words["events"][chosen]
        if there is not False:
            said = _said(tree, tree.sites[where_name], "DELETE", f"/api/v1/events/{chosen}")
            tree.say(f"event {chosen} removed: {said}")
            if said is not False:
                one = tree.promises.kept[chosen]
                one.until, one.undone = min(one.until, time.time_ns()), bool(said)
                tree.words["events"][chosen] = (where_name, False if said else None)


@contextmanager
def a_camera_is_renamed(tree: Tree) -> Iterator[None]:
    """A camera's label is changed at its site, or from above."""
    post = tree.dice.choice(tree.posts)
    with tree.taking(f"catalog {post.name}", f"label {post.name}") as free:
        if free:
            label = f"label {time.time_ns()}"
            tree.say(f"camera of {post.name}: {label}")
            asked = {"label": label}
            said = _said(tree, post, "PATCH", "/api/v1/cameras/cam", asked)
            tree.words["labels"][post.name] = label if said else ""
        yield


def _said(
    tree: Tree, site: Site, method: str, path: str, body: Mapping[str, object] | None = None
) -> bool | None:
    """Ask a site for a change; ``None`` where nobody knows whether it was made."""
    if site.node.process is None:
        return False
    with suppress(httpx.ConnectError):
        try:
            answer = site.node.http.request(method, path, json=body, timeout=5)
        except httpx.ConnectError:
            raise
        except httpx.HTTPError:
            return None
        if answer.status_code >= 500:
            return None
        if not answer.is_success:
            tree.say(f"  {method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.is_success
    return False


BREAKS = [
    (1, the_policy_is_mistaken), (2, something_is_held), (2, something_happens),
    (1, a_camera_is_renamed),
]  # fmt: skip
