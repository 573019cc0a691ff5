"""Files, quotes, buttons and later news of deliveries; channels' own notes; groups, link codes, preferences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("inbox", sa.Column("files", sa.JSON(), nullable=True))
    op.add_column("inbox", sa.Column("quotes", sa.JSON(), nullable=True))
    op.add_column("inbox", sa.Column("pending", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("outbox", sa.Column("file", sa.JSON(), nullable=True))
    op.add_column("outbox", sa.Column("choices", sa.JSON(), nullable=True))
    op.add_column("message", sa.Column("images", sa.JSON(), nullable=True))
    op.create_index("session_of_person", "session", ["person", "updated_at"])
    op.create_index("outbox_receipt", "outbox", ["channel", "receipt"])
    op.create_table(
        "channel_state",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "key"),
    )
    op.create_table(
        "group_chat",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("chat", sa.String(), nullable=False),
        sa.Column("invited_by", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "chat"),
    )
    op.create_table(
        "link_code",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index("ix_link_code_person", "link_code", ["person"])
    op.create_table(
        "preference",
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("person"),
    )
