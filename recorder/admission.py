"""Which stores are this site's own: their identity, and who else writes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from recorder.catalog.documents import SITE
from recorder.clock import new_id
from recorder.config import StorePart
from recorder.errors import ConfigError, NotFound, RecorderError, StoreRefused, StoreUnavailable
from recorder.janitor.owners import Owners
from recorder.ports import Identities
from recorder.store.identity import admit, is_other, look
from recorder.store.watched import WatchedStore
from recorder.turns import OneAtATime

UNKNOWN = ""
"""New stores share a turn: of two names of one place, the second finds what the first wrote."""


def check_site(identities: Identities, site: str) -> None:
    """Refuse the catalog of another site: what is recorded would go by a wrong name.

    Raises: ``ConfigError``.
    """
    known = identities.register(SITE, site)
    if known != site:
        raise ConfigError(
            f"settings: site is {site}, and the catalog is that of site {known}",
            hint="was a data folder or a database given to another site?  A new site begins "
            "with its own",
        )


class Admission:
    """Admits the stores of the settings."""

    def __init__(
        self,
        parts: Sequence[StorePart],
        stores: Mapping[str, WatchedStore],
        identities: Identities,
        owners: Callable[[], Owners],
        doubt: Callable[[str], object],
    ) -> None:
        """``doubt`` is told of a store whose copies are to be proven before they count."""
        self._parts = {part.name: part for part in parts}
        self._stores, self._identities, self._owners = stores, identities, owners
        self._doubt = doubt
        self._turns = OneAtATime()

    def _part(self, name: str) -> StorePart:
        part = self._parts.get(name)
        if part is None:
            raise NotFound(f"no store {name!r} in the settings")
        return part

    def admit(
        self, name: str, *, adopt: bool = False, over: bool = False, sure: bool = False
    ) -> str:
        """Check a store's identity and owner, registering it the first time.

        ``adopt``: whatever it is; ``over``: from another recorder that has stopped; ``sure``:
        with ``adopt``, from one that may still live, too.
        Raises: ``StoreRefused`` when it is another store than the catalog knows, or another
        recorder's.
        """
        part = self._part(name)
        new = self._identities.of(name) is None
        with self._turns.wait(UNKNOWN if new else name):  # several senders start at once
            if not part.readonly and (adopt or self._identities.of(name) is None):
                self._make_folder(part)
                self._owners().check_free(self._stores[name], over=over or adopt, sure=sure)
            return self._admit(part, adopt)

    def _make_folder(self, part: StorePart) -> None:
        new = self._identities.of(part.name) is None
        if part.kind == "directory" and part.path is not None and new:
            try:
                part.path.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise StoreUnavailable(
                    f"store {part.name}: its folder cannot be made: {exc}",
                    hint=f"check that {part.path} may be made by who runs the recorder",
                ) from exc

    def _admit(self, part: StorePart, adopt: bool) -> str:
        store = self._stores[part.name]
        self._make_folder(part)
        names = list(self._stores)
        if adopt and is_other(store, self._identities):
            self._doubt(part.name)
        identity = admit(store, self._identities, new_id, adopt=adopt, names=names)
        if not part.readonly:
            self._owners().beat(store)
        return identity

    def leave(self) -> None:
        """Say in all stores that this recorder was stopped, where they are those that they were.

        Raises: the first refusal, when all others were told.
        """
        there, refused = [], list[RecorderError]()
        for store in self._stores.values():
            try:
                if look(store, self._identities, list(self._stores)) is not None:
                    there.append(store)
            except (StoreUnavailable, StoreRefused) as exc:
                refused.append(exc)
        self._owners().leave(there)
        if refused:
            raise refused[0]

    def look(self, name: str) -> tuple[str | None, dict[str, bool]]:
        """Say a store's identity, if it has one yet, and who else writes there; change nothing.

        Of each other recorder it is said whether it may still live.
        Raises: ``StoreRefused`` when it is another store than the catalog knows.
        """
        part, store = self._part(name), self._stores[name]
        new = self._identities.of(name) is None
        if new and (part.readonly or (part.path is not None and not part.path.is_dir())):
            return None, {}  # nothing is written there, or it is made when it is first used
        identity = look(store, self._identities, list(self._stores))
        owners = self._owners()
        others = [] if part.readonly else owners.others(store)
        return identity, {str(one): owners.lives(one) for one in others}
