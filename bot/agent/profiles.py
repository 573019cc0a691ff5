"""Profiles of workers: `workspace/agents/*.md`, each a kind of worker with its own prompt, model, tools and limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of worker. What is empty or 0 is as for any worker; `deadline` is in seconds."""

    name: str = ""
    description: str = ""
    prompt: str = ""
    model: str = ""
    tools: tuple[str, ...] = ()
    max_steps: int = 0
    deadline: float = 0.0


class Profiles:
    def __init__(self, workspace: Path) -> None:
        self._folder = workspace / "agents"

    def get(self, name: str) -> Profile:
        """The profile of this name, the plain one for ""."""
        return Profile(name)
