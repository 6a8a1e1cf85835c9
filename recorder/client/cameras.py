"""Questions about cameras, and changes of what is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from recorder.client.asked import address_of
from recorder.client.asking import Asking

if TYPE_CHECKING:
    from recorder.api import shown_cameras as seen


class CamerasAsking(Asking):
    """Asks about cameras."""

    def cameras(
        self,
        *,
        site: str | None = None,
        group: str | None = None,
        state: str | None = None,
        text: str | None = None,
        below: bool = True,
    ) -> Iterator[seen.ShownCamera]:
        """Yield the cameras of the site and of all below it, each with how it does."""
        query = {"site": site, "group": group, "state": state, "q": text, "below": below}
        yield from self._connection.pages("/cameras", query)

    def camera(self, camera: str) -> seen.ShownCamera:
        """Return a camera's document and how it does; secrets are masked."""
        return cast("seen.ShownCamera", self.ask("GET", *address_of(camera)))

    def put_camera(
        self,
        name: str,
        document: Mapping[str, object],
        *,
        new: bool = False,
        version: int | None = None,
    ) -> seen.ShownChanged:
        """Add a camera, or replace its document; ``new``: only add (``StaleVersion``).

        ``version``: replace only what is still of this one (likewise).
        """
        headers = {"If-None-Match": "*"} if new else None
        if version is not None:
            headers = {"If-Match": f'"{version}"'}
        path, query = address_of(name)
        return cast("seen.ShownChanged", self.ask("PUT", path, query, dict(document), headers))

    def change_camera(
        self, name: str, changes: Mapping[str, object], *, dry_run: bool = False
    ) -> seen.ShownChanged:
        """Change some of a camera's document; the rest stays (RFC 7396)."""
        path, query = address_of(name, query={"dry_run": dry_run or None})
        return cast("seen.ShownChanged", self.ask("PATCH", path, query, dict(changes)))

    def put_cameras(
        self, cameras: Mapping[str, object], *, name: str = "", dry_run: bool = False
    ) -> list[seen.ShownTaken]:
        """Add and change many cameras; all are looked at before one is stored.

        ``cameras``: documents by name, in ``cameras``; in ``places`` where each stands in the
        file of this ``name``, for what is said of mistakes.
        """
        query = {"dry_run": dry_run or None}
        done = self.ask("POST", "/cameras", query, {**cameras, "name": name})
        return cast("list[seen.ShownTaken]", done)

    def probe(self, source: Mapping[str, object]) -> seen.ShownProbe:
        """Have a ``camera`` or a source (``url``, ``credentials`` …) looked at by the server."""
        return cast("seen.ShownProbe", self.ask("POST", "/probe", None, dict(source)))

    def remove_camera(self, name: str) -> None:
        """Stop recording a camera; its footage stays."""
        self.ask("DELETE", *address_of(name))
