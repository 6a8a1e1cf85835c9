"""Retention: decide for every copy in a store whether it stays, and say why.  Pure.

Laws: no held copy is condemned (L5); the last verified copy stays until its rule has
expired (L6).  Only a floor or a quota breaks a guarantee, last of all, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.document import OffLink, Policy
from policies.facts import StoreFacts
from policies.judge import (
    GO,
    MOVE,
    STAY,
    THIN,
    WAIT,
    Judged,
    Verdict,
    judge,
)
from policies.plan import Move, Plan, Spare, Thin
from policies.reach import blast
from policies.room import keep_ceiling, keep_floor
from policies.work import Work, scopes_of
from recorder.model.counting import number_of
from recorder.model.keys import StreamId
from recorder.model.media import THIN as THIN_MARK
from recorder.model.sizes import format_size
from recorder.model.timebase import Instant, TimeRange


def retain(policy: Policy, facts: StoreFacts) -> Plan:
    """Decide, for every living copy in a store, whether it stays."""
    work = _decide(policy, facts)
    lost = sum(1 for action in (*work.actions, *work.condemned) if action.below_min)
    if lost:
        many = number_of(lost, "segment goes before its", "segments go before their")
        work.warnings.append(f"{many} guaranteed minimum")
    if work.bytes_refused:
        work.warnings.append(f"the store refuses to delete {format_size(work.bytes_refused)}")
    kept = sum(len(judged.lane) - len(judged.gone) for judged in work.lanes)
    total = sum(sum(judged.lane.sizes) for judged in work.lanes)
    return Plan(
        facts.store,
        tuple(work.actions),
        kept,
        total - work.bytes_going,
        policy.version,
        work.waiting,
        (*facts.warnings, *work.warnings),
        blast(policy, work),
        tuple(work.thins),
        tuple(work.condemned),
        tuple(_spares(work)),
        tuple(work.moves),
    )


def _spares(work: Work) -> Iterator[Spare]:
    """Yield the copies marked before that nothing lets go today."""
    limit = _off_link(work.policy.off_link, work.facts)
    for judged in work.lanes:
        lane = judged.lane
        for i in sorted(lane.condemned - judged.gone):
            said = judged.verdict(i, limit)
            yield Spare(
                lane.stream,
                lane.starts[i],
                lane.ends[i],
                lane.writers[i],
                lane.sizes[i],
                said.rule,
                said.reason,
            )


def verdict_on(
    policy: Policy, facts: StoreFacts, stream: StreamId, start: Instant, writer: str
) -> tuple[Verdict, str] | None:
    """Return what the plan of these facts does with one copy, and why it is stopped, if it is.

    ``None`` when the copy is not among them.  For what room makes go, ``facts`` must hold all
    copies: see :func:`needs_all`.
    """
    work = _decide(policy, facts)
    found = _found(policy, work, stream, start, writer)
    return (found, blast(policy, work)) if found is not None else None


def _found(
    policy: Policy, work: Work, stream: StreamId, start: Instant, writer: str
) -> Verdict | None:
    planned = ((work.actions, GO), (work.condemned, GO), (work.thins, THIN), (work.moves, MOVE))
    for made, do in planned:
        for one in made:
            if (one.stream, one.start, one.writer) == (stream, start, writer):
                to = one.to if isinstance(one, Move) else ""
                return Verdict(do, one.rule, one.reason, to=to)
    for judged in work.lanes:
        lane = judged.lane
        for i in lane.overlapping(TimeRange(start, start + 1)) if lane.stream == stream else ():
            if (lane.starts[i], lane.writers[i]) == (start, writer):
                limit = _off_link(policy.off_link, work.facts)
                found = judged.verdict(i, limit)
                if found.do != STAY:
                    return found
                if i in judged.thinnable():
                    return judged.thin_verdict(i, limit, made=False)  # it waits
                move = judged.moved(i) if i not in judged.held else None
                return judged.move_verdict(i, move[0], there=move[1]) if move else found
    return None


def _decide(policy: Policy, facts: StoreFacts) -> Work:
    work = Work(policy, facts, [judge(policy, facts, lane) for lane in facts.lanes])
    if facts.level not in policy.levels and not all("any" in rule.keep for rule in policy.rules):
        work.warnings.append(
            f"this site's level {facts.level!r} is not among the document's: "
            "what no rule keeps by store or `any` is kept"
        )
    work.warnings += _kept_nowhere(work)
    limit = _off_link(policy.off_link, facts)
    _move_out(work)
    _age_out(work, limit)
    _thin_out(work, limit)
    if limit in ("", "all"):
        for quota in policy.quotas:
            for said, lanes in scopes_of(work, quota):
                keep_ceiling(work, quota, said, lanes)
    if limit != "nothing":
        keep_floor(work, limit)
    return work


def _kept_nowhere(work: Work) -> Iterator[str]:
    """Say which rules let footage go as it comes, and send none of it up: hardly anybody means it.

    Such as one that names a level above alone, where cameras are.
    """
    found: dict[str, int] = {}
    for judged in work.lanes:
        case, lane = judged.usual, judged.lane
        if case.ages.max or case.needs:
            continue
        if any(i not in judged.held and i not in lane.copied for i in range(len(lane))):
            found[case.path] = found.get(case.path, 0) + 1
    for path, count in found.items():
        many = number_of(count, "stream")
        yield f"{path}, and sends none of it up: what is recorded of {many} goes as it comes"


def _off_link(rule: OffLink | None, facts: StoreFacts) -> str:
    """Return what the site may still do out of touch; nothing said means no limit."""
    silent = facts.parent_silent_ns
    return rule.may if rule is not None and silent is not None and silent > rule.after else ""


def _move_out(work: Work) -> None:
    """Put into another store what belongs there; let go of it here once it is there.

    First of all: what is elsewhere, too, goes before anything that is nowhere else.
    """
    for judged in work.lanes:
        lane = judged.lane
        made = _made_thin(judged)
        for i, step, there in judged.movable():
            if (lane.starts[i], lane.writers[i] + THIN_MARK) in made:
                continue  # it goes as what is thin
            said = judged.move_verdict(i, step, there=there)
            if said.do == GO:
                due = judged.due(i, step.after_ns)
                work.take((judged, i), said.rule, said.reason, due=due, moved=True)
                continue
            judged.leaving.add(i)
            if said.do == WAIT:
                work.leave(said.reason)
            else:
                work.moves.append(
                    Move(
                        lane.stream,
                        lane.starts[i],
                        lane.ends[i],
                        lane.writers[i],
                        lane.sizes[i],
                        said.rule,
                        said.reason,
                        said.to,
                    )
                )


def _made_thin(judged: Judged) -> set[tuple[Instant, str]]:
    """Return what there is of a lane that is thin, and whole so far as is known.

    By start and writer.
    """
    lane = judged.lane
    return {
        (lane.starts[i], lane.writers[i])
        for i in range(len(lane))
        if lane.is_thin(i) and i not in lane.condemned and i not in lane.damaged
    }


def _age_out(work: Work, limit: str) -> None:
    for judged in work.lanes:
        for i in judged.expired():
            if i in judged.gone or i in judged.leaving:
                continue
            said = judged.verdict(i, limit)
            if said.do == GO:
                due = judged.due(i, judged.case(i).ages.max)
                work.take((judged, i), said.rule, said.reason, due=due)
            else:
                work.leave(said.reason)


def _thin_out(work: Work, limit: str) -> None:
    """Make thin what is old enough; let the original go once its clean points are there."""
    for judged in work.lanes:
        lane = judged.lane
        made = _made_thin(judged)
        for i in judged.thinnable():
            if i in judged.leaving:
                continue  # whole, as it is to be there
            thin = (lane.starts[i], lane.writers[i] + THIN_MARK) in made
            said = judged.thin_verdict(i, limit, made=thin)
            if said.do == WAIT:
                work.leave(said.reason)
            elif said.do == GO:
                due = judged.due(i, judged.case(i).thin_ns)
                work.take((judged, i), said.rule, said.reason, due=due)
            else:
                work.thins.append(
                    Thin(
                        lane.stream,
                        lane.starts[i],
                        lane.ends[i],
                        lane.writers[i],
                        lane.sizes[i],
                        said.rule,
                        said.reason,
                    )
                )
