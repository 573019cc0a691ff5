"""What a turn needs, composed once and exchanged whole when the configuration changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot import plugins
from bot.config import AgentSettings, Config
from bot.context.calibration import Calibration
from bot.context.prompt import PromptBuilder
from bot.discovery import Discovery
from bot.memory.memory import Memory
from bot.paths import workspace_folder
from bot.safety.sandbox import PROTECTED
from bot.storage.database import Database
from bot.toolbox import Toolbox, ToolSpec
from providers.client import ModelClient


@dataclass(frozen=True, slots=True)
class Core:
    """At most ten fields (a test counts them); what grows here grows inside one of them."""

    config: Config
    models: ModelClient
    database: Database
    toolbox: Toolbox
    prompts: PromptBuilder
    discovery: Discovery
    workspace: Path
    memory: Memory
    calibration: Calibration
    clock: Callable[[], float]

    @property
    def settings(self) -> AgentSettings:
        return self.config.agent


class CoreBuilder:
    """Makes a Core from the configuration and the two things that outlive it."""

    def __init__(self, config: Config, models: ModelClient, database: Database) -> None:
        self._config = config
        self._models = models
        self._database = database

    def build(
        self,
        discovery: Discovery,
        clock: Callable[[], float] = time.time,
        redact: Callable[[str], str] = str,
    ) -> Core:
        """Load the tools and make the workspace; `redact` leaves the values of our secrets out of a text.

        Raises PluginError, OSError.
        """
        workspace = workspace_folder(self._config.workspace.path, self._database.path.parent, os.environ)
        workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (name for name in PROTECTED if not name.endswith(".md")):
            # The sandbox keeps commands from writing to what is there, not from making it.
            (workspace / folder).mkdir(exist_ok=True, mode=0o700)
        names = [name for name in plugins.names("bot.tools") if name not in self._config.tools.off]
        tools = [plugins.load("bot.tools", name, ToolSpec) for name in names]
        return Core(
            config=self._config,
            models=self._models,
            database=self._database,
            toolbox=Toolbox(tools),
            prompts=PromptBuilder(workspace, clock),
            discovery=discovery,
            workspace=workspace,
            memory=Memory(self._database, workspace, clock, redact),
            calibration=Calibration(self._database, clock),
            clock=clock,
        )
