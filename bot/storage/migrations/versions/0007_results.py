"""Whole results of tools, summaries of conversations, pinned rules, and how models count tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("session", sa.Column("summary", sa.String(), nullable=False, server_default=""))
    op.add_column("session", sa.Column("summarised", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("session", sa.Column("summary_trust", sa.String(), nullable=False, server_default="own"))
    op.add_column("session", sa.Column("pinned", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "tool_output",
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("trust", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("handle"),
    )
    op.create_index("ix_tool_output_session", "tool_output", ["session"])
    op.create_table(
        "calibration",
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("factor", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("route"),
    )
