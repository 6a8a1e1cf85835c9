"""Where the commands about nodes and sites get their answers: this node, or a server."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Protocol, cast

from recorder.audit.entry import Subject
from recorder.cli.whom import Here, There, ask
from recorder.model.timebase import format_instant
from recorder.sites.admitted import admit
from recorder.sites.nodes import drain, draining, remove, show_nodes
from recorder.sites.tree import show_tree

if TYPE_CHECKING:
    from recorder.api.shown import ShownDeparted, ShownDepartedSite, ShownNode, ShownSite
    from recorder.api.shown_people import ShownWord
    from recorder.cli.context import Context


class SiteAnswers(Protocol):
    """What the commands about nodes and sites are answered with."""

    def nodes(self) -> list[ShownNode]:
        """Return the nodes of the site and below."""

    def drain(self, node: str, *, wanted: bool) -> list[str]:
        """Have a node give its streams to others, or no more; return all that are to."""

    def remove(self, node: str, *, lose: bool) -> ShownDeparted:
        """Forget a node that never comes back, and give up what its spool has."""

    def sites(self) -> list[ShownSite]:
        """Return the sites below and the parent."""

    def remove_site(self, site: str, *, lose: bool) -> ShownDepartedSite:
        """Forget a site below that never comes back, and give up what lies there."""

    def admit(self, site: str, catalog: str) -> None:
        """Give a site's name to the one that was turned away with a catalog."""

    def invite(self, site: str) -> ShownWord:
        """Make the word by which a site joins."""

    def expel(self, site: str) -> int:
        """Cast a site out; return how many keys of it count no more."""


def answers(context: Context) -> SiteAnswers:
    """Return whom the commands ask."""
    return ask(context, SiteHere, SiteThere)


class SiteHere(Here):
    """The node on this machine: its catalog."""

    def nodes(self) -> list[ShownNode]:
        """See :class:`SiteAnswers`."""
        app = self._app
        shown = show_nodes(
            app.catalog, self._own, draining(app.catalog.documents), app.site_clock.now()
        )
        return cast("list[ShownNode]", shown)

    def drain(self, node: str, *, wanted: bool) -> list[str]:
        """See :class:`SiteAnswers`."""
        app, now = self._app, self._app.clock.now()
        with self._doing("node.drain" if wanted else "node.undrain", Subject(name=node)):
            return drain(app.catalog, node, getpass.getuser(), now, wanted=wanted)

    def remove(self, node: str, *, lose: bool) -> ShownDeparted:
        """See :class:`SiteAnswers`."""
        app = self._app
        with self._doing("node.remove", Subject(name=node)):
            now = app.site_clock.now()
            done = remove(app.catalog, node, getpass.getuser(), now, lose=lose)
        return {"node": done.node, "copies": done.copies, "lost": done.lost}

    def sites(self) -> list[ShownSite]:
        """See :class:`SiteAnswers`."""
        return cast("list[ShownSite]", show_tree(self._app.catalog, self._app.clock.now()))

    def remove_site(self, site: str, *, lose: bool) -> ShownDepartedSite:
        """See :class:`SiteAnswers`."""
        from recorder.sites.departed import remove_site

        with self._doing("site.remove", Subject(site)):
            done = remove_site(self._app.catalog, site, self._app.clock.now(), lose=lose)
        return {"site": done.site, "copies": done.copies, "lost": done.lost}

    def admit(self, site: str, catalog: str) -> None:
        """See :class:`SiteAnswers`."""
        with self._doing("site.admit", Subject(site), catalog=catalog):
            admit(self._app.catalog, site, catalog, self._app.clock.now())

    def invite(self, site: str) -> ShownWord:
        """See :class:`SiteAnswers`."""
        from recorder.sites.joining import invite

        with self._doing("site.invite", Subject(site)):
            word, made = invite(self._app.people, self._own, site)
        return {"id": made.credential_id, "word": word, "expires": format_instant(made.expires, 0)}

    def expel(self, site: str) -> int:
        """See :class:`SiteAnswers`."""
        from recorder.sites.joining import cast_out

        with self._doing("site.expel", Subject(site)):
            return cast_out(self._app.catalog.peers, self._app.clock, site)


class SiteThere(There):
    """A server, by its API."""

    def nodes(self) -> list[ShownNode]:
        """See :class:`SiteAnswers`."""
        return self._client.nodes()

    def drain(self, node: str, *, wanted: bool) -> list[str]:
        """See :class:`SiteAnswers`."""
        return self._client.drain(node, wanted=wanted)

    def remove(self, node: str, *, lose: bool) -> ShownDeparted:
        """See :class:`SiteAnswers`."""
        return self._client.remove_node(node, lose=lose)

    def sites(self) -> list[ShownSite]:
        """See :class:`SiteAnswers`."""
        return self._client.sites()

    def remove_site(self, site: str, *, lose: bool) -> ShownDepartedSite:
        """See :class:`SiteAnswers`."""
        return self._client.remove_site(site, lose=lose)

    def admit(self, site: str, catalog: str) -> None:
        """See :class:`SiteAnswers`."""
        self._client.admit_site(site, catalog)

    def invite(self, site: str) -> ShownWord:
        """See :class:`SiteAnswers`."""
        return self._client.invite_site(site)

    def expel(self, site: str) -> int:
        """See :class:`SiteAnswers`."""
        return self._client.expel_site(site)
