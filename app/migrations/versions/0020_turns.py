"""The use of devices by organisations, and the priority of distillations.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_use",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("queue", sa.String(length=32), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_device_use_organisation_id_organisation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_use")),
    )
    op.create_index(op.f("ix_device_use_queue_ended_at"), "device_use", ["queue", "ended_at"])
    op.create_index(
        op.f("ix_device_use_organisation_id_ended_at"),
        "device_use",
        ["organisation_id", "ended_at"],
    )
    op.add_column(
        "distillation",
        sa.Column("priority", sa.String(length=32), server_default="normal", nullable=False),
    )
    op.add_column("worker_process", sa.Column("memory_bytes", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    # Not by a batch: it makes the table anew, which other tables' rows refer to.
    op.drop_column("distillation", "priority")
    op.drop_column("worker_process", "memory_bytes")
    op.drop_table("device_use")
