"""Observations, learnings, versions of facts, and the search over what was said."""

from __future__ import annotations

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
