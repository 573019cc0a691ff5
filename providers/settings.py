"""What `[providers.<name>]` may say."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from providers.types import Tier

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class ModelSettings(BaseModel):
    """What the owner knows of one model; stands above what the server or a preset says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context_window: int | None = Field(default=None, ge=256)
    tools: bool | None = None
    tier: Tier | None = None


class ProviderSettings(BaseModel):
    """One endpoint. A known name (see `providers.presets`) needs only its key; any other needs `api_base`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str | None = None
    """Protocol: the name of a module in `providers/adapters`. Default: the preset's, else "openai_compat"."""
    api_key: SecretStr | None = None
    api_base: str | None = Field(default=None, pattern=r"^https?://")
    models: list[str] = []
    """Models served here, so that a bare model name finds this provider."""
    default_model: str | None = None
    """What the provider's bare name means in a chain. Default: the preset's strong model, else the first of
    `models`.
    """
    model_info: dict[str, ModelSettings] = {}
    rate_limit_rpm: int | None = Field(default=None, ge=1)
    """Requests per minute that we allow ourselves here."""
    rate_limit_remaining: int | None = None
    """Accepted from older files and ignored: what remains is tracked at run time."""
    connect_timeout: Seconds | None = None
    first_token_timeout: Seconds | None = None
    between_tokens_timeout: Seconds | None = None
