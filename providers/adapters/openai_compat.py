"""Every server that speaks OpenAI's chat protocol: most of the cloud, and all local ones."""

from __future__ import annotations

from providers.base import ProviderSpec
from providers.openai import OpenAIProvider

SPEC = ProviderSpec("openai_compat", OpenAIProvider)
