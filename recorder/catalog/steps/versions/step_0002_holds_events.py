"""Holds, events, points, copies whose deletion has begun, and groups that outlive cameras."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the column."""
    op.add_column("copy", sa.Column("deleting_ns", sa.BigInteger))
    op.create_table(
        "member",
        sa.Column("camera", sa.Text, primary_key=True),
        sa.Column("group_name", sa.Text, nullable=False),
    )
    camera, member = (
        sa.table("camera", sa.column("name"), sa.column("body", sa.JSON)),
        sa.table("member", sa.column("camera"), sa.column("group_name")),
    )
    for name, body in op.get_bind().execute(sa.select(camera.c.name, camera.c.body)).all():
        op.execute(member.insert().values(camera=name, group_name=body["group"]))
    op.create_table(
        "hold",
        sa.Column("hold_id", sa.Text, primary_key=True),
        sa.Column("cameras", sa.JSON, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("case_name", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("expires_ns", sa.BigInteger),
        sa.Column("released_ns", sa.BigInteger),
        sa.Column("released_by", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "point",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("received_ns", sa.BigInteger, nullable=False),
        sa.Column("cameras", sa.JSON, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("image", sa.LargeBinary),
    )
    op.create_table(
        "touch",
        sa.Column("camera", sa.Text, primary_key=True),
        sa.Column("start_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_touch_end", "touch", ["camera", "end_ns"])
    op.create_index("ix_audit_camera", "audit", ["camera", "start_ns"])
