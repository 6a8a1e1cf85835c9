"""The catalog on SQLite or PostgreSQL: one part per port, on one database."""

from __future__ import annotations

from sqlalchemy import func, select

from recorder import ports
from recorder.catalog import schema
from recorder.catalog.accounts import SqlAccounts, SqlCredentials, SqlPeers
from recorder.catalog.agreeing import SqlAgreeing
from recorder.catalog.approvals import SqlApprovals
from recorder.catalog.audit import SqlAudit
from recorder.catalog.audit_left import SqlAuditLeft
from recorder.catalog.audit_log import SqlAuditLog, SqlWitnessed
from recorder.catalog.audit_tree import SqlAuditTree
from recorder.catalog.cameras import SqlCameras, SqlChildCameras
from recorder.catalog.chain import SqlChain
from recorder.catalog.changes import Changes
from recorder.catalog.commits import SqlCommits
from recorder.catalog.database import Database
from recorder.catalog.deletion import SqlDeletion
from recorder.catalog.departing import SqlDeparting
from recorder.catalog.documents import SqlDocuments, SqlIdentities
from recorder.catalog.event_ages import SqlEventAges
from recorder.catalog.events import SqlEvents
from recorder.catalog.exports import SqlExports
from recorder.catalog.footage import SqlFootage
from recorder.catalog.holds import SqlHolds
from recorder.catalog.inbox import SqlInbox
from recorder.catalog.integrity import SqlIntegrity
from recorder.catalog.kept import SqlKept
from recorder.catalog.leases import SqlLeases
from recorder.catalog.notices import SqlNotices
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.object_lock import SqlObjectLocks
from recorder.catalog.outbox import SqlOutbox
from recorder.catalog.owed_events import SqlOwedEvents
from recorder.catalog.planning import SqlPlanning
from recorder.catalog.points import SqlPoints
from recorder.catalog.progress import SqlProgress
from recorder.catalog.rebuilding import SqlRebuilding
from recorder.catalog.secrets import SqlSecrets
from recorder.catalog.states import SqlNodes, SqlSites, SqlStatuses


class SqlCatalog:
    """All parts of a catalog; a room takes those that it uses (:mod:`recorder.ports`).

    ``url`` is SQLAlchemy's; ``sqlite://`` is the in-memory side.  ``parent``: changes are noted
    for a site above.  ``site``: whose catalog it is; cameras without a site are of it.
    ``node``: which of its nodes writes the audit log here.  ``keys``: what secrets of cameras are
    encrypted under; without them they can neither be stored nor read.  ``bundles``: where entries
    of the audit log are read whose rows have left.
    """

    agreeing: ports.Agreeing
    audit_left: ports.AuditLeft
    audit_log: ports.AuditLog
    audit_tree: ports.AuditTree
    holds: ports.Holds
    events: ports.Events
    owed_events: ports.OwedEvents
    event_ages: ports.EventAges
    outbox: ports.Outbox
    points: ports.Points
    leases: ports.Leases
    departing: ports.Departing
    nodes: ports.Nodes
    sites: ports.Sites

    def __init__(
        self,
        url: str,
        *,
        parent: bool = False,
        site: str = "",
        node: str = "",
        keys: ports.Keys | None = None,
        bundles: ports.EntryBundles | None = None,
    ) -> None:
        self.database = database = Database(url)
        secrets = SqlSecrets(database, keys)
        self.secrets: ports.Secrets = secrets
        self.numbers = numbers = StreamNumbers(database)
        self.changes = changes = Changes(database, upward=parent)
        self.footage: ports.Footage = SqlFootage(database, numbers)
        chain = SqlChain(database, numbers, site)
        self.chain: ports.Chain = chain
        commits = SqlCommits(database, numbers, changes, chain)
        self.commits: ports.Commits = commits
        self.rebuilding: ports.Rebuilding = SqlRebuilding(database, numbers, commits, site, node)
        self.planning: ports.Planning = SqlPlanning(database, numbers)
        self.deletion: ports.Deletion = SqlDeletion(database, numbers, changes, site, node)
        self.integrity: ports.Integrity = SqlIntegrity(database, numbers, changes)
        self.object_locks: ports.ObjectLocks = SqlObjectLocks(database, numbers)
        self.audit_left = left = SqlAuditLeft(database, bundles)
        self.audit: ports.Audit = SqlAudit(database, left, site, node)
        self.audit_log = SqlAuditLog(database, left, site, node)
        self.audit_tree = SqlAuditTree(database, left, site)
        self.witnessed: ports.Witnessed = SqlWitnessed(database)
        self.accounts: ports.Accounts = SqlAccounts(database)
        self.credentials: ports.Credentials = SqlCredentials(database)
        self.peers: ports.Peers = SqlPeers(database)
        self.approvals: ports.Approvals = SqlApprovals(database)
        self.exports: ports.Exports = SqlExports(database)
        self.progress: ports.Progress = SqlProgress(database)
        self.holds = holds = SqlHolds(database, changes, site, node)
        self.kept: ports.Kept = SqlKept(database, holds, site)
        self.events, self.owed_events = SqlEvents(database, changes), SqlOwedEvents(database)
        self.event_ages, self.points = SqlEventAges(database), SqlPoints(database)
        self.leases, self.outbox = SqlLeases(database), SqlOutbox(database)
        self.departing, self.agreeing = SqlDeparting(database, changes), SqlAgreeing(database, site)
        self.inbox: ports.Inbox = SqlInbox(database, numbers, changes)
        self.notices: ports.Notices = SqlNotices(database, numbers, changes, commits)
        self.cameras: ports.Cameras = SqlCameras(database, changes, site, secrets)
        self.child_cameras: ports.ChildCameras = SqlChildCameras(database, secrets)
        self.statuses: ports.Statuses = SqlStatuses(database)
        self.nodes, self.sites = SqlNodes(database), SqlSites(database)
        self.documents: ports.Documents = SqlDocuments(database)
        self.identities: ports.Identities = SqlIdentities(database)

    def counts(self) -> dict[str, int]:
        """Return how many rows there are, by kind."""
        tables = (schema.stream, schema.segment, schema.span, schema.copy, schema.gap)
        with self.database.read() as db:
            return {
                table.name: int(db.execute(select(func.count()).select_from(table)).scalar_one())
                for table in tables
            }

    def close(self) -> None:
        """Let go of connections."""
        self.database.close()
