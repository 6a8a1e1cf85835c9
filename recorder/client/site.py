"""Questions about a site: its policy, nodes, stores; and those below it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from recorder.client.asked import Moment, moment
from recorder.client.asking import Asking
from recorder.model.keys import check_name

if TYPE_CHECKING:
    from recorder.api import shown as seen
    from recorder.api import shown_people as people
    from recorder.api import shown_policy as policies
    from recorder.model import shown


class SiteAsking(Asking):
    """Asks about a site and those below it."""

    def answering(self) -> seen.ShownAnswering:
        """Return who answers: site, level, node, version; and the time there."""
        return cast("seen.ShownAnswering", self.ask("GET", "/answering"))

    def policy(self) -> policies.ShownPolicy:
        """Return the policy in force.  Raises: ``NotFound``."""
        return cast("policies.ShownPolicy", self.ask("GET", "/policy"))

    def put_policy(self, document: Mapping[str, object], author: str = "api") -> int:
        """Put a policy in force; return its version."""
        headers = {"X-Author": author}
        return int(self.ask("PUT", "/policy", body=dict(document), headers=headers)["version"])

    def forecast(
        self, document: Mapping[str, object] | None = None
    ) -> list[policies.ShownForecast]:
        """Return when each store is full, by default under the policy in force."""
        path = "/policy/forecast"
        found = self.listed(path) if document is None else self.ask("POST", path, None, document)
        return cast("list[policies.ShownForecast]", found)

    def policy_log(self, most: int = 50) -> list[shown.ShownEntry]:
        """Return the newest records of what was deleted, lost, damaged or repaired, and why."""
        found = self._connection.pages("/policy/log", {"limit": min(most, 1000)})
        return cast("list[shown.ShownEntry]", list(islice(found, most)))

    def explain(self, camera: str, at: Moment, *, stream: str | None = None) -> shown.ShownReasons:
        """Return why the footage of a moment is there and when it goes, or why it is not there."""
        query = {"at": moment(at), "stream": stream}
        return cast("shown.ShownReasons", self._of(camera, "explain", query))

    def nodes(self) -> list[seen.ShownNode]:
        """Return the nodes of the site and below."""
        return cast("list[seen.ShownNode]", self.listed("/nodes"))

    def sites(self) -> list[seen.ShownSite]:
        """Return the sites below and the parent, and how they are linked."""
        return cast("list[seen.ShownSite]", self.listed("/sites"))

    def drain(self, node: str, *, wanted: bool = True) -> list[str]:
        """Have a node give its streams to others, or no more; return all that are to."""
        path = f"/nodes/{quote(node, '')}/draining"
        done = self.ask("PUT", path, None, {}) if wanted else self.ask("DELETE", path)
        return cast("seen.ShownDraining", done)["draining"]

    def remove_node(self, node: str, *, lose: bool = False) -> seen.ShownDeparted:
        """Forget a node that never comes back; ``lose``: also what is nowhere else."""
        query = {"lose": "true"} if lose else None
        return cast("seen.ShownDeparted", self.ask("DELETE", f"/nodes/{quote(node, '')}", query))

    def admit_site(self, site: str, catalog: str) -> None:
        """Give a site's name to the one that was turned away with a catalog."""
        self.ask("PUT", f"/sites/{quote(site, '')}/catalog", None, {"catalog": catalog})

    def remove_site(self, site: str, *, lose: bool = False) -> seen.ShownDepartedSite:
        """Forget a site below that never comes back; ``lose``: also what is nowhere else."""
        query = {"lose": "true"} if lose else None
        return cast(
            "seen.ShownDepartedSite", self.ask("DELETE", f"/sites/{quote(site, '')}", query)
        )

    def invite_site(self, site: str) -> people.ShownWord:
        """Make the word by which a site joins: within a day, once."""
        path = f"/access/sites/{check_name(site, 'site')}/invitation"
        return cast("people.ShownWord", self.ask("POST", path, None, {}))

    def expel_site(self, site: str) -> int:
        """Cast a site out; return how many keys of it count no more."""
        done = self.ask("DELETE", f"/access/sites/{quote(site, '')}/keys")
        return cast("people.ShownExpelled", done)["keys"]

    def stores(self, name: str | None = None) -> list[dict[str, object]]:
        """Return what lies in the stores, or in one, and for how long there is room."""
        if name is not None:
            return [self.ask("GET", f"/stores/{quote(name, '')}")]
        return cast("list[dict[str, Any]]", self.listed("/stores"))
