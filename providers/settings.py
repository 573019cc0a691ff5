"""What `[providers.<name>]` may say."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from providers.types import Price, Tier

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class PriceSettings(BaseModel):
    """US dollars for a million tokens; `minute`: for a minute of sound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    """For prompt tokens that the server had in its cache. Default: as `prompt`."""
    minute: float = Field(default=0.0, ge=0)
    """For models that hear or speak."""

    def value(self) -> Price:
        return Price(self.prompt, self.completion, self.cached, self.minute)


class ModelSettings(BaseModel):
    """What the owner knows of one model; stands above what the server or a preset says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context_window: int | None = Field(default=None, ge=256)
    """Tokens."""
    tools: bool | None = None
    tier: Tier | None = None
    vision: bool | None = None
    """Whether it takes images."""
    thinks: bool | None = None
    """Whether it thinks before its first word: it is waited for longer."""
    thinking_tokens: int | None = Field(default=None, ge=1024)
    """How much it may think, at providers where that is asked for (Anthropic). Default: not at all."""
    price: PriceSettings | None = None


class Limit(BaseModel):
    """Caps on what costs money. A day and a month are the calendar's, at this machine's clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    usd_per_day: float | None = Field(default=None, ge=0)
    usd_per_month: float | None = Field(default=None, ge=0)
    tokens_per_day: int | None = Field(default=None, ge=0)
    tokens_per_month: int | None = Field(default=None, ge=0)


class Limits(Limit):
    """The section `[limits]`. Models that cost nothing go on when a cap is reached."""

    usd_per_turn: float | None = Field(default=None, ge=0)
    tokens_per_turn: int | None = Field(default=None, ge=0)
    """Of one turn, which is everything done to answer one message."""
    warn_at: float = Field(default=0.8, gt=0, le=1)
    """The part of a day's or month's cap at which the owner is told."""
    paid_fallback: bool = False
    """Whether a model that costs money may answer where a free one failed, without a chain that says so."""
    roles: dict[Literal["reasoning", "rlm", "compaction", "reflection", "transcription"], Limit] = {}
    """Further caps for single roles."""


class ProviderSettings(BaseModel):
    """One endpoint. A known name (see `providers.presets`) needs only its key; any other needs `api_base`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str | None = None
    """Protocol: the name of a module in `providers/adapters`. Default: the preset's, else "openai_compat"."""
    api_key: SecretStr | None = None
    api_keys: list[SecretStr] = []
    """Several, in the place of `api_key`: used in order, each resting for itself."""
    anonymous: bool = False
    """For gateways that serve strangers without a key and may keep what they are sent: that is all right."""
    api_base: str | None = Field(default=None, pattern=r"^https?://")
    models: list[str] = []
    """Models served here, so that a bare model name finds this provider."""
    default_model: str | None = None
    """What the provider's bare name means in a chain. Default: the preset's strong model, else the first of
    `models`.
    """
    model_info: dict[str, ModelSettings] = {}
    gguf: str | None = None
    """Kind "llamacpp" only: the file of a model that is served on this machine."""
    rate_limit_rpm: int | None = Field(default=None, ge=1)
    """Requests per minute that we allow ourselves here."""
    rate_limit_remaining: int | None = None
    """Accepted from older files and ignored: what remains is tracked at run time."""
    connect_timeout: Seconds | None = None
    first_token_timeout: Seconds | None = None
    between_tokens_timeout: Seconds | None = None

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """The keys in the order in which they are used; none twice."""
        return tuple(dict.fromkeys([self.api_key] if self.api_key else self.api_keys))

    @property
    def names(self) -> tuple[str, ...]:
        """The models that the owner names."""
        default = [self.default_model] if self.default_model else []
        return tuple(dict.fromkeys([*default, *self.models, *self.model_info]))

    def with_key(self, index: int) -> Self:
        """The same with only that one of `keys`, or with none where there is none."""
        keys = self.keys
        return self.model_copy(update={"api_key": keys[index] if index < len(keys) else None, "api_keys": []})

    @model_validator(mode="after")
    def _one_kind_of_keys(self) -> Self:
        if self.api_key is not None and self.api_keys:
            raise ValueError("api_key and api_keys stand side by side; put every key into api_keys")
        return self
