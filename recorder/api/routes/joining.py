"""Sites that join, and are cast out."""

from __future__ import annotations

from recorder.access.permissions import Permission as P
from recorder.access.words import JOINING
from recorder.accounts import invitations
from recorder.api.accounts import JoinBody
from recorder.api.deps import AppDep, CallerDep
from recorder.api.gate import needs
from recorder.api.logged import logs
from recorder.api.paging import PAGED, PagedDep
from recorder.api.routing import Routes
from recorder.api.shown_people import ShownExpelled, ShownJoined, ShownPeer, ShownWord
from recorder.audit.entry import Subject
from recorder.model.timebase import format_instant, format_known
from recorder.sites.joining import cast_out, invite, node_keys, take_in

router = Routes(prefix="/api/v1/access", tags=("sites",))


@router.get("/keys", responses=PAGED, dependencies=[needs(P.ACCESS_READ)])
def list_keys(app: AppDep, paged: PagedDep) -> list[ShownPeer]:
    """List the public keys of sites and nodes, and which were cast out."""
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "public_key": one.public_key,
            "created": format_instant(one.created, 0),
            "ended": format_known(one.ended, 0),
        }
        for one in paged.of(app.catalog.peers.all(), lambda one: one.public_key)
    ]


@router.post(
    "/sites/{site}/invitation",
    status_code=201,
    dependencies=[needs(P.ACCESS_WRITE), logs("site.invite")],
)
def invite_site(site: str, app: AppDep) -> ShownWord:
    """Make the word by which a site joins this one: within a day, once."""
    word, made = invite(app.people, app.settings.site, site)
    return {"id": made.credential_id, "word": word, "expires": format_instant(made.expires, 0)}


@router.delete("/sites/{site}/keys", dependencies=[needs(P.ACCESS_WRITE), logs("site.expel")])
def cast_site_out(site: str, app: AppDep) -> ShownExpelled:
    """Cast a site out: nothing that is signed with its keys counts any more."""
    return {"site": site, "keys": cast_out(app.catalog.peers, app.clock, site)}


@router.post("/join", dependencies=[needs(P.PUBLIC)])
def join_site(body: JoinBody, app: AppDep, caller: CallerDep) -> ShownJoined:
    """Let a site in that shows the word it was given; answer with this site's keys."""
    word, said = body.get("word"), (body.get("site"), body.get("public_key"))
    # what counts not is in no log: anybody may say it
    owner = invitations.invited(app.people, word, JOINING)
    _ = app.signer.public_key  # before the word is used up
    with app.book.doing(caller, "site.join", Subject(owner)):
        take_in(app.people, app.catalog.peers, app.clock, word, *said)
    return {"site": app.settings.site, "public_keys": node_keys(app.catalog.peers)}
