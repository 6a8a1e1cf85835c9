"""What is done about a policy in force that the law here forbids, and about holds beyond it.

No door lets such a document in; it can be in force all the same, where the limits came after it.
One that keeps too long goes on counting, for without it nothing would go at all; by one that
keeps too short nothing is deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

from policies.document import FOREVER, Policy
from policies.law import Law
from policies.read import parse_policy
from recorder import telemetry
from recorder.errors import BadDocument
from recorder.model.holds import Hold
from recorder.model.keys import CameraId, group_of
from recorder.model.timebase import format_duration

log = logging.getLogger("recorder.janitor")


def rests_by_law(law: Law, policy: Policy | None) -> str:
    """Say why nothing may be deleted by a policy in force; also tell what else the law forbids."""
    found = list(law.breaches(policy)) if policy is not None else []
    telemetry.POLICY_UNLAWFUL.set(bool(found))
    for one in found[:1]:
        log.error("the policy in force breaks the law", extra={"path": one.path, "why": one.said})
    return next((f"{one.path}: {one.said}" for one in found if one.short), "")


def refused_by_law(law: Law, body: object) -> str:
    """Say why a document that comes from elsewhere may not be put in force here.

    Nor may one that is not understood, a newer release's, perhaps: nothing would go by it, and
    nothing be sent up.
    """
    if not isinstance(body, Mapping):
        return "it is no document"
    try:
        law.check(parse_policy(body, stored=True))
    except BadDocument as exc:
        return str(exc)
    return ""


def beyond_law(law: Law, groups: Mapping[CameraId, str], holds: Iterable[Hold]) -> Iterator[str]:
    """Say which holds keep footage longer than the law lets a policy keep it: they may."""
    for hold in holds:
        most = [
            (camera, law.longest(camera, group_of(groups, camera))) for camera in hold.camera_ids
        ]
        over = [
            (camera, name, longest)
            for camera, (longest, name) in most
            if longest < FOREVER
            and (hold.expires is None or hold.expires > hold.range.start + longest)
        ]
        if over:
            camera, name, longest = over[0]
            end = "" if hold.expires is not None else "; it has no end, and should have one"
            yield (
                f"hold {hold.hold_id} (case {hold.case}) keeps footage of {camera} beyond the "
                f"{format_duration(longest)} that are the most by law ({name}){end}"
            )


def lawful(law: Law, content: Mapping[str, object]) -> tuple[Mapping[str, object], list[str]]:
    """Leave a policy that the law forbids by now out of what a store keeps; say so."""
    rows, taken, left = content.get("documents"), list[object](), list[str]()
    if not isinstance(rows, list):
        return content, left
    for row in rows:
        said = row if isinstance(row, Mapping) else {}
        why = refused_by_law(law, said.get("body")) if said.get("kind") == "policy" else ""
        if why:
            left.append(f"policy version {said.get('version')}: {why}")
        else:
            taken.append(row)
    return {**content, "documents": taken}, left
