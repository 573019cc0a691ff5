"""The configuration: `load_config` reads and checks the file, `Config` is what the rest of the bot sees."""

from __future__ import annotations

from bot.config.load import Loaded, load_config
from bot.config.schema import (
    AgentSettings,
    Config,
    PersonSettings,
    Roles,
    ToolsSettings,
    WebSettings,
    WorkspaceSettings,
)

__all__ = [
    "AgentSettings",
    "Config",
    "Loaded",
    "PersonSettings",
    "Roles",
    "ToolsSettings",
    "WebSettings",
    "WorkspaceSettings",
    "load_config",
]
