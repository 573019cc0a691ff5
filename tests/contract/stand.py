"""What the suite over all provider kinds talks to."""

from __future__ import annotations

from dataclasses import dataclass

from providers.base import Provider
from tests.fakes.llm import LLMFake


@dataclass
class Stand:
    """A provider, the model server behind it, and the model to ask there."""

    provider: Provider
    llm: LLMFake
    model: str = "fake-1"
