"""``recorder check | scrub | doctor | store``: prove, repair, explain."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from recorder.app import App
from recorder.audit.entry import Subject
from recorder.cli.context import Context, echo, emit, pass_context, progress, told
from recorder.cli.logged import answers
from recorder.cli.options import json_option
from recorder.cli.usage import usage
from recorder.doctor import examine, refused_writes
from recorder.errors import RecorderError, RequestError, StoreRefused, StoreUnavailable
from recorder.janitor.asked import silent_stores
from recorder.janitor.chained import check_chain
from recorder.janitor.check import (
    Finding,
    Tally,
    check_agreeing,
    check_held,
    check_spool,
    check_store,
    lose_missing,
)
from recorder.janitor.keeping import BEHIND
from recorder.janitor.scrub import pass_of, show_pass
from recorder.janitor.vanished import check_sealed
from recorder.model.counting import number_of
from recorder.model.places import parse_place, spool_of
from recorder.spool.lost import tell_lost
from recorder.spool.stranded import store_again
from recorder.store.owners import owner_advice
from recorder.store.probe import probe
from recorder.store.verify import is_there


def _found(context: Context, depth: str | None, tally: Tally, *, quiet: bool) -> list[Finding]:
    """Prove catalog, stores, chains, log and spool; ``depth``: of what is in the stores."""
    app, findings = context.app, list[Finding]()
    app.catalog.database.prove()  # what a damaged one says proves nothing
    for name, store in app.stores.items():
        try:
            app.admit(name)
        except StoreRefused as exc:
            findings.append(Finding("L3", f"store {name}", str(exc)))
            continue
        with progress(f"checking {name}", None, quiet=quiet) as step:
            findings += check_store(
                app.catalog.planning,
                store,
                depth or "presence",
                app.settings.grace_ns,
                app.clock.now(),
                tally,
                partial(step, 1),
                partial(time.sleep, 1),
                app.settings.site,
            )
        findings += check_held(app.catalog.planning, app.catalog.holds, name, app.clock.now())
        lines = app.sealed_log.lines if depth == "digest" else None
        findings += check_chain(app.catalog.planning, app.catalog.chain, name, lines)
    findings += check_agreeing(app.catalog.agreeing)
    if depth == "digest":
        findings += check_sealed(app.catalog, app.sealed_log.batches())
    findings += [
        Finding("L14", f"audit log, {one.kind}", one.detail)
        for one in answers(context).prove([], []).faults
    ]
    behind = app.upkeep.keeper.behind(app.planned_stores.values())
    if behind:
        findings.append(Finding("L4", "catalog", f"{behind}: {BEHIND}"))
    place = spool_of(app.settings.node)
    pause = partial(time.sleep, 1)
    findings += check_spool(app.catalog.planning, place, app.spool.path_of, tally, pause)
    return findings


def _has(app: App) -> Callable[[str, str], bool]:
    """Return what tells whether an object is in a store, or in this node's spool, right now."""

    def has(place: str, key: str) -> bool:
        if parse_place(place).own_spool:
            return app.spool.path_of(key) is not None
        return is_there(app.stores[place], key) is not False

    return has


@click.command()
@click.option("--size", "depth", flag_value="size", help="Compare sizes too.")
@click.option("--digest", "depth", flag_value="digest", help="Read every byte and compare digests.")
@click.option("--lose-missing", "lose", is_flag=True, help="Turn missing copies into gaps 'lost'.")
@json_option
@pass_context
def check(context: Context, depth: str | None, lose: bool, as_json: bool) -> None:
    """Prove the laws on catalog and stores; print what is broken (exit code 65)."""
    app, tally = context.app, Tally()
    findings = _found(context, depth, tally, quiet=as_json)
    if lose:
        context.note("copy.lose-missing", missing=len(findings))
        if lose_missing(app.catalog, findings, _has(app), app.clock.now()):
            tell_lost(app.catalog, app.clock.now())
        own = app.settings
        store_again(app.catalog.footage, app.spool, spool_of(own.node), own.site)
    if as_json:
        emit({"clean": not findings, **asdict(tally), "findings": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            echo(f"{finding.law}  {finding.subject}: {finding.detail}")
        echo(
            f"{'clean' if not findings else f'{len(findings)} broken'}: "
            f"{number_of(tally.copies, 'copy')}, {number_of(tally.objects, 'object')}, "
            f"{tally.bytes_read} bytes read"
        )
    if findings:
        context_exit(65)


@click.command()
@click.option("--status", is_flag=True, help="Show how far it is; read nothing.")
@json_option
@pass_context
def scrub(context: Context, status: bool, as_json: bool) -> None:
    """Read every stored copy again, prove its digest, repair it from another (exit code 65).

    A running node does this all the time; this finishes the present pass at full speed.
    """
    app = context.app
    scrubber = app.upkeep.make_scrubber(rate_bps=0)
    found = []
    for part in app.settings.all_stores:
        if not status and not part.readonly:
            app.admit(part.name)
            scrubber.run(app.stores[part.name], 0, float("inf"))
        state = pass_of(app.catalog.progress, part.name)
        found.append(show_pass(state, part.name, app.catalog.integrity.damaged(part.name)))
    if as_json:
        emit(found)
    for one in () if as_json else found:
        if one["began"] is None:
            echo(f"store {one['store']}: never scrubbed")
            continue
        echo(
            f"store {one['store']}: pass begun {one['began']}, "
            f"{'finished ' + one['finished'] if one['finished'] else 'not finished'}; "
            f"{number_of(one['checked'], 'copy')}, {one['repaired']} repaired, {one['lost']} lost, "
            f"{one['damaged']} damaged"
        )
    if any(one.get("damaged") or one.get("lost") for one in found):
        context_exit(65)


def context_exit(code: int) -> None:
    """Leave with a code after everything was said."""
    click.get_current_context().exit(code)


@click.command()
@json_option
@pass_context
def doctor(context: Context, as_json: bool) -> None:
    """Explain in plain words what is missing or slow on this machine."""
    findings = examine(context.app)
    if as_json:
        emit([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            echo(f"[{finding.level:4}] {finding.subject}: {finding.detail}")
            if finding.advice:
                echo(f"       {finding.advice}")
    if any(finding.level == "bad" for finding in findings):
        context_exit(69)  # EX_UNAVAILABLE


@click.group()
def store() -> None:
    """Look at stores, and take a store as one's own."""


@store.command("list")
@json_option
@pass_context
def store_list(context: Context, as_json: bool) -> None:
    """List the stores and whether each is the one the catalog knows."""
    rows: list[dict[str, Any]] = []
    refused, silent = refused_writes(context.app), silent_stores(context.app.stores)
    for part in context.settings.all_stores:
        others: dict[str, bool] = {}
        try:
            if part.name in silent:
                raise StoreUnavailable(silent[part.name])
            identity, others = context.app.admission.look(part.name)
            said = identity or "not used yet"
        except StoreUnavailable as exc:
            said = f"does not answer: {exc}"
        except RecorderError as exc:
            said = f"refused: {exc}"
        place = str(part.path) if part.kind == "directory" else f"{part.endpoint}/{part.bucket}"
        rows.append(
            {
                "store": part.name,
                "kind": part.kind,
                "place": place,
                "identity": said,
                "others": others,
                "writes": refused.get(part.name),
            }
        )
    if as_json:
        emit(rows)
    else:
        for row in rows:
            echo(f"{row['store']:12} {row['kind']:10} {row['place']}  {row['identity']}")
            for other, lives in row["others"].items():
                verb = "WRITES" if lives else "wrote"
                echo(f"  another recorder {verb} there as this site: {other}")
                echo(f"  {owner_advice(str(row['store']))}")
            if row["writes"]:
                echo(f"             TAKES NOTHING: {row['writes']}")


@store.command("adopt")
@click.argument("name")
@click.option("--yes", "sure", is_flag=True, help="Also from a recorder that may still live.")
@json_option
@pass_context
def store_adopt(context: Context, name: str, sure: bool, as_json: bool) -> None:
    """Take a store as ours although it holds objects, shows another identity or was another's.

    From another recorder of this site it is taken when that one has been silent for 16 minutes.
    """
    with context.doing("store.adopt", Subject(name=name), sure=sure):
        identity = context.app.admit(name, adopt=True, sure=sure)
    if as_json:
        emit({"store": name, "identity": identity})
    else:
        echo(f"store {name} is {identity}")


@store.command("probe")
@click.argument("name")
@json_option
@pass_context
def store_probe(context: Context, name: str, as_json: bool) -> None:
    """Try what a store can do."""
    if name not in context.app.stores:
        raise RequestError(f"no store {name!r}", hint="there are " + ", ".join(context.app.stores))
    facts = probe(context.app.stores[name])
    if as_json:
        emit(facts)
        return
    for key, value in facts.items():
        echo(f"{key.replace('_', ' '):16} {told(value)}")


store.add_command(usage)
COMMANDS = (check, scrub, doctor, store)
