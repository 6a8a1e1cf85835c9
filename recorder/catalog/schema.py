"""Tables of the catalog.  Rows are small: about 0.4 kB a minute of one stream.

Streams and decoder configurations are numbered once and referred to by number; a
segment's key is derived from its columns and stored only where it differs.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

REVISION = "0017"
"""The step that made it what it is: the newest of ``catalog/steps``."""

metadata = MetaData()

stream = Table(
    "stream",
    metadata,
    Column("stream_no", Integer, primary_key=True),
    Column("site", Text, nullable=False),
    Column("camera", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("longest_ns", BigInteger, nullable=False, server_default="0"),
    Column("via", Text, nullable=False, server_default=""),
    UniqueConstraint("site", "camera", "stream", name="uq_stream"),
)

config = Table(
    "config",
    metadata,
    Column("config_no", Integer, primary_key=True),
    Column("decoder_digest", Text, nullable=False),
    Column("codecs", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    UniqueConstraint("decoder_digest", "codecs", "width", "height", name="uq_config"),
)

segment = Table(
    "segment",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("span_ns", BigInteger, nullable=False),
    Column("counter", Integer, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("media_start", BigInteger, nullable=False),
    Column("media_end", BigInteger, nullable=False),
    Column("timescale", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("init_bytes", Integer, nullable=False),
    Column("config_no", Integer, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("camera_offset_ns", BigInteger),
    Column("gap_cause", Text, nullable=False, server_default=""),
    Column("key", Text),
    Column("points", LargeBinary, nullable=False),
    Column("holes", Text),
    Column("activity", LargeBinary),
    Column("committed_ns", BigInteger),
    sqlite_with_rowid=False,
)

span = Table(
    "span",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("span_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("codecs", Text, nullable=False),
    Column("gap_cause", Text, nullable=False),
    Column("camera_offset_ns", BigInteger),
    Index("ix_span_end", "stream_no", "end_ns"),
    Index("ix_span_start", "stream_no", "start_ns"),
)

copy = Table(
    "copy",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("etag", Text, nullable=False),
    Column("verified_ns", BigInteger, nullable=False),
    Column("condemned_ns", BigInteger),
    Column("deleting_ns", BigInteger),
    Column("locked", Integer, nullable=False, server_default="0"),
    Column("damaged_ns", BigInteger),
    Index("ix_copy_condemned", "place", "condemned_ns"),
    sqlite_with_rowid=False,
)

for _name in ("locked = 1", "damaged_ns IS NOT NULL"):  # few: asked for every few seconds
    _few = text(_name)
    Index(
        f"ix_copy_{_name.split('_')[0].split()[0]}",
        copy.c.place,
        sqlite_where=_few,
        postgresql_where=_few,
    )

gap = Table(
    "gap",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("cause", Text, primary_key=True),
    Column("end_ns", BigInteger, nullable=False),
    Index("ix_gap_end", "stream_no", "end_ns"),
)

camera = Table(
    "camera",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
)

member = Table(
    "member",
    metadata,
    Column("site", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("group_name", Text, nullable=False),
    Column("about", JSON),
)

status = Table(
    "status",
    metadata,
    Column("site", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("health", JSON),
)

node = Table(
    "node",
    metadata,
    Column("node", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
)

document = Table(
    "document",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", JSON, nullable=False),
    Column("author", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

hold = Table(
    "hold",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("cameras", JSON, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("case_name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger),
    Column("released_ns", BigInteger),
    Column("released_by", Text, nullable=False, server_default=""),
)

point = Table(
    "point",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("received_ns", BigInteger, nullable=False),
    Column("cameras", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("image", LargeBinary),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("noted_ns", BigInteger, nullable=False, server_default="0"),
    Column("removed_ns", BigInteger),
    Index("ix_event_noted", "noted_ns", "event_id"),
)

touch = Table(
    "touch",
    metadata,
    Column("site", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", Text, primary_key=True),
    Column("end_ns", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Index("ix_touch_end", "camera", "end_ns"),
    sqlite_with_rowid=False,
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("stream_no", Integer),
    Column("start_ns", BigInteger),
    Column("end_ns", BigInteger),
    Column("name", Text, nullable=False, server_default=""),
    Column("at_ns", BigInteger, nullable=False),
)

downward = Table(
    "downward",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("child", Text, nullable=False),
    Column("stream_no", Integer, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("writer", Text, nullable=False),
    Index("ix_downward_child", "child", "seq"),
    sqlite_autoincrement=True,  # a number is never used twice: old word may be dropped twice
)

camera_below = Table(
    "camera_below",
    metadata,
    Column("site", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("author", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

progress = Table(
    "progress",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
)

site = Table(
    "site",
    metadata,
    Column("name", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
)

hold_delivery = Table(
    "hold_delivery",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("site", Text, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("term", Integer, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("handing", Text, nullable=False, server_default=""),
)

store = Table(
    "store",
    metadata,
    Column("name", Text, primary_key=True),
    Column("identity", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("audit_no", Integer, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("camera", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("document_version", Integer, nullable=False),
    Column("caller", Text, nullable=False, server_default=""),
    Column("result", Text, nullable=False, server_default=""),
    Column("entry", LargeBinary),
    Column("log_no", Integer),
    Column("leaf_no", BigInteger),
    Index("ix_audit_camera", "camera", "start_ns"),
    Index("ix_audit_place", "place", "at_ns"),
    Index("ix_audit_at", "at_ns"),
    Index("ix_audit_caller", "caller", "at_ns"),
    Index("uq_audit_leaf", "log_no", "leaf_no", unique=True),
    Index(
        "ix_audit_waiting",
        "audit_no",
        sqlite_where=text("leaf_no IS NULL"),
        postgresql_where=text("leaf_no IS NULL"),
    ),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("log_no", Integer, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("begun_ns", BigInteger, nullable=False),
    Column("assigned", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("signed_ns", BigInteger, nullable=False),
    UniqueConstraint("origin", name="uq_audit_log"),
)

audit_witness = Table(
    "audit_witness",
    metadata,
    Column("site", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("grants", JSON, nullable=False),
    Column("password", Text, nullable=False, server_default=""),
    Column("created_ns", BigInteger, nullable=False),
    Column("closed_ns", BigInteger),
    Column("identity", Text, nullable=False, server_default=""),
    Index(
        "uq_account_identity",
        "identity",
        unique=True,
        sqlite_where=text("identity <> ''"),
        postgresql_where=text("identity <> ''"),
    ),
)

credential = Table(
    "credential",
    metadata,
    Column("credential_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("only", JSON),
    Column("address", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger),
    Column("ended_ns", BigInteger),
    Index("ix_credential_digest", "digest", unique=True),
    Index("ix_credential_account", "account"),
)

approval = Table(
    "approval",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("camera", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("asked_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_ns", BigInteger),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Index("ix_approval_who", "who", "until_ns"),
)

_WHOLE = (
    *("start_ns", "end_ns", "asked_ns", "deadline_ns", "until_ns", "due_ns"),
    *("term", "done_bytes", "all_bytes"),
)
export = Table(
    "export",
    metadata,
    Column("export_id", Text, primary_key=True),
    *(Column(name, JSON, nullable=False) for name in ("caller", "cameras", "form", "notes")),
    *(
        Column(name, Text, nullable=False)
        for name in ("stream", "case_name", "purpose", "state", "node", "said", "kind")
    ),
    *(Column(name, BigInteger, nullable=False) for name in _WHOLE),
    Column("tries", Integer, nullable=False),
    Column("made", JSON),
    *(Column(name, BigInteger) for name in ("began_ns", "ended_ns", "expires_ns")),
)

peer = Table(
    "peer",
    metadata,
    Column("public_key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
)

chain = Table(
    "chain",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
)

link = Table(
    "link",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("line", LargeBinary, nullable=False),
    Column("batch", LargeBinary),
    Column("batch_ns", BigInteger),
    Index(
        "ix_link_waiting",
        "stream_no",
        "number",
        sqlite_where=text("batch IS NULL"),
        postgresql_where=text("batch IS NULL"),
    ),
    sqlite_with_rowid=False,
)

secret_key = Table(
    "secret_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key_id", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("wiped_ns", BigInteger),
)
