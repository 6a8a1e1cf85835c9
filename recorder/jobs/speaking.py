"""The link to the parent: one node of a site speaks and sends at a time.

What is said and what is heard is one conversation, in which each counts what the other has heard:
two nodes that speak at once would take the parent for one that was put back to an older state.
"""

from __future__ import annotations

from recorder.app import App
from recorder.model.timebase import SECOND
from recorder.sites.link import Link

SPEAKS_NS = 12 * SECOND
"""So long after its last look a node that died is taken to speak still."""
LOOK_S = 3.0
"""How often the node that speaks renews that."""
CARRY_S = 5
LEASE = "link"


class Speaking:
    """A link, on the node whose turn it is."""

    def __init__(self, app: App, link: Link) -> None:
        self.app, self.link = app, link
        self._ours, self._looks_at = False, float("-inf")
        self._store_known = False

    def stop(self) -> None:
        """Break off what is being told and sent."""
        self.link.stop()

    def catch_up(self) -> None:
        """Tell the parent what changed, and hear it."""
        if self.is_ours():
            self.link.catch_up()

    def carry(self) -> None:
        """Send footage up for a while; what is more urgent then is seen the next time."""
        if not self.is_ours():
            return
        if not self._store_known:  # the first time it may have to be made
            self.app.admit(self.app.settings.ship_store)
            self._store_known = True
        self.link.carry(self.link.plan(), self.app.clock.monotonic() + CARRY_S)

    def is_ours(self) -> bool:
        """Tell whether this node speaks.  Raises: ``CatalogUnavailable``."""
        app, now_s = self.app, self.app.clock.monotonic()
        if not app.settings.shared or (self._ours and now_s < self._looks_at):
            return True
        node, now = app.settings.node, app.site_clock.now()
        taken = app.catalog.leases.take(node, [LEASE], [LEASE], now, now + SPEAKS_NS)
        ours = taken[LEASE].node == node
        if ours and not self._ours:
            self.link.say_all()  # another has spoken meanwhile
        self._ours, self._looks_at = ours, now_s + LOOK_S
        return ours
