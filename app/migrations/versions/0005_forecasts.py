"""Forecasts of a job, and versions of a dataset.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forecast",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.Column("preset", sa.String(length=64), nullable=False),
        sa.Column("settings", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("settings_hash", sa.String(length=64), nullable=False),
        sa.Column("pace_key", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("estimate", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("problem", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["dataset.id"], name=op.f("fk_forecast_dataset_id_dataset")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_forecast_organisation_id_organisation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecast")),
    )
    for column in ("dataset_id", "organisation_id", "status"):
        op.create_index(op.f(f"ix_forecast_{column}"), "forecast", [column], unique=False)

    op.create_table(
        "measurement",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("pace_key", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("covers_images", sa.Integer(), nullable=False),
        sa.Column("paces", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurement")),
    )
    op.create_index(
        op.f("ix_measurement_pace_key_created_at"),
        "measurement",
        ["pace_key", "created_at"],
        unique=False,
    )

    op.add_column("dataset", sa.Column("first_id", sa.String(length=40), nullable=True))
    op.add_column(
        "dataset",
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
    )
    op.add_column("dataset", sa.Column("sample_seed", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_dataset_first_id"), "dataset", ["first_id"], unique=False)

    op.add_column("distillation", sa.Column("forecast_id", sa.String(length=40), nullable=True))
    op.create_index(op.f("ix_distillation_forecast_id"), "distillation", ["forecast_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_distillation_forecast_id"), table_name="distillation")
    op.drop_column("distillation", "forecast_id")
    op.drop_index(op.f("ix_dataset_first_id"), table_name="dataset")
    for column in ("sample_seed", "version", "first_id"):
        op.drop_column("dataset", column)
    op.drop_table("measurement")
    op.drop_table("forecast")
