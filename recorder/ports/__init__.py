"""The doors to the world, as promises.  Only :mod:`recorder.app` knows who keeps them.

Each is small, and a room takes those that it uses: what it is given says what it can do to the
world.  Where a room uses several parts of the catalog it names them in a Protocol of its own,
with an attribute for each.

Every method of a part of the catalog is one transaction, and raises ``CatalogUnavailable``
when the database does not answer.
"""

from __future__ import annotations

from recorder.ports.accounts import Account, Accounts, Credential, Credentials, Peer, Peers
from recorder.ports.approvals import Approvals
from recorder.ports.audit import Audit, AuditEntry
from recorder.ports.audit_log import (
    AskedEntries,
    AuditLeft,
    AuditLog,
    AuditTree,
    EntryBundles,
    LeftTile,
    LoggedEntry,
    LogState,
    Witnessed,
    WitnessedLog,
)
from recorder.ports.cameras import Cameras, ChildCamera, ChildCameras
from recorder.ports.chain import Chain, ChainLink
from recorder.ports.clock import Clock
from recorder.ports.deletion import Deletion
from recorder.ports.documents import Document, Documents, Identities
from recorder.ports.events import AgedEvent, EventAges, Events, OwedEvents, Points
from recorder.ports.exports import Exports
from recorder.ports.feed import Departing, Inbox, Notices, Numbered, OnlyThere, Outbox
from recorder.ports.footage import Around, Commits, Footage
from recorder.ports.holds import Holds
from recorder.ports.integrity import Agreeing, Integrity, ObjectLocks
from recorder.ports.kept import Kept, TakenBack
from recorder.ports.leases import Lease, Leases
from recorder.ports.planning import Planning, Stored, StreamStored
from recorder.ports.progress import Progress
from recorder.ports.rebuilding import Rebuilding
from recorder.ports.secrets import Keys, Secrets, SecretsSeen
from recorder.ports.states import NodeBeat, Nodes, SiteBeat, Sites, Statuses, StreamStatus
from recorder.ports.stores import DeletableStore, LockingStore, Measured, ObjectStore

__all__ = [
    "Account",
    "Accounts",
    "Approvals",
    "AskedEntries",
    "Audit",
    "AuditEntry",
    "AuditLeft",
    "AgedEvent",
    "Agreeing",
    "Around",
    "AuditLog",
    "AuditTree",
    "Cameras",
    "Chain",
    "ChainLink",
    "ChildCamera",
    "ChildCameras",
    "Clock",
    "Commits",
    "Credential",
    "Credentials",
    "DeletableStore",
    "Deletion",
    "Departing",
    "Document",
    "Documents",
    "EntryBundles",
    "EventAges",
    "Events",
    "Exports",
    "Footage",
    "Holds",
    "Identities",
    "Inbox",
    "Integrity",
    "Kept",
    "Keys",
    "Lease",
    "Leases",
    "LeftTile",
    "LockingStore",
    "LoggedEntry",
    "Measured",
    "LogState",
    "NodeBeat",
    "Nodes",
    "Notices",
    "Numbered",
    "ObjectLocks",
    "ObjectStore",
    "OnlyThere",
    "Outbox",
    "OwedEvents",
    "Peer",
    "Peers",
    "Planning",
    "Points",
    "Progress",
    "Rebuilding",
    "Secrets",
    "SecretsSeen",
    "SiteBeat",
    "Sites",
    "Statuses",
    "Stored",
    "StreamStored",
    "StreamStatus",
    "TakenBack",
    "Witnessed",
    "WitnessedLog",
]
