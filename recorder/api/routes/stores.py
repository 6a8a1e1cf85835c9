"""Stores: what lies there, and for how long there is room."""

from __future__ import annotations

from recorder.access.permissions import Permission as P
from recorder.api.deps import AppDep
from recorder.api.gate import needs
from recorder.api.paging import PAGED, PagedDep
from recorder.api.routing import Routes
from recorder.janitor.usage import ShownStore, usage_here

router = Routes(prefix="/api/v1", tags=("operate",))


@router.get("/stores", responses=PAGED, dependencies=[needs(P.SYSTEM_READ)])
def list_stores(app: AppDep, paged: PagedDep) -> list[ShownStore]:
    """What lies in each store, by camera and by group, how far back, and when it is full.

    Reads every row of the catalog: not to be asked each second.
    """
    return usage_here(app, paged.of(list(app.stores), str))


@router.get("/stores/{name}", dependencies=[needs(P.SYSTEM_READ)])
def read_store(name: str, app: AppDep) -> ShownStore:
    """What lies in one store."""
    (found,) = usage_here(app, [name])
    return found
