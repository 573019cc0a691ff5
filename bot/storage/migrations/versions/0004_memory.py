"""Observations, learnings, versions of facts, and the search over what was said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# What people and the assistant said is found by its words; SQLite keeps the index true by triggers (fts5, "External
# Content Tables", https://sqlite.org/fts5.html).
_SEARCH = """
CREATE VIRTUAL TABLE message_fts USING fts5(
    content, content='message', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);
CREATE TRIGGER message_said AFTER INSERT ON message
WHEN new.role IN ('user', 'assistant') AND new.content <> ''
BEGIN INSERT INTO message_fts(rowid, content) VALUES (new.id, new.content)
; END;
CREATE TRIGGER message_unsaid AFTER DELETE ON message
WHEN old.role IN ('user', 'assistant') AND old.content <> ''
BEGIN INSERT INTO message_fts(message_fts, rowid, content) VALUES ('delete', old.id, old.content)
; END;
INSERT INTO message_fts(rowid, content)
SELECT id, content FROM message WHERE role IN ('user', 'assistant') AND content <> '';
"""


def upgrade() -> None:
    op.add_column("session", sa.Column("observed", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "fact_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_fact_version_owner", "fact_version", ["owner"])
    op.create_table(
        "observation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("reflected_at", sa.Float(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_observation_person", "observation", ["person"])
    op.create_table(
        "learning",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tool", "text"),
    )
    for statement in _SEARCH.split(";\n"):
        if statement.strip():
            op.execute(statement)
