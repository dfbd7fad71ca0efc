"""The parts of a push that are on their way."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "push_parts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("run", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("rows", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_push_parts"),
        sa.ForeignKeyConstraint(["run"], ["sync_runs.id"], name="fk_push_parts_run", ondelete="CASCADE"),
    )
    op.create_index("ix_push_parts_run", "push_parts", ["run"])
