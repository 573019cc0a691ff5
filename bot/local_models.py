"""Models for this machine that `nanobot local get` and `nanobot init` offer, by the memory that they take.

This is data with a date: repositories and files as of November 2026, sizes as published, memory with a context of
16,000 tokens. Hugging Face tells each file's real size and checksum when it is fetched.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bot.download import USUAL, Network, Progress, Source, download
from providers import gguf

HUB = "https://huggingface.co"
GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LocalModel:
    """`size` is the file's, `memory` what running it takes, in bytes; both about. `note` is for who has to choose."""

    name: str
    title: str
    repository: str
    file: str
    size: int
    memory: int
    note: str

    @property
    def url(self) -> str:
        return f"{HUB}/{self.repository}/resolve/main/{self.file}"


MODELS = (
    LocalModel(
        "nanbeige",
        "Nanbeige4.1-3B",
        "mradermacher/Nanbeige4.1-3B-GGUF",
        "Nanbeige4.1-3B.Q4_K_M.gguf",
        int(2.4 * GB),
        int(4.0 * GB),
        "small, thinks before it answers, English and Chinese",
    ),
    LocalModel(
        "qwen-4b",
        "Qwen3.5-4B",
        "unsloth/Qwen3.5-4B-GGUF",
        "Qwen3.5-4B-Q4_K_M.gguf",
        int(2.7 * GB),
        int(5.0 * GB),
        "good with tools, many languages; for machines of 8 GB",
    ),
    LocalModel(
        "gemma-e2b",
        "Gemma 4 E2B",
        "unsloth/gemma-4-E2B-it-GGUF",
        "gemma-4-E2B-it-Q4_K_M.gguf",
        int(3.1 * GB),
        int(5.0 * GB),
        "quick, many languages",
    ),
    LocalModel(
        "qwen-9b",
        "Qwen3.5-9B",
        "unsloth/Qwen3.5-9B-GGUF",
        "Qwen3.5-9B-Q4_K_M.gguf",
        int(5.7 * GB),
        int(9.0 * GB),
        "more able, half as fast; for machines of 16 GB",
    ),
    LocalModel(
        "gemma-12b",
        "Gemma 4 12B",
        "unsloth/gemma-4-12b-it-GGUF",
        "gemma-4-12b-it-Q4_K_M.gguf",
        int(6.7 * GB),
        int(12.0 * GB),
        "many languages; slow on a processor alone; for machines of 24 GB",
    ),
)
"""The one to take where nobody chooses stands first."""


def choices(memory: int | None) -> list[LocalModel]:
    """Those that run in so many bytes of memory, the recommended first; all where nobody knows how much there is."""
    return [model for model in MODELS if memory is None or model.memory <= memory]


def named(name: str) -> LocalModel | None:
    """The model of that name, or that title, or that file."""
    wanted = name.lower()
    return next((m for m in MODELS if wanted in (m.name, m.title.lower(), m.file.lower())), None)


async def fetch(
    model: LocalModel, folder: Path, progress: Progress, *, url: str = "", network: Network = USUAL
) -> Path:
    """The model's file in `folder`, fetched unless it is there; from `url` instead of Hugging Face where given.

    Raises `DownloadError`.
    """
    return await fetch_file(Source(url or model.url), folder / model.file, progress, network)


async def fetch_file(source: Source, place: Path, progress: Progress, network: Network = USUAL) -> Path:
    """`source` at `place`, fetched unless it is there, and known to be a model's file. Raises `DownloadError`."""
    if not _there(place):
        await download(source, place, progress, network, gguf.problem)
    return place


def _there(place: Path) -> bool:
    return os.path.lexists(place)
