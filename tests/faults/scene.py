"""A chain of models of which the first fails, and somebody who writes to it; waits take no time.

The client, its sockets and the sentences are the real ones. Wall-clock time is `Clock`'s: waits between calls and for
limits are slept there. What a server lets pass inside of an answer is real, at a hundredth of its length.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

from bot.agent import outcomes
from bot.gateway import notices
from providers.client import ModelClient
from providers.errors import NoModel
from providers.health import Rest
from providers.openai import OpenAIProvider
from providers.registry import Catalog, Registry
from providers.settings import ProviderSettings
from providers.testing import Clock
from providers.types import Attempt, ChatReply, ChatRequest, Message, Restart, TextDelta, ToolDef
from tests.fakes.llm import LLMFake, Script, echo
from tests.fakes.llm.cases import Case, playing

NOW = 1_790_000_000.0
"""A Monday afternoon in September 2026."""
SECOND = 0.01
"""What a second of a server's lasts."""
FIRST_TOKEN, BETWEEN_TOKENS, PATIENT = 60.0, 90.0, 300.0
"""The limits of a provider in the cloud, and of one at home for its first token."""
TURN = 1200.0
TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {}})

Hook = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Turn:
    """One question. `read` is the line about it, or the answer where there is none; `path` every attempt."""

    answer: str
    notice: str
    path: tuple[Attempt, ...]
    waited: float
    """Seconds slept, as the client's clock has it."""
    shown: str = ""
    """What stood in the preview at the end."""
    calls: tuple[str, ...] = ()
    """Tools that the answer wants run, by name."""

    @property
    def read(self) -> str:
        """What a person reads of it; in brackets what the bot is asked to do instead."""
        return self.notice or self.answer or f"({', '.join(self.calls)})"

    def errors(self, provider: str) -> list[str]:
        """What became of each call to this provider; "" is an answer."""
        return [one.error for one in self.path if one.route.provider == provider and one.called]

    @property
    def by(self) -> str:
        """Who answered; "" is nobody."""
        return str(self.path[-1].route) if self.path and not self.path[-1].error else ""


@dataclass
class Scene:
    case: Case
    first: LLMFake
    healthy: LLMFake
    client: ModelClient
    clock: Clock
    _shown: notices.Shown = field(default_factory=dict)

    async def turn(self, text: str = "hello") -> Turn:
        """Ask, and read what a person reads."""
        request = ChatRequest((Message("user", text),), (TOOL,), max_tokens=50, timeout=TURN)
        slept, shown = sum(self.clock.slept), ""
        reply: ChatReply | None = None
        try:
            async with aclosing(self.client.stream("reasoning", request)) as events:
                async for event in events:
                    match event:
                        case TextDelta(more):
                            shown += more
                        case Restart():
                            shown = ""
                        case ChatReply():
                            reply = event
                        case _:
                            pass
        except NoModel as error:
            answer = outcomes.say(outcomes.NoModelLeft(error.path, error.retry_at), self.clock.now)
            return Turn(answer, "", error.path, sum(self.clock.slept) - slept, shown)
        assert reply is not None, "a stream ends with a reply"
        notice, self._shown = notices.decide([reply.path], self._shown, self.clock.now)
        waited = sum(self.clock.slept) - slept
        calls = [call.name for call in reply.message.tool_calls] + [
            "a call that was cut off"
        ] * reply.dropped_calls
        return Turn(reply.message.content, notice, reply.path, waited, shown, tuple(calls))

    def rests(self) -> dict[str, Rest]:
        """What rests now, by scope."""
        return {rest.scope: rest for status in self.client.status() for rest in status.rests}

    async def heal(self) -> None:
        """The first is a healthy server from now on."""
        self.first.clear()
        if self.case.server == "down":
            await self.first.up()


@dataclass(frozen=True)
class Chain:
    """Who may answer, in order: models of the provider `first`, and the provider `healthy`.

    `fails` are the models of `first` that the case befalls; the others there are well.
    """

    models: Sequence[str] = ()
    fails: Sequence[str] = ()
    healthy: bool = True
    patient: bool = False
    """Whether the first is waited for as a computer at home is."""
    windows: Mapping[str, int] = field(default_factory=dict)
    on_sleep: Callable[[Scene], Hook] | None = None


@asynccontextmanager
async def opened(case: Case, chain: Chain | None = None) -> AsyncIterator[Scene]:
    chain = chain or Chain()
    models = tuple(chain.models) or case.setup.models[:1]
    case = replace(case, setup=replace(case.setup, models=models))
    async with playing(case) as first, LLMFake() as healthy:
        if chain.fails:
            _befall(first, chain.fails)
        clock = _Clock(NOW)
        registry = Registry(lambda name, settings: OpenAIProvider(name, settings, clock=clock))
        client = ModelClient(_catalog(chain, first, healthy), registry, clock=clock, sleep=clock.sleep)
        scene = Scene(case, first, healthy, client, clock)
        if chain.on_sleep:
            clock.hook = chain.on_sleep(scene)
        try:
            yield scene
        finally:
            await client.aclose()


def _befall(llm: LLMFake, models: Sequence[str]) -> None:
    failure: Script = llm.default
    llm.clear()

    def answer(body: dict[str, object]) -> object:
        reply = failure if body["model"] in models else echo
        return reply(body) if callable(reply) else reply

    llm.default = answer  # type: ignore[assignment] # what `failure` makes is a reply


class _Clock(Clock):
    """Tells somebody how long was slept in all."""

    hook: Hook | None = None

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.hook:
            await self.hook(sum(self.slept))


def _catalog(chain: Chain, first: LLMFake, healthy: LLMFake) -> Catalog:
    limits = {
        "first_token_timeout": SECOND * (PATIENT if chain.patient else FIRST_TOKEN),
        "between_tokens_timeout": SECOND * BETWEEN_TOKENS,
        "models": list(first.setup.models),
        "model_info": {model: {"context_window": window} for model, window in chain.windows.items()},
    }
    settings = {"first": ProviderSettings.model_validate({"api_base": first.base_url, **limits})}
    members = [f"first/{model}" for model in first.setup.models]
    if chain.healthy:
        settings["healthy"] = ProviderSettings(api_base=healthy.base_url, default_model="fake-1")
        members.append("healthy")
    return Catalog.of(settings, {}, {"reasoning": members[0]}, {"reasoning": members})
