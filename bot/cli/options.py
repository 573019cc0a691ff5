"""What every command is given: the global options and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot import paths

if TYPE_CHECKING:
    from bot.config import Loaded


@dataclass(frozen=True, slots=True)
class Options:
    """`config` and `data` are what the command line says, None where it says nothing."""

    config: Path | None
    data: Path | None
    verbose: bool
    env: Mapping[str, str]

    @property
    def data_folder(self) -> Path:
        return paths.data_folder(self.data, self.env)

    @property
    def sockets(self) -> tuple[Path, ...]:
        """Where a daemon may listen."""
        return paths.socket_candidates(self.data, self.env)

    @property
    def config_file(self) -> Path:
        """The configuration file in use, else the one to make."""
        usual = paths.usual_configs(self.env)
        readable = (file for file in usual if os.access(file, os.R_OK))
        return paths.named_config(self.config, self.env) or next(readable, usual[0])

    def load(self) -> Loaded:
        """The configuration, its models' files found. Raises ConfigError."""
        from bot.config import load_config  # noqa: PLC0415 -- pydantic; a running daemon's clients go without
        from bot.config.places import placed  # noqa: PLC0415 -- as above

        loaded = load_config(self.config, self.env)
        return replace(loaded, config=placed(loaded.config, self.data_folder, self.env))
