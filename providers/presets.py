"""What is known of well-known providers, so that a key (or nothing, for a local server) is all they need.

This is data with a date: model ids, windows and prices as of November 2026. Windows are in tokens; None where the
vendor's price list doesn't say. Prices are US dollars for a million tokens, at the dearest time of day where that
matters; a cheaper one for cached tokens is the owner's to say. A later id belongs here, or in the owner's
`[providers.<name>] models` and `model_info`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from providers import starter
from providers.settings import ProviderSettings
from providers.types import ModelInfo, Price, Tier

NOTHING = Price(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Preset:
    """One known provider. `strong` and `cheap` are ids among `models`; a local server has neither until it is
    asked.

    `free` says that the named models cost nothing. `bare_prefix`: see `providers.refs.Known`. `anonymous`: it serves
    strangers without a key, whom the owner has to allow it to treat as such. `hourly` is how many requests it takes
    from one of them in an hour. `catalogue`: it lists its models as OpenRouter does, prices and all. `hears` writes
    speech down and `speaks` says what is written; neither is a model to talk to.
    """

    name: str
    api_base: str | None
    env: tuple[str, ...] = ()
    models: tuple[ModelInfo, ...] = ()
    strong: str = ""
    cheap: str = ""
    kind: str = "openai_compat"
    free: bool = False
    bare_prefix: str = ""
    anonymous: bool = False
    hourly: int | None = None
    catalogue: bool = False
    hears: ModelInfo | None = None
    speaks: ModelInfo | None = None

    @property
    def needs_key(self) -> bool:
        return bool(self.env)

    @property
    def is_gateway(self) -> bool:
        """Whether it resells others' models, free ones among them."""
        return self.catalogue or self.anonymous


def _model(id_: str, window: int | None, tier: Tier = "capable", *, price: Price | None = None) -> ModelInfo:
    return ModelInfo(id_, window, tools=True, tier=tier, price=price)


def _thinker(
    id_: str, window: int | None, tier: Tier = "capable", *, price: Price | None = None
) -> ModelInfo:
    """One that thinks before its first word."""
    return ModelInfo(id_, window, tools=True, tier=tier, thinks=True, price=price)


def _sound(id_: str, minute: float) -> ModelInfo:
    """One that hears or speaks, at a price for the minute."""
    return ModelInfo(id_, price=Price(0, 0, minute=minute))


def _free(id_: str, window: int | None, tier: Tier = "capable") -> ModelInfo:
    return ModelInfo(id_, window, tools=True, tier=tier, price=NOTHING)


# In the order in which keys found in the environment are used: the strongest first, the free one last.
_ALL = (
    Preset(
        "anthropic",
        "https://api.anthropic.com/v1",
        ("ANTHROPIC_API_KEY",),
        (
            _thinker("claude-opus-5-5", None, "strong", price=Price(4, 20)),
            _thinker("claude-sonnet-5-5", None, "strong", price=Price(2, 10)),
            _model("claude-haiku-5-5", 1_000_000, price=Price(0.1, 0.5)),
        ),
        strong="claude-opus-5-5",
        cheap="claude-haiku-5-5",
        kind="anthropic",
    ),
    Preset(
        "openai",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        (
            _thinker("gpt-6-sol", None, "strong", price=Price(2, 10)),
            _model("gpt-6-luna", 922_000, price=Price(0.1, 0.5)),
            _thinker("gpt-6.1-terra", None, "strong", price=Price(1, 5)),
            _model("gpt-5.6-luna", None, price=Price(0.2, 1.2)),
        ),
        strong="gpt-6-sol",
        cheap="gpt-6-luna",
        hears=_sound("whisper-1", 0.006),
        speaks=_sound("gpt-4o-mini-tts", 0.015),
    ),
    Preset(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        (
            _thinker("gemini-3.8-flash", None, "strong", price=Price(0.75, 3.75)),
            _model("gemini-3.5-flash-lite", None, price=Price(0.3, 2.5)),
            _model("gemini-3.1-flash-lite", None, price=Price(0.25, 1.5)),
        ),
        strong="gemini-3.8-flash",
        cheap="gemini-3.5-flash-lite",
    ),
    Preset(
        "xai",
        "https://api.x.ai/v1",
        ("XAI_API_KEY",),
        (_thinker("grok-4.7", 500_000, "strong", price=Price(2, 6)),),
        strong="grok-4.7",
        cheap="grok-4.7",  # their price list names no cheaper one with tools
    ),
    Preset(
        "deepseek",
        "https://api.deepseek.com",
        ("DEEPSEEK_API_KEY",),
        (
            _thinker("deepseek-v4-pro", 1_000_000, "strong", price=Price(1.32, 3.96)),
            _thinker("deepseek-flash", 1_000_000, price=Price(0.3, 1.2)),
        ),
        strong="deepseek-v4-pro",
        cheap="deepseek-flash",
    ),
    Preset(
        "zai",
        "https://api.z.ai/api/paas/v4",
        ("ZAI_API_KEY",),
        (
            _thinker("glm-5.3", 1_000_000, "strong", price=Price(1.4, 4.4)),
            _thinker("glm-4.7-flash", 200_000, price=NOTHING),
        ),
        strong="glm-5.3",
        cheap="glm-4.7-flash",
    ),
    Preset(
        "zhipu",
        "https://open.bigmodel.cn/api/paas/v4",
        ("ZHIPU_API_KEY", "ZHIPUAI_API_KEY"),
        (
            _thinker("glm-5.3", 1_000_000, "strong", price=Price(1.4, 4.4)),
            _thinker("glm-4.7-flash", 200_000, price=NOTHING),
        ),
        strong="glm-5.3",
        cheap="glm-4.7-flash",
    ),
    Preset(
        "mistral",
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        (
            _model("mistral-small-latest", 262_000, price=Price(0.15, 0.6)),
            _model("ministral-8b-latest", None, price=Price(0.15, 0.15)),
        ),
        strong="mistral-small-latest",
        cheap="ministral-8b-latest",
    ),
    Preset(
        "groq",
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        (
            _thinker("openai/gpt-oss-120b", 131_000, price=Price(0.15, 0.6)),
            _thinker("openai/gpt-oss-20b", 131_000, price=Price(0.075, 0.3)),
            _thinker("qwen/qwen3.8-27b", 131_000, price=Price(0.8, 4)),
        ),
        strong="openai/gpt-oss-120b",
        cheap="openai/gpt-oss-20b",
        hears=_sound("whisper-large-v3-turbo", 0.04 / 60),
    ),
    Preset(
        "together",
        "https://api.together.xyz/v1",
        ("TOGETHER_API_KEY",),
        (_thinker("openai/gpt-oss-120b", 131_000), _thinker("openai/gpt-oss-20b", 131_000)),
        strong="openai/gpt-oss-120b",
        cheap="openai/gpt-oss-20b",
    ),
    Preset(
        "openrouter",
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        # Only free ones: a key alone is no permission to spend. They change weekly; the free-model catalogue
        # replaces them.
        (
            _free("nvidia/nemotron-3-super-120b-a12b:free", 262_000),
            _free("google/gemma-4-31b-it:free", 262_000),
            _free("openrouter/free", None, "weak"),
        ),
        strong="nvidia/nemotron-3-super-120b-a12b:free",
        cheap="google/gemma-4-31b-it:free",
        free=True,
        bare_prefix="openrouter/",
        catalogue=True,
    ),
    # Neither is ever found: prompts go to strangers there, which only the owner may decide. Limits as their own
    # documentation states them: Kilo's for one address, LLM7's for one without a token.
    Preset("kilo", "https://api.kilo.ai/api/gateway", anonymous=True, hourly=200, catalogue=True),
    Preset(
        "llm7",
        "https://api.llm7.io/v1",
        # Selectors: it tells neither their windows nor what is behind them.
        models=(ModelInfo("default", price=NOTHING), ModelInfo("fast", price=NOTHING)),
        strong="default",
        cheap="fast",
        free=True,
        anonymous=True,
        hourly=60,
    ),
    Preset("llama", "http://127.0.0.1:8080/v1"),
    Preset("local", "http://127.0.0.1:8080/v1"),
    Preset("ollama", "http://127.0.0.1:11434/v1"),
    Preset("lmstudio", "http://127.0.0.1:1234/v1"),
    Preset("vllm", "http://127.0.0.1:8000/v1"),
    # The built-in model brings its own address along.
    Preset(
        "starter",
        None,
        models=(starter.INFO,),
        strong=starter.MODEL,
        cheap=starter.MODEL,
        kind="starter",
        free=True,
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})
_BY_HOST: Mapping[str, Preset] = MappingProxyType(
    {
        urlsplit(preset.api_base).hostname or "": preset
        for preset in reversed(_ALL)  # of two at one host, the first counts
        if preset.api_base and (preset.needs_key or preset.anonymous)
    }
)


def preset_for(name: str, settings: ProviderSettings) -> Preset | None:
    """The preset of a configured provider: by its name, else by its kind's or its base URL's host.

    Gateways keep theirs at another address too (a relay in front of them): nothing else is called so.
    """
    if settings.kind == "llamacpp":
        return None  # a file of its owner's, whatever they call it
    base = settings.api_base
    preset = PRESETS.get(name)
    if base is None:
        return preset or PRESETS.get(settings.kind or "")
    if preset is not None and preset.is_gateway:
        return preset
    return _BY_HOST.get(urlsplit(base).hostname or "")


def privacy_line(name: str) -> str:
    """What the owner should have read before a gateway that serves strangers is used without a key."""
    return (
        f"{name} answers without a key or an account; in return, what you write there may be logged, read, "
        "and used to train models: leave out whatever is private"
    )


def complete(name: str, settings: ProviderSettings, env: Mapping[str, str]) -> ProviderSettings:
    """`settings` with kind, address and key filled in from the preset and the environment."""
    preset = preset_for(name, settings)
    update: dict[str, object] = {"kind": settings.kind or (preset.kind if preset else "openai_compat")}
    if preset is not None:
        update["api_base"] = settings.api_base or preset.api_base
        key = next((env[variable] for variable in preset.env if env.get(variable)), None)
        if not settings.keys and key is not None:
            update["api_key"] = key
    return ProviderSettings.model_validate({**settings.model_dump(), **update})


def is_local(url: str) -> bool:
    """Whether a URL's host is this machine or its own network, by its form alone: nothing is looked up."""
    host = (urlsplit(url).hostname or "").lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A name without a dot is one of the home network or a container's; the suffixes are reserved for such
        # use.
        return "." not in host or host.endswith((".local", ".localhost", ".lan", ".home.arpa", ".internal"))
    return address.is_private or address.is_loopback or address.is_link_local
