"""Between sites: the feed, footage on its way up, reads across, and the tree."""

from __future__ import annotations

import asyncio
import queue
import zlib
from concurrent.futures import ThreadPoolExecutor

from fastapi import Request, Response

from recorder.access.permissions import Permission as P
from recorder.api.clean_json import CleanJson
from recorder.api.deps import AppDep, AuthorDep, CallerDep, ExpectedDep, LoseQuery
from recorder.api.gate import needs
from recorder.api.guard import check_length
from recorder.api.logged import logs
from recorder.api.paging import PAGED, PagedDep, of_key
from recorder.api.routing import Routes
from recorder.api.sent import AdmittedBody, CameraBody
from recorder.api.shown import ShownDepartedSite, ShownSite
from recorder.api.shown_cameras import ShownCameraBelow
from recorder.app import App
from recorder.audit.entry import Subject
from recorder.catalog.rows import read_body
from recorder.errors import BadDocument, NotAllowed, TooLarge
from recorder.model.caller import CallerKind
from recorder.model.camera_document import show_camera
from recorder.model.checks import check_text, read_json
from recorder.model.keys import CameraId
from recorder.model.timebase import format_instant
from recorder.ports import ChildCamera
from recorder.sites.admitted import MOST_IDENTITY, admit
from recorder.sites.announced import read_announced, stream_of_transfer
from recorder.sites.below import check_site, put_below, read_below, remove_below
from recorder.sites.claimed import check_speaks
from recorder.sites.departed import remove_site
from recorder.sites.documents import documents_for_child, hear_child, sites_through
from recorder.sites.joining import node_keys
from recorder.sites.order import Coming, Order
from recorder.sites.receive import Receiver
from recorder.sites.tree import show_tree
from recorder.threads import Pool

router = Routes(prefix="/api/v1", tags=("sites",))

MOST_FEED = 64 << 20
MOST_TRANSFERS, MOST_OF_ONE = 32, 8
"""Transfers that come in at once, and of one child: each holds a thread as long as it takes."""
_FEEDS = Pool("feeds", 4)
"""Of children's messages; the others wait for their turn, not for what records."""
_ORDER = Order()
_TRANSFERS = ThreadPoolExecutor(MOST_TRANSFERS, thread_name_prefix="transfers")
_COMING = Coming(MOST_TRANSFERS, MOST_OF_ONE)


@router.post("/feed", include_in_schema=False, dependencies=[needs(P.SITE_SPEAK)])
async def take_feed(request: Request, app: AppDep, caller: CallerDep) -> dict[str, object]:
    """Take in what a child site says; answer with the documents it should know."""
    raw = await _read_feed(request)
    number = _ORDER.came()
    body = await _FEEDS.run(read_json, raw, "feed")
    if not isinstance(body, dict):
        raise BadDocument("feed: must be an object")
    await _FEEDS.run(check_speaks, app.catalog.peers, caller, body.get("site"))
    async with _ORDER.turn(str(body.get("site"))[:63], number):
        return await _FEEDS.run(_answer_feed, app, body)


def _answer_feed(app: App, body: dict[str, object]) -> dict[str, object]:
    settings, now = app.settings, app.clock.now()
    aside = hear_child(app.catalog, body, settings.site, now)
    answer = documents_for_child(
        app.catalog,
        settings.site,
        settings.level,
        settings.ship_store,
        body,
        aside,
        app.catalog_id,
        now=now,
    )
    answer["keys"] = node_keys(app.catalog.peers)  # a node that is new here reads there
    vouched = app.witness.look(str(body["site"]), body.get("audit"))
    return {**answer, "audit": vouched} if vouched is not None else answer


async def _read_feed(request: Request) -> bytes:
    """Read a message of the feed; measured, packed or not, while it comes in."""
    check_length(request.scope, MOST_FEED)
    packed = request.headers.get("content-encoding", "") == "gzip"
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if packed else None
    raw = bytearray()
    try:
        async for block in request.stream():
            left = MOST_FEED + 1 - len(raw)
            raw += unpacker.decompress(block, left) if unpacker else block
            if len(raw) > MOST_FEED:
                raise TooLarge(f"feed: more than {MOST_FEED} bytes")
    except zlib.error as exc:
        raise BadDocument(f"feed: is not gzip: {exc}") from exc
    if unpacker is not None and not unpacker.eof:
        raise BadDocument("feed: ends early")
    return bytes(raw)


def _receiver(request: Request) -> Receiver:
    service = request.app.state.service
    receiver: Receiver | None = getattr(service, "receiver", None)
    if receiver is None:
        raise NotAllowed(
            "transfer: this node does not ship, so it takes nothing in",
            hint="a proxy in front leads /api/v1/transfers/ to nodes with the role ship",
        )
    return receiver


@router.head("/transfers/{key:path}", include_in_schema=False, dependencies=[needs(P.SITE_SPEAK)])
def stand_transfer(key: str, request: Request, app: AppDep, caller: CallerDep) -> Response:
    """Say how much of an object is here, and in which store once it is committed."""
    given = request.headers
    check_speaks(app.catalog.peers, caller, given.get("x-site", ""))
    if caller.kind is CallerKind.SITE:
        stream, _ = stream_of_transfer(key, app.settings.site)
        if stream.site not in sites_through(app.catalog.sites, caller.name):
            raise NotAllowed(f"site {caller.name} asks about site {stream.site}")
    _receiver(request).asked_by(key, given.get("x-site", ""), given.get("x-catalog", ""))
    size, place = _receiver(request).standing(key, given.get("x-digest", ""))
    return Response(headers={"Upload-Offset": str(size), "X-Place": place})


@router.patch("/transfers/{key:path}", include_in_schema=False, dependencies=[needs(P.SITE_SPEAK)])
async def take_transfer(key: str, request: Request, app: AppDep, caller: CallerDep) -> Response:
    """Append to an object on its way here; 200 when it is whole and in the spool."""
    receiver, given = _receiver(request), request.headers
    names = ("upload-offset", "x-size", "x-digest", "x-site", "x-catalog")
    said = (given.get(name, "") for name in names)
    announced = read_announced(key, *said)
    await _FEEDS.run(check_speaks, app.catalog.peers, caller, announced.child)
    _COMING.check(announced.child)
    blocks: queue.Queue[bytes | None] = queue.Queue(8)
    loop = asyncio.get_running_loop()
    done = loop.run_in_executor(_TRANSFERS, receiver.append, announced, iter(blocks.get, None))
    _COMING.add(announced.child, done)
    try:
        async for block in request.stream():
            while block and not done.done():
                try:
                    blocks.put_nowait(block)
                    break
                except queue.Full:
                    await asyncio.sleep(0.005)
    finally:  # a sender that broke off leaves what arrived, to be gone on with
        while not done.done():
            try:
                blocks.put_nowait(None)
                break
            except queue.Full:
                await asyncio.sleep(0.005)
        whole = await asyncio.shield(done)
    return Response(status_code=200 if whole else 202)


@router.get(
    "/sites", response_model=list[ShownSite], responses=PAGED, dependencies=[needs(P.SITE_READ)]
)
def list_sites(app: AppDep, paged: PagedDep) -> CleanJson:
    """The parent and every site below: when last heard, feed lag, backlog by class."""
    shown = show_tree(app.catalog, app.clock.now())
    return paged.json(shown, lambda one: f"{one['relation']}/{one['site'] or ''}")


@router.put("/sites/{site}/catalog", status_code=204, dependencies=[needs(P.SITE_WRITE)])
def admit_site(site: str, body: AdmittedBody, app: AppDep, caller: CallerDep) -> None:
    """Give a site's name to the one that was turned away with ``{"catalog": …}``."""
    identity = check_text(body.get("catalog"), "catalog", MOST_IDENTITY)
    with app.book.doing(caller, "site.admit", Subject(site), catalog=identity):
        admit(app.catalog, site, identity, app.clock.now())


@router.delete("/sites/{site}", dependencies=[needs(P.SITE_WRITE), logs("site.remove")])
def delete_site(site: str, app: AppDep, lose: LoseQuery = False) -> ShownDepartedSite:
    """Forget a site below that never comes back, and those below it; give up what lies there.

    Refused (409) while it is heard, and, unless `lose`, while it alone has footage.
    """
    done = remove_site(app.catalog, site, app.clock.now(), lose=lose)
    return {"site": done.site, "copies": done.copies, "lost": done.lost}


# -- cameras of sites below ------------------------------------------------------------------------


@router.get(
    "/sites/{site}/cameras",
    response_model=list[ShownCameraBelow],
    responses=PAGED,
    dependencies=[needs(P.SITE_READ)],
)
def list_cameras_below(site: str, app: AppDep, paged: PagedDep) -> CleanJson:
    """List what this site, or one above it, asked a site below to record."""
    check_site(app.catalog, site)
    asked = [one for one in app.catalog.child_cameras.since() if one.site == site and one.body]
    return paged.json([_show_below(one) for one in asked], of_key("name"))


def _show_below(one: ChildCamera) -> dict[str, object]:
    """Show what was asked for; of a document that is not understood here, its name."""
    try:
        document = show_camera(read_body(one.name, one.body or {}))
    except BadDocument:
        document = {"name": one.name, "streams": {}}
    said = {"version": one.version, "author": one.author, "at": format_instant(one.at, 3)}
    return {**document, **said}


@router.put(
    "/sites/{site}/cameras/{name}",
    response_model=ShownCameraBelow,
    dependencies=[needs(P.SITE_WRITE)],
)
def write_camera_below(
    site: str,
    name: str,
    body: CameraBody,
    app: AppDep,
    caller: CallerDep,
    author: AuthorDep,
    expected: ExpectedDep,
) -> CleanJson:
    """Have a site below record a camera; it hears of it when its link is up, and keeps it.

    ``If-Match`` with the version that was read refuses to overwrite what another asked for (412).
    """
    asked, now = CameraId(site, name), app.clock.now()
    one = read_below(app.catalog, app.settings.site, asked, body, now)
    about, shown = Subject(site, name), show_camera(one)
    with app.book.doing(caller, "camera.ask", about, author=author, document=shown):
        return CleanJson(put_below(app.catalog, site, one, author, now, expected))


@router.delete("/sites/{site}/cameras/{name}", status_code=204, dependencies=[needs(P.SITE_WRITE)])
def remove_camera_below(
    site: str,
    name: str,
    app: AppDep,
    caller: CallerDep,
    author: AuthorDep,
    expected: ExpectedDep,
) -> None:
    """Have a site below no longer record a camera; its footage stays."""
    with app.book.doing(caller, "camera.ask-remove", Subject(site, name), author=author):
        remove_below(app.catalog, CameraId(site, name), author, app.clock.now(), expected)
