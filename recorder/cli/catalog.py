"""``recorder rebuild | backup | restore``: the catalog, made anew, kept, put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recorder.audit.entry import Subject
from recorder.catalog.backup import read_backup, write_backup
from recorder.cli.context import Context, echo, emit, pass_context, progress
from recorder.cli.options import json_option
from recorder.cli.rebuilt import say_rebuilt
from recorder.errors import KeyMissing, RequestError
from recorder.janitor.departed import check_stopped
from recorder.janitor.holes import say_holes
from recorder.janitor.intake import Rebuilt
from recorder.janitor.keeping_events import EventsBack
from recorder.janitor.lawful import lawful
from recorder.janitor.rebuild import Beside, drop_gone_here
from recorder.janitor.rebuild import rebuild as rebuild_store
from recorder.model.counting import number_of
from recorder.model.places import spool_of
from recorder.model.timebase import Instant, format_instant
from recorder.spool.lost import tell_lost
from recorder.spool.stranded import store_again

if TYPE_CHECKING:
    from recorder.app import App
    from recorder.ports import TakenBack


@click.command()
@click.option("--store", "name", help="Store to read; by default all.")
@click.option("--keep", is_flag=True, help="Only add: take out nothing, wherever its object is.")
@click.option("--yes", "sure", is_flag=True, help="Believe a store that shows no segment at all.")
@click.option(
    "--of", "sites", multiple=True, metavar="SITE",
    help="Take in footage of this site, too, though it writes into the store itself, or did.",
)  # fmt: skip
@click.option("--no-documents", "bare", is_flag=True, help="Leave holds and documents alone.")
@json_option
@pass_context
def rebuild(
    context: Context,
    name: str | None,
    keep: bool,
    sure: bool,
    sites: tuple[str, ...],
    bare: bool,
    as_json: bool,
) -> None:
    """Make the catalog's segments, spans and copies from the stores alone.

    Also reads buckets written by cameras that follow the ONVIF object storage format.  What is
    found is added; then copies go that the store has not.  May be stopped, and run again.

    Holds, policy, points, groups and events that the catalog does not know are taken back first
    from what the stores keep of them; cameras from what this node remembers.
    """
    app, begun = context.app, context.app.clock.now()
    if name and name not in app.stores:
        raise RequestError(f"no store {name!r}", hint="there are " + ", ".join(app.stores))
    names = [name] if name else list(app.stores)
    _admit(app, names)
    log = _take_up_log(context, quiet=as_json)
    context.note("catalog.rebuild", Subject(name=name or "all"), keep=keep)
    cameras = [] if bare else _cameras_back(app, names, quiet=as_json)
    taken = None if bare else _take_back(app, names, quiet=as_json)
    events = None if bare else _events_back(app, names, quiet=as_json)
    report: dict[str, Rebuilt] = {}
    for one in names:
        with progress(f"reading {one}", None, quiet=as_json) as step:
            report[one] = _one_store(app, one, partial(step, 1), keep, sure, sites)
        if not as_json:
            say_rebuilt(one, report[one])
    relinked = app.sealed_log.take_back(log)
    if not as_json and (relinked.batches or relinked.missing):
        lacking = number_of(relinked.missing, "batch")
        echo(
            f"chains: {number_of(relinked.links, 'link')} taken back from "
            f"{number_of(relinked.batches, 'batch')}"
            + (f"; {lacking} cannot be read" if relinked.missing else "")
        )
    gone = _own_spool(app, begun, keep=keep)
    if gone and not as_json:
        echo(f"spool: {number_of(gone, 'copy', 'copies')} gone")
    holes = _make_gaps(app, report, quiet=as_json)
    if app.settings.parent:  # a catalog that was older believes what was above then
        app.catalog.outbox.begin_anew(app.clock.now())
    for one in names:
        app.upkeep.keeper.settle(app.stores[one], app.clock.now())
    if as_json:
        kept = {"documents": taken, "events": events, "chains": relinked}
        back = {what: asdict(one) for what, one in kept.items() if one is not None}
        found = {one: asdict(done) for one, done in report.items()}
        emit(found | back | {"spool": gone, "cameras": cameras, "holes": holes})
    if any(one.unreadable or one.doubtful or one.contradicted for one in report.values()):
        click.get_current_context().exit(65)


def _own_spool(app: App, begun: Instant, *, keep: bool) -> int:
    """Take in what lies in this node's spool; return how much a catalog of before had there."""
    from recorder.ingest.leftovers import Leftovers

    own = app.settings
    Leftovers(app.catalog, app.spool, app.clock, own.node, own.site).register()
    if keep:
        return 0
    gone = drop_gone_here(app.catalog, spool_of(own.node), app.spool.path_of, begun)
    store_again(app.catalog.footage, app.spool, spool_of(own.node), own.site)
    return gone


def _make_gaps(app: App, report: Mapping[str, Rebuilt], *, quiet: bool) -> int | None:
    """Make gaps of what is nowhere; return how many, ``None`` where a store was not read."""
    if report.keys() < app.stores.keys():
        return None
    unread = [key for done in report.values() for key, _ in done.unreadable]
    cameras = app.catalog.cameras.all()
    holes = say_holes(app.catalog, app.settings.site, app.clock.now(), cameras, unread)
    if holes and not quiet:
        echo(f"gaps: {number_of(holes, 'hole')} between segments that are there")
    return holes


def _take_up_log(context: Context, *, quiet: bool) -> int:
    """Go on with the audit log where the store has it and the catalog lost it."""
    settled = context.app.press.settle()
    if quiet:
        return settled.state.number
    if settled.said:
        echo(f"audit log: a new one begins, {settled.state.origin}: {settled.said}")
    else:
        echo(f"audit log: {settled.state.origin}, {number_of(settled.state.assigned, 'entry')}")
    return settled.state.number


def _admit(app: App, names: Sequence[str]) -> None:
    """Make sure that every store is the one the catalog knows, before anything is read."""
    for part in app.settings.all_stores:
        if part.name not in names:
            continue
        if part.readonly and app.catalog.identities.of(part.name) is None:
            continue  # it shows no identity, and is never written to
        app.admit(part.name, over=True)


def _take_back(app: App, names: Sequence[str], *, quiet: bool) -> TakenBack | None:
    """Take back what only the lost catalog knew, before anything else is done."""
    kept = app.upkeep.keeper.newest(app.stores[one] for one in names)
    if kept is None:
        return None
    content, left = lawful(app.settings.law, kept.content)
    done = app.catalog.kept.put_back(content)
    done.left += left
    if not quiet:
        documents = ", ".join(done.documents) or "no policy"
        echo(
            f"documents of {format_instant(kept.at, 0)}: took back "
            f"{number_of(done.holds, 'hold')}, {number_of(done.points, 'point')}, "
            f"{number_of(done.groups, 'group')}, {documents}"
        )
        for one in done.left:
            echo(f"  not taken back: {one}")
    return done


def _cameras_back(app: App, names: Sequence[str], *, quiet: bool) -> list[str]:
    """Take cameras back from what this node remembers of them: no store keeps their secrets."""
    from recorder.wanted import take_back

    app.upkeep.keeper.behind(app.stores[one] for one in names)
    names = take_back(app, app.upkeep.keeper.knew)
    if names and not quiet:
        echo(f"cameras: took back {', '.join(names)}, as this node had them")
    return names


def _events_back(app: App, names: Sequence[str], *, quiet: bool) -> EventsBack:
    """Take events back before footage is: policy keeps longer what they touch."""
    done = app.upkeep.event_keeper.take_back([app.stores[one] for one in names])
    if not quiet:
        echo(f"events: took back {done.events}")
        for one in done.damaged:
            echo(f"  left out: {one}")
    return done


def _one_store(
    app: App, name: str, step: partial[None], keep: bool, sure: bool, sites: Sequence[str]
) -> Rebuilt:
    """Rebuild from one store; that it was begun is known until it is finished."""
    begun, note = app.clock.now(), f"rebuild {name}"
    writable = name in app.planned_stores
    app.catalog.progress.put(note, {"begun": begun, "finished": None}, begun)
    done = rebuild_store(
        app.catalog,
        app.stores[name],
        app.settings.site,
        begun,
        step,
        keep=keep,
        sure=sure,
        locks=writable,
        # where nothing is ever deleted, whose it is does not matter
        beside=Beside(app.spool.root / "mending", app.stores, sites if writable else None),
    )
    now = app.clock.now()
    app.catalog.progress.put(note, {"begun": begun, "finished": now}, now)
    if done.gone:
        tell_lost(app.catalog, now)
    return done


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@pass_context
def backup(context: Context, file: Path, as_json: bool) -> None:
    """Write the whole catalog into one new FILE, while the node runs.

    Secrets of cameras are encrypted in it: keep secrets.key too, elsewhere.
    """
    context.note("catalog.backup", Subject(name=str(file)))
    write_backup(context.app.catalog.database, file)
    if as_json:
        emit({"file": str(file), "bytes": file.stat().st_size})
    else:
        echo(f"{file}: {file.stat().st_size} bytes, proven whole")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="In place of all that the catalog has.")
@json_option
@pass_context
def restore(context: Context, file: Path, replace: bool, as_json: bool) -> None:
    """Put a backup FILE into the catalog; refused while a node of the site runs.

    Afterwards `recorder rebuild` finds what was recorded since.
    """
    app = context.app
    check_stopped(app.catalog.nodes, app.settings.site, app.site_clock.now())
    rows = read_backup(file, app.catalog.database, app.clock.now(), replace=replace)
    context.note("catalog.restore", Subject(name=str(file)), replace=replace)
    unread = _settle(app)
    if as_json:
        emit(rows)
    else:
        echo(
            f"{file}: {number_of(rows['segment'], 'segment')}, "
            f"{number_of(rows['camera'], 'camera')}, {number_of(rows['hold'], 'hold')}, "
            f"{number_of(rows['event'], 'event')}"
        )
        echo("what was recorded since the backup is found by: recorder rebuild")
    if unread:
        click.echo(f"recorder: {unread}", err=True)


def _settle(app: App) -> str:
    """Encrypt what the backup had in plain; say why secrets cannot be read, if so."""
    try:
        app.catalog.secrets.settle(app.clock.now())
    except KeyMissing as exc:
        return f"{exc}; {exc.hint}"
    return ""


COMMANDS = (rebuild, backup, restore)
