"""``recorder serve``: run this node until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path

import click

from recorder import logs, telemetry
from recorder import process as processes
from recorder.accounts import invitations
from recorder.admission import check_site
from recorder.app import App
from recorder.cli.context import Context, pass_context
from recorder.errors import CatalogUnavailable, ConfigError, KeyMissing, SpoolTaken
from recorder.process import take_descriptors
from recorder.service import Service
from recorder.spool.owned import owned
from recorder.store.identity import refuse_twins
from recorder.threads import in_thread

log = logging.getLogger("recorder.serve")

STORES_S = 3.0
"""So long a start waits for its stores to say which they are; they are asked again when used."""
CLOSE_S = 5.0
"""So long files are closed and threads end once all is said, such as the catalog's on a disk that
hangs."""
AGAIN_S = 1.0
"""So long after it was away the catalog is asked again for the key."""


class Unanswered(Exception):
    """The process is to end before the spool's disk has answered: nothing was begun."""


@contextlib.asynccontextmanager
async def running(
    app: App,
    lacks: Callable[[ConfigError], None] | None = None,
    told: asyncio.Event | None = None,
) -> AsyncIterator[Service]:
    """Run service and API; both are stopped cleanly on leaving.

    ``lacks`` is told when it turns out only later that this node must not run: without the key, or
    under the name of another.  ``told``: that it is to end.
    Raises: :class:`Unanswered` where that comes while the spool's disk does not answer.
    """
    loop = asyncio.get_running_loop()

    def must_end(why: ConfigError) -> None:
        if lacks is not None:
            loop.call_soon_threadsafe(lacks, why)

    service = Service(app, must_end)
    door = None
    if "api" in app.settings.roles:
        from recorder.api.door import Door  # a node may do without

        door = Door(app, service)
    if door is not None:
        await door.open()  # a taken port is said before anything else starts
    captures = "capture" in app.settings.roles
    try:
        await _know_site(app)
        await _refuse_twins(app)
        await _look_for_key(app, lacks)
        owner = owned(app.settings.spool_path) if captures else contextlib.nullcontext()
        await _own(owner, service, told or asyncio.Event())
        try:
            await service.start()
            yield service
        finally:
            try:
                if door is not None:
                    await door.close()
                await service.stop()
            finally:
                owner.__exit__(None, None, None)
    except (SpoolTaken, ConfigError, Unanswered):
        if door is not None:
            await door.close()
        raise


async def _own(
    owner: contextlib.AbstractContextManager[None], service: Service, told: asyncio.Event
) -> None:
    """Own the spool, as soon as its disk answers.

    Raises: ``SpoolTaken``; :class:`Unanswered`.
    """
    entering: asyncio.Future[object] = in_thread("spool", owner.__enter__)
    ending: asyncio.Future[object] = asyncio.ensure_future(told.wait())
    service.lacks_spool = True
    await asyncio.wait({entering, ending}, return_when=asyncio.FIRST_COMPLETED)
    service.lacks_spool = False
    ending.cancel()
    if not entering.done():
        raise Unanswered
    entering.result()


async def _know_site(app: App) -> None:
    """Refuse to start with another site's catalog, as far as it answers.

    Raises: ``ConfigError``.
    """
    with contextlib.suppress(CatalogUnavailable, TimeoutError):
        asked = in_thread("site", check_site, app.catalog.identities, app.settings.site)
        await asyncio.wait_for(asked, STORES_S)


async def _refuse_twins(app: App) -> None:
    """Refuse to start with one place under two names; stores that are slow keep nothing waiting.

    Raises: ``StoreRefused``.
    """
    if len(app.stores) > 1:
        with contextlib.suppress(TimeoutError):
            asked = in_thread("stores", refuse_twins, list(app.stores.values()))
            await asyncio.wait_for(asked, STORES_S)


async def _look_for_key(app: App, lacks: Callable[[ConfigError], None] | None) -> None:
    """See that secrets can be read; a node that shares a catalog does not run where not.

    It would hold streams that others could record.  One that is alone records what it can.  A
    catalog that answers late is heard then: ``lacks`` is told.
    Raises: ``KeyMissing``.
    """
    asked = asyncio.create_task(_missing_key(app))
    done, _ = await asyncio.wait({asked}, timeout=STORES_S)
    if not done:
        log.warning("nobody knows yet whether secrets can be read")
        if lacks is not None and app.settings.shared:
            asked.add_done_callback(partial(_heard_late, lacks))
        return
    missing = asked.result()
    if missing is not None and app.settings.shared:
        raise missing
    if missing is not None:
        log.error("secrets cannot be read", extra={"reason": str(missing), "hint": missing.hint})


async def _missing_key(app: App) -> KeyMissing | None:
    """Ask until the catalog answers under which key secrets are, and whether that is here."""
    while True:
        try:
            await in_thread("secrets", lambda: app.catalog.secrets.begin(app.clock.now()))
        except KeyMissing as exc:
            return exc
        except CatalogUnavailable:
            await asyncio.sleep(AGAIN_S)
        else:
            return None


def _heard_late(
    lacks: Callable[[ConfigError], None], asked: asyncio.Task[KeyMissing | None]
) -> None:
    if asked.cancelled():
        return
    if (exc := asked.exception()) is not None:
        log.error("nobody knows whether secrets can be read", extra={"reason": str(exc)})
    elif (missing := asked.result()) is not None:
        lacks(missing)


async def until_told(app: App) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; a second one waits for no other node."""
    told, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        (hurry if told.is_set() else told).set()

    missing: list[ConfigError] = []

    def lacks(exc: ConfigError) -> None:
        missing.append(exc)
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # of nohup
            loop.add_signal_handler(number, tell)
    async with running(app, lacks, told) as service:
        click.echo(
            f"recorder: node {app.settings.node} of site {app.settings.site} is up", err=True
        )
        if "api" in app.settings.roles:
            part = app.settings.api
            click.echo(f"recorder: {part.scheme}://{part.listen}/docs", err=True)
            await _unless_told(_tell_first_admin(app), told)
        processes.keep_what_is_made()
        await told.wait()
        await service.hand_over(hurry)
        click.echo("recorder: stopping, sealing the last segments", err=True)
    if missing:
        raise missing[0]


async def _unless_told(asking: Coroutine[object, object, None], told: asyncio.Event) -> None:
    """Wait for what asks the catalog, which may hang, until this process is to end."""
    doing: asyncio.Future[object] = asyncio.ensure_future(asking)
    ending: asyncio.Future[object] = asyncio.ensure_future(told.wait())
    waited = {doing, ending}
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
    finally:
        for one in waited:
            one.cancel()


async def _tell_first_admin(app: App) -> None:
    """Where everybody is asked who he is, and nobody is an admin, print the word of one."""

    def word() -> str:
        on = app.knower.look_whether()
        return invitations.first_admin(app.people) if on and not app.people.has_admin() else ""

    try:
        found = await in_thread("first admin", word)
    except CatalogUnavailable as exc:
        click.echo(f"recorder: nobody knows whether there is an admin: {exc}", err=True)
        return
    if found:
        click.echo("recorder: there is no admin; for a day this word makes one, once:", err=True)
        click.echo(f"recorder:   {found}", err=True)
        click.echo("recorder: recorder user redeem --name NAME, on this node", err=True)


@click.command()
@click.option("--config", "-c", type=click.Path(path_type=Path), help="Settings file (YAML).")
@click.option("--roles", help="Comma-separated: capture, ship, api, janitor.")
@pass_context
def serve(context: Context, config: Path | None, roles: str | None) -> None:
    """Run this node: capture, ship, serve, keep.

    SIGTERM stops it cleanly: other nodes of the site take its streams over first, without a lost
    frame, and the last segments are sealed, shipped or left in the spool.
    """
    if config is not None:
        context.config = config  # as before the command's name
    if roles is not None:
        context.flags["roles"] = _roles(roles)
    processes.fill_standard()
    logs.write_unhurried(telemetry.LOG_LOST.inc)
    logs.configure_logs(context.settings.log_level, context.settings.log_format)
    processes.few_arenas()
    processes.watch_by_descriptor()
    take_descriptors()
    try:
        asyncio.run(until_told(context.app))
    except Unanswered:
        click.echo("recorder: stopped while the spool's disk did not answer", err=True)
    processes.end_within(CLOSE_S, logs.drain)


def _roles(text: str) -> tuple[str, ...]:
    chosen = tuple(role.strip() for role in text.split(",") if role.strip())
    wrong = set(chosen) - {"capture", "ship", "api", "janitor"}
    if wrong or not chosen:
        raise click.BadParameter(f"no role {', '.join(sorted(wrong)) or 'named'}")
    return chosen


COMMANDS = (serve,)
