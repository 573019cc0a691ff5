"""Anthropic's models, and every server that speaks their Messages API."""

from __future__ import annotations

from providers.anthropic import AnthropicProvider
from providers.base import ProviderSpec

SPEC = ProviderSpec("anthropic", AnthropicProvider)
