"""Mapping of an archive's layout, decisions about findings, and the secret of hashed names.

Revision ID: 0011
Revises: 0010
"""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    # Not by a batch: that makes the table anew, and others refer to it.
    op.add_column(
        "organisation",
        sa.Column("intake_key", sa.String(length=64), nullable=False, server_default=sa.text("''")),
    )
    organisation = sa.table("organisation", sa.column("id"), sa.column("intake_key"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(organisation.c.id)).all():
        connection.execute(
            sa.update(organisation)
            .where(organisation.c.id == row.id)
            .values(intake_key=secrets.token_hex(32))
        )
    with op.batch_alter_table("dataset") as table:
        table.add_column(sa.Column("read_key", sa.String(), nullable=True))
        table.add_column(sa.Column("layout", JSON, nullable=True))
        table.add_column(sa.Column("layout_signature", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("mapping", JSON, nullable=True))
        table.add_column(sa.Column("mapping_confirmed_by", sa.String(length=200), nullable=True))
        table.add_column(sa.Column("decisions", JSON, nullable=True))
        table.add_column(sa.Column("split_by", sa.String(length=32), nullable=True))
        table.add_column(sa.Column("open_holds", JSON, nullable=True))
    op.create_index(
        op.f("ix_dataset_organisation_id_layout_signature"),
        "dataset",
        ["organisation_id", "layout_signature"],
    )
    op.create_table(
        "text_scan",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("problem", JSON, nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_text_scan_dataset_id_dataset")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_text_scan")),
        sa.UniqueConstraint("dataset_id", name=op.f("uq_text_scan_dataset_id")),
    )
    op.create_index(op.f("ix_text_scan_status"), "text_scan", ["status"])


def downgrade() -> None:
    op.drop_table("text_scan")
    op.drop_index(op.f("ix_dataset_organisation_id_layout_signature"), "dataset")
    with op.batch_alter_table("dataset") as table:
        for name in (
            "open_holds",
            "split_by",
            "decisions",
            "mapping_confirmed_by",
            "mapping",
            "layout_signature",
            "layout",
            "read_key",
        ):
            table.drop_column(name)
    with op.batch_alter_table("organisation") as table:
        table.drop_column("intake_key")
