"""Who writes into a store: each recorder's catalog keeps a sign of life there, one object each.

Two recorders that have the same site and node names write into each other's footage, and each
deletes by its own catalog what the other one holds.  The nodes of one site share a catalog and
so are one owner.
"""

from __future__ import annotations

from dataclasses import dataclass

from recorder.errors import CopyMissing, RequestError, StoreRefused, StoreUnavailable
from recorder.model.checks import check_integer, read_json
from recorder.model.timebase import LATEST, Instant, format_instant
from recorder.ports import ObjectStore
from recorder.store.verify import check_answers

PREFIX = "spanstore.owners/"
MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Owner:
    """A catalog that writes into a store, by its last sign of life.

    ``spool``: that of the node which wrote it.  ``at`` is by that node's clock, ``None`` where
    the sign cannot be read.  ``left``: it was stopped, and said so.  ``sign``: what tells this one
    from those before it, empty where an earlier release wrote it.
    """

    site: str
    catalog: str
    node: str = ""
    spool: str = ""
    at: Instant | None = None
    left: bool = False
    sign: str = ""

    @property
    def key(self) -> str:
        """Name the object of its sign."""
        return f"{PREFIX}{self.site}/{self.catalog}.json"

    def __str__(self) -> str:
        last = format_instant(self.at, 0) if self.at is not None else "in no readable form"
        return f"catalog {self.catalog} (node {self.node or '?'}, last sign {last})"


def read_owners(store: ObjectStore, site: str) -> list[Owner]:
    """Return whose signs of life as a site a store shows."""
    found, folder = [], f"{PREFIX}{site}/"
    for info in store.list(folder):
        catalog = info.key.removeprefix(folder).removesuffix(".json")
        try:
            raw = b"".join(store.read(info.key, 0, min(info.size, MOST_BYTES)))
            body = read_json(raw, "sign of life")
            words = str(body["node"]), str(body["spool"])
            at, left = check_integer(body["at"], "at", 0, LATEST), body.get("left") is True
            found.append(Owner(site, catalog, *words, at, left, str(body.get("sign", ""))))
        except CopyMissing:
            continue  # it left just now
        except (StoreUnavailable, StoreRefused) as exc:
            check_answers(store, exc)
            found.append(Owner(site, catalog))
        except (RequestError, KeyError, TypeError):
            found.append(Owner(site, catalog))
    return found


def other_sites(store: ObjectStore, site: str) -> set[str]:
    """Return which sites of other names write into a store themselves, or did.

    What they put there is theirs: another site neither takes it in nor lets it go.
    """
    names = {info.key.removeprefix(PREFIX).partition("/")[0] for info in store.list(PREFIX)}
    return names - {site}


def owner_advice(name: str) -> str:
    """Say what to do about another recorder that writes into a store as the same site."""
    return (
        "nothing is deleted there meanwhile.  Give each its own site name, or its own bucket or "
        f"folder; if that one is gone for good, or lost its catalog: recorder store adopt {name}, "
        "when it is silent for 16 minutes, or with --yes"
    )
