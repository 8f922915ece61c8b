"""Reports as PDF, and reports that show what the images started from.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("report_pdf_key", "internal_html_key", "internal_pdf_key")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("distillation", sa.Column(name, sa.String(), nullable=True))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("distillation", name)
