"""A camera is one of a site: groups and what events touch are kept by site and camera.

No row said which site's camera it meant; an empty site says: of that name at any site.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables anew, with the site in their keys."""
    op.execute("CREATE TEMPORARY TABLE old_member AS SELECT * FROM member")
    op.drop_table("member")
    op.create_table(
        "member",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("camera", sa.Text, primary_key=True),
        sa.Column("group_name", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO member SELECT '', camera, group_name FROM old_member")
    op.execute("DROP TABLE old_member")
    op.execute("CREATE TEMPORARY TABLE old_touch AS SELECT * FROM touch")
    op.drop_table("touch")
    op.create_table(
        "touch",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("camera", sa.Text, primary_key=True),
        sa.Column("start_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    columns = "camera, start_ns, event_id, end_ns, kind"
    op.execute(
        f"INSERT INTO touch (site, {columns}) SELECT '', {columns} FROM old_touch"  # noqa: S608
    )
    op.execute("DROP TABLE old_touch")
    op.create_index("ix_touch_end", "touch", ["camera", "end_ns"])
