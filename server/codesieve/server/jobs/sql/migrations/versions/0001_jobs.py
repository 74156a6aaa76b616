"""Jobs, their contents and events, and what callers used.

What the store was when this was written, whatever it has become since: nothing is taken from the code's present tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("priority", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("create_time", _MOMENT, nullable=False),
        sa.Column("end_time", _MOMENT),
        sa.Column("snapshot", sa.LargeBinary, nullable=False),
        sa.Column("progress", sa.LargeBinary, nullable=False),
        sa.Column("last_sequence", sa.BigInteger, nullable=False),
        sa.Column("front_end", sa.Text),
        sa.Column("lease_until", _MOMENT),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("cancel", sa.Boolean, nullable=False),
        sa.UniqueConstraint("caller", "job_id", name="jobs_by_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_by_caller", "jobs", ["caller", "id"])
    op.create_index("jobs_by_end", "jobs", ["end_time", "id"])
    op.create_table(
        "contents",
        sa.Column("job", _NUMBER, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("piece", sa.Integer, primary_key=True),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("job", _NUMBER, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("time", _MOMENT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sample_id", sa.Text),
        sa.Column("verdict", sa.Text),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("job", "sample_id", "kind", name="events_once"),
    )
    op.create_table(
        "usage",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("samples", sa.BigInteger, nullable=False),
    )
