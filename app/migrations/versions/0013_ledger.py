"""The ledger of each dataset: every read of its private images under differential privacy.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "ledger_events",
        sa.Column("line_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("mechanism", JSON, nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("released", sa.Double(), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["dataset.id"], name=op.f("fk_ledger_events_line_id_dataset")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_ledger_events_dataset_id_dataset")
        ),
        sa.PrimaryKeyConstraint("line_id", "number", name=op.f("pk_ledger_events")),
    )


def downgrade() -> None:
    op.drop_table("ledger_events")
