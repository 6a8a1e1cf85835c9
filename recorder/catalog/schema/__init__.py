"""Tables of the catalog.  Rows are small: about 0.4 kB a minute of one stream.

Streams and decoder configurations are numbered once and referred to by number; a
segment's key is derived from its columns and stored only where it differs.
"""

from __future__ import annotations

from recorder.catalog.schema.base import REVISION, metadata
from recorder.catalog.schema.callers import (
    account,
    approval,
    audit,
    audit_log,
    audit_tile,
    audit_witness,
    credential,
    peer,
    secret_key,
)
from recorder.catalog.schema.footage import (
    chain,
    config,
    copy,
    gap,
    link,
    segment,
    span,
    store,
    stream,
)
from recorder.catalog.schema.living import (
    camera_below,
    downward,
    hold_delivery,
    lease,
    node,
    outbox,
    progress,
    site,
    status,
)
from recorder.catalog.schema.wanted import (
    camera,
    document,
    event,
    export,
    hold,
    member,
    owed_event,
    point,
    touch,
)

__all__ = [
    "REVISION",
    "account",
    "approval",
    "audit",
    "audit_log",
    "audit_tile",
    "audit_witness",
    "camera",
    "camera_below",
    "chain",
    "config",
    "copy",
    "credential",
    "document",
    "downward",
    "event",
    "export",
    "gap",
    "hold",
    "hold_delivery",
    "lease",
    "link",
    "member",
    "metadata",
    "node",
    "outbox",
    "owed_event",
    "peer",
    "point",
    "progress",
    "secret_key",
    "segment",
    "site",
    "span",
    "status",
    "store",
    "stream",
    "touch",
]
