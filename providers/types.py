"""The neutral form of a conversation with a model, and of what came back.

Every protocol adapter translates to and from these values; nothing outside `providers` sees a wire format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "tool_calls", "length", "filtered"]
Tier = Literal["strong", "capable", "weak"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One complete call that a model asks for; `arguments` is the parsed JSON object."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One model at one provider, by the provider's configured name; no model yet: whichever its server holds."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.model else self.provider


@dataclass(frozen=True, slots=True)
class Image:
    """A picture. `media_type` is "image/jpeg", "image/png", "image/gif" or "image/webp"."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Thoughts:
    """What a model wants to have back with its message: thinking with its signature, and the like.

    `blocks` are JSON objects in the form of the protocol they came by. They go back unchanged and in order, and only
    to the `route` that they came from; whoever takes over does without.
    """

    route: Route
    blocks: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a conversation. A `tool` message answers the call `tool_call_id` of an earlier assistant
    one. Only a user's message has `images`, only an assistant's `thoughts`.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    images: tuple[Image, ...] = ()
    thoughts: Thoughts | None = None


@dataclass(frozen=True, slots=True)
class ToolDef:
    """A tool as offered to a model; `parameters` is a JSON Schema object. `size` is how many bytes all of it has, where
    somebody measured that before (`providers.tokens`): the same tools are offered again and again.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    size: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens. `cached` is for prompt tokens read from a cache; None: as `prompt`. `minute` is
    for a minute of sound, heard or spoken.
    """

    prompt: float
    completion: float
    cached: float | None = None
    minute: float = 0.0

    @property
    def free(self) -> bool:
        return self.prompt == self.completion == self.minute == 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one call may cost at most, in US dollars and in tokens (prompt and answer); None: no limit."""

    usd: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked of whichever candidate answers.

    `timeout` is in seconds and covers the whole call: every retry, wait and candidate. `brief` is the
    conversation for a tiny model, whose window and wits don't carry `messages`: such a model gets it instead,
    and no tools. `role` and `session` are whom the cost is booked to; `allowance` is what is left of the limits
    that its maker keeps (a turn's), and binds candidates that cost money. `thinks`: whoever gets it thinks before
    its first word, and is waited for longer. `seconds` is how much sound goes in or comes out, where it is that.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolDef, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    timeout: float = 600.0
    brief: tuple[Message, ...] = ()
    role: str = ""
    session: str = ""
    allowance: Allowance = Allowance()
    thinks: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; zero where it said nothing.

    `prompt_tokens` is the whole prompt, the `cached_tokens` among it read from the server's cache and the
    `written_tokens` put into it; `completion_tokens` the whole answer, the `reasoning_tokens` among it thought and
    not shown. `usd` is the cost, where the server tells it. `seconds` is sound that was heard or spoken.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    usd: float | None = None
    written_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model; None where nobody said.

    `context_window` is in tokens, prompt and answer together. `tiny` marks a model that gets
    `ChatRequest.brief`. `vision`: it takes images. `thinks`: it thinks before its first word, which takes longer.
    `slots`: how many answers its server makes at once; further requests wait there without a word. `loaded` False:
    its server has to load it first, which takes a while.
    """

    id: str
    context_window: int | None = None
    tools: bool | None = None
    tier: Tier = "weak"
    tiny: bool = False
    vision: bool | None = None
    thinks: bool | None = None
    price: Price | None = None
    slots: int | None = None
    loaded: bool | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate's part in a call: it answered (`error` is empty), failed, or was passed over (`called`
    false).

    `error` is the name of a class in `providers.errors`, `detail` one line for a person, `seconds` how long
    it took, `until` the wall-clock time (seconds since the epoch) at which it may be back, if known.
    `needs_owner` says that it stays broken until a person does something (a key, money).
    """

    route: Route
    error: str = ""
    detail: str = ""
    seconds: float = 0.0
    until: float | None = None
    called: bool = True
    needs_owner: bool = False


@dataclass(frozen=True, slots=True)
class RateWindow:
    """One limit as a server's headers tell it: of `limit`, so much `remaining` until `until` (epoch seconds).

    `unit` is "requests", "tokens" or "output tokens".
    """

    unit: str
    remaining: float
    until: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What one provider returned for one call, before the client adds its path.

    `dropped_calls` counts tool calls that were cut off or unreadable and therefore left out of `message`. `limits`
    are those that the server told beside its answer.
    """

    message: Message
    finish: Finish
    usage: Usage = field(default_factory=Usage)
    dropped_calls: int = 0
    limits: tuple[RateWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatReply:
    """An answer, who gave it, and every attempt that led there, in order (the last one answered)."""

    message: Message
    finish: Finish
    usage: Usage
    route: Route
    path: tuple[Attempt, ...]
    dropped_calls: int = 0
    tiny: bool = False
    usd: float = 0.0
    """What the whole call cost, failed candidates included, as far as prices are known."""
    paid_tokens: int = 0
    """Tokens of all that cost money, failed candidates included: what counts towards a cap."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Forget the text shown so far: that stream died (`attempt`), and another try follows."""

    attempt: Attempt


ProviderEvent = TextDelta | ReasoningDelta | Completion
ClientEvent = TextDelta | ReasoningDelta | Restart | ChatReply
