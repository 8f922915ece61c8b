"""The names of files leave the rows of uploads that are over, and the replies kept beside them.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    upload = sa.table("upload", sa.column("sent_metadata"), sa.column("status"))
    op.execute(
        upload.update()
        .where(upload.c.status.not_in(["receiving", "finishing"]))
        .values(sent_metadata="")
    )


def downgrade() -> None:
    """What is gone stays gone."""
