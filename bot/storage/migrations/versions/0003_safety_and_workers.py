"""Approvals, labels of trust, and turns of workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("message", sa.Column("trust", sa.String(), nullable=False, server_default="own"))
    op.add_column("inbox", sa.Column("trust", sa.String(), nullable=False, server_default="own"))
    op.add_column("message", sa.Column("kept", sa.String(), nullable=False, server_default=""))
    op.add_column("turn", sa.Column("parent", sa.Integer(), nullable=True))
    op.add_column("turn", sa.Column("call", sa.String(), nullable=False, server_default=""))
    op.add_column("turn", sa.Column("task", sa.JSON(none_as_null=True), nullable=True))
    op.create_index("ix_turn_parent", "turn", ["parent"])
    op.create_table(
        "origin",
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_of", sa.String(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("pending", "approved", "denied", "expired", name="approvalstate", native_enum=False),
            nullable=False,
        ),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["turn"], ["turn.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_index("approval_open", "approval", ["state", "expires_at"])
    op.create_index("ix_approval_turn", "approval", ["turn"])
