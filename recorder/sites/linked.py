"""What a link is told of this site, and the parts of the catalog that it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from policies.law import Law
from recorder.janitor.apply import PlanCatalog
from recorder.model.schedule import Timetable
from recorder.model.timebase import Instant
from recorder.ports import (
    ChildCameras,
    Commits,
    Footage,
    Identities,
    Integrity,
    Nodes,
    Notices,
    Outbox,
    Peers,
    Progress,
    Secrets,
    Statuses,
)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """``budget_bps``: bytes per second of footage up, 0 for no limit; ``windows``: when a
    class may travel (always, where none is given); ``url``: where this site's API answers;
    ``law``: what a policy from above is held to;
    ``node``: which node of it speaks;
    ``about``: what else is told of this site, such as how access stands;
    ``catalog_id``: what this site's catalog is told apart by from another site of its name.
    """

    site: str
    level: str
    url: str
    budget_bps: int = 0
    windows: Mapping[str, Timetable] = field(default_factory=dict)
    catalog_id: Callable[[], str] = str
    law: Law = field(default_factory=Law)
    about: Callable[[], Mapping[str, object]] = dict
    node: str = ""


class LinkCatalog(PlanCatalog, Protocol):
    """The parts of the catalog that the link to the parent uses."""

    footage: Footage
    commits: Commits
    integrity: Integrity
    outbox: Outbox
    notices: Notices
    child_cameras: ChildCameras
    identities: Identities
    secrets: Secrets
    statuses: Statuses
    nodes: Nodes
    progress: Progress
    peers: Peers


def lag_s(now: Instant, oldest: Instant | None) -> float:
    """Say how long the oldest change has waited; none where the clock went back since."""
    return 0.0 if not oldest else max(0.0, round((now - oldest) / 1e9, 1))
