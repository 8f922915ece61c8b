"""The newest datasets of an organisation, and the neighbours in a line, found by an index.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PAGES = "ix_dataset_organisation_id_created_at_id"
LINES = "ix_dataset_first_id_version"
LINES_BEFORE = "ix_dataset_first_id"


def upgrade() -> None:
    op.create_index(PAGES, "dataset", ["organisation_id", "created_at", "id"])
    op.create_index(LINES, "dataset", ["first_id", "version"])
    op.drop_index(LINES_BEFORE, "dataset")


def downgrade() -> None:
    op.create_index(LINES_BEFORE, "dataset", ["first_id"])
    op.drop_index(LINES, "dataset")
    op.drop_index(PAGES, "dataset")
