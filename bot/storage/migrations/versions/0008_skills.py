"""Which skills the owner has enabled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "skill",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("enabled_at", sa.Float(), nullable=False),
        sa.Column("enabled_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
