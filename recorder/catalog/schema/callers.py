"""Who calls, and what they did: accounts, keys, approvals, the audit log."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from recorder.catalog.schema.base import metadata

audit = Table(
    "audit",
    metadata,
    Column("audit_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
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

audit_tile = Table(
    "audit_tile",
    metadata,
    Column("log_no", Integer, primary_key=True, autoincrement=False),
    Column("tile_no", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("numbers", Text, nullable=False),
    Column("first_no", BigInteger, nullable=False),
    Column("last_no", BigInteger, nullable=False),
    Column("from_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("cameras", Text, nullable=False),
    Column("actions", Text, nullable=False),
    Column("callers", Text, nullable=False),
    Index("ix_audit_tile_first", "first_no"),
    Index("ix_audit_tile_last", "last_no"),
    sqlite_with_rowid=False,
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

peer = Table(
    "peer",
    metadata,
    Column("public_key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
)

secret_key = Table(
    "secret_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key_id", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("wiped_ns", BigInteger),
)
