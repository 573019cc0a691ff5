"""Whole results of tools, summaries of conversations, and what tokens cost per model."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pass
