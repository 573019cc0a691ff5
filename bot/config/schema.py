"""What a configuration file may say, section by section. All of it has defaults, so an empty file will do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, SerializeAsAny, field_validator

from providers.settings import Limits, ProviderSettings, Seconds

RoleName = Literal["reasoning", "rlm", "compaction", "reflection", "transcription"]

OFF, ESPEAK, PIPER = "off", "espeak-ng", "piper"
WHISPER: Mapping[str, int] = MappingProxyType(
    {"tiny": 75, "tiny.en": 75, "base": 145, "base.en": 145, "small": 485, "small.en": 485}
    | {"medium": 1530, "medium.en": 1530, "large-v3": 3090, "large-v3-turbo": 1620}
)
"""Models of faster-whisper's and how much there is to fetch of each, in MB."""


_LAST_PORT = 65_535
_SHORTEST_MEMORY = 8
"""Days in which a message that comes again has to be known."""


class Section(BaseModel):
    """A part of the file: no unknown keys, no guessed types, not changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Roles(Section):
    """Which model serves which purpose: an alias, `provider/model`, or a model that some provider lists."""

    reasoning: str | None = None
    """The conversation itself. Default: the best model there is."""
    rlm: str | None = None
    """Delegated work. Default: a cheap capable model."""
    compaction: str | None = None
    """Shortens long conversations. Default: free or local."""
    reflection: str | None = None
    """Distils facts to remember. Default: free or local."""
    transcription: str | None = None
    """Writes down what is spoken. Default: this machine (`[voice] local`), else a provider known for it."""

    @property
    def given(self) -> dict[str, str]:
        """The roles that the file assigns."""
        return {role: name for role, name in self if name is not None}


class PersonSettings(Section):
    """One person; `identities` holds, by channel, the ids that the channel's own key named."""

    role: Literal["owner", "user"] = "user"
    timezone: str | None = None
    """IANA name, such as Europe/Rome. Default: this machine's."""
    language: str | None = Field(default=None, min_length=1, max_length=40)
    """The language to answer in, such as "Italian". Default: the one that they write in; /language changes it."""
    prefers: str | None = None
    """The channel that messages outside of answers go to. Default: the one they used last."""
    identities: dict[str, list[str]] = {}

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        try:
            return None if name is None else ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"no time zone is called {name!r}; expected a name such as Europe/Rome"
            ) from None


class AgentSettings(Section):
    """Limits of one turn, which is everything done to answer one message."""

    max_steps: int = Field(default=30, ge=1)
    """Calls of the model within a turn."""
    max_tokens: int = Field(default=4096, ge=1)
    """Tokens that one call may write."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Default: the provider's."""
    turn_deadline: Seconds = 600.0
    """Seconds."""
    max_tool_result_chars: int = Field(default=16_000, ge=200)
    """Longer results of tools are cut in the middle."""
    worker_steps: int = Field(default=40, ge=1)
    """Calls of the model within work that was handed on."""
    worker_deadline: Seconds = 480.0
    """Seconds for work that was handed on, each time; less than a turn has that waits for it."""
    max_background: int = Field(default=4, ge=0)
    """Tasks that may run in the background at the same time."""
    approval_expires: Seconds = 86_400.0
    """Seconds that a question to the owner stays open."""
    max_concurrent_turns: int = Field(default=8, ge=1)
    """Conversations that are answered at the same time; further ones wait."""


class WorkspaceSettings(Section):
    """Where the assistant's own files lie."""

    path: str | None = Field(default=None, min_length=1)
    """Default: `workspace` in the data folder, from which a relative path counts. `~` is the home."""
    max_file: int = Field(default=25, ge=1)
    """MiB; larger files that people send are not fetched."""


class ShellSettings(Section):
    """Commands in the sandbox."""

    network: bool = False
    """Whether a command may have the internet where it asks for it."""
    timeout: Seconds = 120.0
    """Seconds for one command."""
    memory: int = Field(default=2048, ge=64)
    """MiB for one command."""


class WebSettings(Section):
    """The web; DuckDuckGo answers searches unless another engine is named."""

    searxng: str | None = Field(default=None, pattern=r"^https?://")
    """Address of your own SearXNG, which must allow the format json."""
    brave_key: SecretStr | None = None
    """Key of the Brave Search API."""
    brave_url: str | None = Field(default=None, pattern=r"^https?://")
    duckduckgo_url: str | None = Field(default=None, pattern=r"^https?://")
    allow: list[str] = []
    """Hosts in your own network that may be read all the same: "host" or "host:port"."""


class ToolsSettings(Section):
    """Which tools the models may use."""

    off: list[str] = []
    """Names of modules in `bot/tools` that are left out."""
    shell: ShellSettings = ShellSettings()
    web: WebSettings = WebSettings()


class JobSettings(Section):
    """Changes a scheduled job; at most one of `every` and `cron`."""

    every: Seconds | None = None
    """Seconds from one run to the next."""
    cron: str | None = None
    """Five fields, at this machine's clock: "0 3 * * *" is three o'clock every night."""
    off: bool = False


class MetricsSettings(Section):
    """Numbers for Prometheus, and whether the daemon is alive and ready, over HTTP on this machine."""

    listen: str | None = None
    """Such as "127.0.0.1:9464". Default: nothing is served."""

    @field_validator("listen")
    @classmethod
    def _on_this_machine(cls, listen: str | None) -> str | None:
        if listen is None:
            return None
        host, _, port = listen.rpartition(":")
        if host not in {"127.0.0.1", "[::1]", "localhost"} or not port.isdecimal() or int(port) > _LAST_PORT:
            raise ValueError(
                f'{listen!r} is no address of this machine; expected one such as "127.0.0.1:9464": the numbers '
                "tell who writes when, so a proxy that asks for a password must stand before them"
            )
        return listen

    @property
    def address(self) -> tuple[str, int] | None:
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class RetentionSettings(Section):
    """For how many days things are kept; 0: for ever."""

    messages: int = Field(default=0, ge=0)
    """Conversations: what was said, received and sent. At least eight: servers offer a message again for days (Meta for
    up to seven), and by what is kept it is known to have been answered.
    """
    tool_outputs: int = Field(default=30, ge=0)
    """What tools returned, in full."""
    audit_details: int = Field(default=180, ge=0)
    """Arguments and results in the audit log; its chain itself always stays."""
    usage: int = Field(default=730, ge=0)
    """What single calls of models cost."""
    memory_versions: int = Field(default=365, ge=0)
    """Earlier versions of the files of facts, and what they were made from."""
    received_files: int = Field(default=0, ge=0)
    """Files that people sent, in the workspace's inbox."""

    @field_validator("messages")
    @classmethod
    def _known_when_offered_again(cls, days: int) -> int:
        if 0 < days < _SHORTEST_MEMORY:
            raise ValueError(
                f"{days} days are too few: what a server offers again within a week would be answered twice; "
                f"expected 0 (for ever) or at least {_SHORTEST_MEMORY}"
            )
        return days


class VoiceSettings(Section):
    """Voice notes: what is heard, and answers that are spoken."""

    transcribe: bool = True
    """Whether speech is written down at all."""
    local: str = Field(default="base", min_length=1)
    """The model for speech on this machine: a name of faster-whisper's, a folder, or "off"."""
    language: str | None = Field(default=None, pattern=r"^[a-z]{2,3}$")
    """A code such as "it", where everybody speaks the same. Default: found out each time."""
    max_minutes: int = Field(default=30, ge=1, le=600)
    """Longer recordings are not written down."""
    reply: bool = False
    """Whether who asks by voice is answered by voice, too."""
    speech: str | None = None
    """What speaks: "espeak-ng", "piper:VOICE", or a model that a provider has. Default: espeak-ng, where it is."""
    speaker: str | None = Field(default=None, min_length=1)
    """Its voice, by a name that it knows."""

    @field_validator("local")
    @classmethod
    def _known_model(cls, name: str) -> str:
        if name == OFF or name in WHISPER or "/" in name or name.startswith("~"):
            return name
        raise ValueError(f"there is no {name!r}; expected a folder, {OFF}, or one of {', '.join(WHISPER)}")

    @field_validator("speech")
    @classmethod
    def _known_engine(cls, name: str | None) -> str | None:
        engine, _, voice = (name or "").partition(":")
        if name is None or name == ESPEAK or (engine == PIPER and voice):
            return name
        if engine == PIPER or not name:
            raise ValueError(f'found {name!r}; expected "{ESPEAK}", "{PIPER}:VOICE" or PROVIDER/MODEL')
        return name


class Config(Section):
    """The whole configuration, checked, with every secret filled in."""

    providers: dict[str, ProviderSettings] = {}
    models: dict[str, str] = {}
    """Aliases: a name of your own for `provider/model`."""
    roles: Roles = Roles()
    fallback: dict[str, list[str]] = {}
    """For a name, what is tried in order."""
    people: dict[str, PersonSettings] = {}
    channels: dict[str, SerializeAsAny[BaseModel]] = {}
    """By kind, an instance of the settings that the channel's `SPEC` declares."""
    agent: AgentSettings = AgentSettings()
    workspace: WorkspaceSettings = WorkspaceSettings()
    tools: ToolsSettings = ToolsSettings()
    limits: Limits = Limits()
    jobs: dict[str, JobSettings] = {}
    """By the name of a module in `bot/jobs`."""
    retention: RetentionSettings = RetentionSettings()
    metrics: MetricsSettings = MetricsSettings()
    voice: VoiceSettings = VoiceSettings()

    def zone(self, person: str) -> ZoneInfo | None:
        """The time zone of a person; None: this machine's."""
        settings = self.people.get(person)
        return None if settings is None or settings.timezone is None else ZoneInfo(settings.timezone)
