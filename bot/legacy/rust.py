"""The Rust program's configuration, as it was in February 2026 and, where the file shows it, a month later.

It read no key but those asked for here, chose the provider by the first key in a fixed order whatever the model was
called, and took the defaults for everything where one value had a wrong type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.config.report import dotted
from bot.legacy import channels
from bot.legacy.made import Around, Format, Made, Maker
from bot.legacy.notes import Fate
from bot.legacy.old import Old
from bot.legacy.people import Guests
from bot.legacy.source import Source

_DEFAULT_MODEL = "anthropic/claude-opus-4-5"
_LOCAL = "http://localhost:8080/v1"


@dataclass(frozen=True, slots=True)
class _Provider:
    """`name` is what it is called here; `base` where it isn't known here; `based`: its apiBase had an effect."""

    old: str
    name: str
    base: str = ""
    based: bool = False


_PROVIDERS = (
    _Provider("openrouter", "openrouter", based=True),
    _Provider("deepseek", "deepseek"),
    _Provider("anthropic", "anthropic"),
    _Provider("openai", "openai"),
    _Provider("gemini", "gemini"),
    _Provider("zhipu", "zhipu", based=True),
    _Provider("zhipuCoding", "zhipu_coding", "https://open.bigmodel.cn/api/coding/paas/v4", based=True),
    _Provider("groq", "groq", based=True),
    _Provider("vllm", "vllm", based=True),
    _Provider("huggingface", "huggingface", "https://router.huggingface.co/v1", based=True),
)
"""In the order in which a key won."""

_PREFIXES = {
    "groq": "groq", "gemini": "gemini", "openai": "openai", "anthropic": "anthropic", "deepseek": "deepseek",
    "huggingface": "huggingface", "zhipu-coding": "zhipu_coding", "zhipu": "zhipu", "openrouter": "openrouter",
}  # fmt: skip
_LATER = (
    ("trio",), ("cluster",), ("lcm",), ("proprioception",), ("modelCapabilities",), ("reasoning",), ("timeouts",),
    ("retry",), ("monitoring",), ("perplexityGate",), ("agents", "defaultLane"), ("agents", "defaults", "localModel"),
    ("agents", "defaults", "localApiBase"), ("agents", "defaults", "lmsPort"),
    ("agents", "defaults", "maxContinuations"), ("providers", "zhipuCoding"), ("providers", "huggingface"),
    ("toolDelegation", "mode"), ("memory", "skillDisclosure"), ("tools", "web", "search", "provider"),
)  # fmt: skip
"""What only the later one wrote."""
_NO_MODEL = ("claude-code", "bedrock")


def convert(source: Source, around: Around) -> Made:
    """Pure."""
    return _Rust(source, around).made


class _Rust:
    def __init__(self, source: Source, around: Around) -> None:
        self.old = Old(source, loose=False, strict_nulls=True)
        self.made = Made(Format.RUST)
        self._maker = Maker(self.old, self.made, around)
        self._later = any(self.old.has(*path) for path in _LATER)
        self._keys: list[str] = []
        """Providers with a key, the one that won first."""
        self._models()
        self._agent()
        self._channels(Guests(self._maker))
        self._tools()
        self._memory()
        self._without_effect()
        self.made.notes[:0] = self.old.notes

    # Models

    def _models(self) -> None:
        self._keys = [one.name for one in _PROVIDERS if self._provider(one)]
        self._local_server()
        given = self.old.text("agents", "defaults", "model")
        path = ("agents", "defaults", "model")
        main = self._reference(given or _DEFAULT_MODEL, path)
        if main:
            self._maker.put(("roles", "reasoning"), main, path, *self._as_before(given, main))
        else:
            self.old.note(Fate.TODO, path, "roles.reasoning", self._why_not(given))
        self._role_of_tools(main)
        self._role_of_memory(main)
        self._offer_others(main)

    def _provider(self, one: _Provider) -> bool:
        """Whether it has a key, and with it a section."""
        at = ("providers", one.old)
        key, base = self.old.text(*at, "apiKey"), self.old.text(*at, "apiBase", nullable=True)
        key = "" if key is None or (key == "none" and self._later) else key.strip()
        if base and not one.based:
            text = "was ignored there; that provider's own address is used, as it was"
            self.old.note(Fate.IDLE, (*at, "apiBase"), "", text)
            base = None
        if not key:
            if base:
                text = "without a key this provider was never used, and isn't here"
                self.old.note(Fate.IDLE, (*at, "apiBase"), "", text)
            return False
        place = ("providers", one.name)
        self._maker.secret((*place, "api_key"), key, (*at, "apiKey"))
        if base:
            self._maker.put((*place, "api_base"), base, (*at, "apiBase"))
        elif one.base:
            self._maker.quietly((*place, "api_base"), one.base)
        return True

    def _local_server(self) -> None:
        at = ("agents", "defaults")
        base, model = self.old.text(*at, "localApiBase", nullable=True), self.old.text(*at, "localModel")
        if base:
            self._maker.put(("providers", "local", "api_base"), base, (*at, "localApiBase"))
            if model:
                self._maker.put(("providers", "local", "default_model"), model, (*at, "localModel"))
                window = self.old.number(*at, "localMaxContextTokens")
                if window:
                    place = ("providers", "local", "model_info", model, "context_window")
                    self._maker.put(place, window, (*at, "localMaxContextTokens"))

    def _reference(self, model: str, path: tuple[str, ...]) -> str:
        """What a model of the old file is called here, as that program would have sent it; "" for nothing."""
        model = self._maker.plain(model, path) or ""
        head, slash, rest = model.partition("/")
        if not self._keys or not model or head in _NO_MODEL:
            return ""
        named = _PREFIXES.get(head) if slash else None
        if self._later and named in self._keys:
            return f"{named}/{rest}"
        first = self._keys[0]
        return f"{first}/{model}" if first == "openrouter" or named is None else f"{first}/{rest}"

    def _as_before(self, given: str | None, main: str) -> tuple[Fate, str]:
        head = (given or _DEFAULT_MODEL).partition("/")[0]
        provider = main.partition("/")[0]
        if provider != "openrouter" and head in _PREFIXES and _PREFIXES[head] != provider:
            text = (
                f"the old program sent this model to {provider}, whose key came first; choose one that it has"
            )
            return Fate.TODO, text
        return Fate.KEPT, "" if given else "the old program's own default"

    def _why_not(self, given: str | None) -> str:
        head = (given or "").partition("/")[0]
        if head in _NO_MODEL:
            return f"{head} can't be asked from here; choose a model (`nanobot models` lists them)"
        return "there is no provider with a key; `nanobot init` adds one"

    def _role_of_tools(self, main: str) -> None:
        at = ("toolDelegation",)
        on, model = self.old.flag(*at, "enabled", default=True), self.old.text(*at, "model")
        own = self._own_server((*at, "provider"), "delegation")
        text = "" if on and model else "the model of the conversation holds the tools itself"
        self.old.about(Fate.KEPT, (*at, "enabled"), text, "roles.rlm")
        target = main
        if on and model:
            target = f"delegation/{model}" if own else self._reference(model, (*at, "model"))
        if not target:
            return
        path = (*at, "model") if model else (*at, "enabled")
        self._maker.put(("roles", "rlm"), target, path)
        if own and on and model and main:
            self._maker.quietly(("fallback", "rlm"), [target, main])
            text = "as before, where that server doesn't answer the conversation's own model does the work"
            self.old.note(Fate.KEPT, (*at, "provider"), "fallback.rlm", text)

    def _role_of_memory(self, main: str) -> None:
        model = self.old.text("memory", "model")
        own = self._own_server(("memory", "provider"), "memory")
        target = self._reference(model, ("memory", "model")) if model else main
        if own and model:
            target = f"memory/{model}"
        if target:
            self._maker.put(("roles", "reflection"), target, ("memory", "model"))
            self._maker.put(("roles", "compaction"), target, ("memory", "model"))

    def _own_server(self, at: tuple[str, ...], name: str) -> bool:
        """A section of a provider inside of another one, as `[providers.<name>]`."""
        if not self.old.names(*at):
            self.old.about(Fate.KEPT, at, "none of its own")
            return False
        key, base = self.old.text(*at, "apiKey"), self.old.text(*at, "apiBase", nullable=True)
        place = ("providers", name)
        self._maker.put((*place, "api_base"), base or _LOCAL, (*at, "apiBase"))
        if key and key != "none":
            self._maker.secret((*place, "api_key"), key, (*at, "apiKey"))
        return True

    def _offer_others(self, main: str) -> None:
        others = [name for name in self._keys if name != main.partition("/")[0]]
        if main and others:
            chain = ", ".join(f'"{name}"' for name in (main, *others))
            self.made.comments["roles",] = (
                "The old program never fell back. To let others answer when it fails, put this into [fallback]:\n"
                f"reasoning = [{chain}]"
            )
            text = f"{', '.join(others)} had keys and were never used; the file has a chain with them, switched off"
            self.old.note(Fate.CHANGED, ("providers",), dotted(("fallback", "reasoning")), text)

    # The rest

    def _agent(self) -> None:
        old, put, at = self.old, self._maker.put, ("agents", "defaults")
        self.made.workspace = self._maker.plain(old.text(*at, "workspace"), (*at, "workspace")) or ""
        old.about(Fate.CHANGED, (*at, "workspace"), "its files are copied into the workspace of this program")
        for key, place in (
            ("maxTokens", "max_tokens"),
            ("maxConcurrentChats", "max_concurrent_turns"),
            ("maxToolResultChars", "max_tool_result_chars"),
        ):
            if (number := old.number(*at, key)) is not None:
                put(("agent", place), number, (*at, key))
        if (warmth := old.real(*at, "temperature")) is not None:
            put(("agent", "temperature"), warmth, (*at, "temperature"))
        if (steps := old.number(*at, "maxToolIterations")) is not None:
            text = "doubled, as the old program did for models with a large window"
            put(("agent", "max_steps"), 2 * steps, (*at, "maxToolIterations"), Fate.CHANGED, text)
        self._window(old.number(*at, "maxContextTokens"))
        old.about(Fate.IDLE, (*at, "maxContinuations"), "answers that were cut off are continued anyway")

    def _window(self, tokens: int | None) -> None:
        path = ("agents", "defaults", "maxContextTokens")
        main = str(self.made.values.get(("roles", "reasoning"), ""))
        provider, _, model = main.partition("/")
        if tokens is None:
            return
        if not model or "claude" in model.lower() or "gemini" in model.lower():
            self.old.note(Fate.IDLE, path, "", "was ignored for models called claude or gemini")
        else:
            self._maker.put(("providers", provider, "model_info", model, "context_window"), tokens, path)

    def _channels(self, guests: Guests) -> None:
        adopt: tuple[Callable[[Maker, Guests], None], ...] = (
            channels.telegram_of_rust,
            channels.whatsapp_of_rust,
            channels.email_of_rust,
        )
        for one in adopt:
            one(self._maker, guests)
        self._maker.sent_nowhere(("channels", "feishu"), "there is no such channel here")
        guests.settle(None)

    def _tools(self) -> None:
        old, at = self.old, ("tools", "web", "search")
        engine = old.text(*at, "provider") or "brave"
        key = old.text(*at, "apiKey")
        if key and key != "none":
            self._maker.secret(("tools", "web", "brave_key"), key, (*at, "apiKey"))
        address = self._maker.plain(old.text(*at, "searxngUrl"), (*at, "searxngUrl"))
        if engine == "searxng" and address:
            self._maker.put(("tools", "web", "searxng"), address, (*at, "searxngUrl"))
        old.about(
            Fate.KEPT if engine in {"brave", "searxng"} else Fate.DROPPED,
            (*at, "provider"),
            "" if engine in {"brave", "searxng"} else "DuckDuckGo searches here",
        )
        old.about(Fate.DROPPED, (*at, "maxResults"), "the model says how many results it wants")
        timeout = old.real("tools", "exec", "timeout")
        if timeout is not None:
            self._maker.put(("tools", "shell", "timeout"), timeout, ("tools", "exec", "timeout"))
        fenced = old.flag("tools", "exec", "restrictToWorkspace")
        text = "always so: commands run in a sandbox, and files outside of the workspace are out of reach"
        fate = Fate.KEPT if fenced else Fate.CHANGED
        old.about(fate, ("tools", "exec", "restrictToWorkspace"), text)

    def _memory(self) -> None:
        old = self.old
        if old.has("memory", "enabled") and not old.flag("memory", "enabled", default=True):
            self._maker.put(("jobs", "reflect", "off"), True, ("memory", "enabled"))
        old.about(Fate.KEPT, ("memory", "enabled"), "docs/MEMORY.md")
        rounds = old.number("toolDelegation", "maxIterations")
        if rounds is not None:
            self._maker.put(("agent", "worker_steps"), rounds, ("toolDelegation", "maxIterations"))

    def _without_effect(self) -> None:
        self._public_bind()
        whys = {
            "memory": "memory is kept in another way here (docs/MEMORY.md)",
            "toolDelegation": "workers have limits of their own here ([agent] worker_steps, worker_deadline)",
            "provenance": "every call is in the audit log, always (docs/SAFETY.md)",
            "gateway": "was printed only; nothing here listens on that port",
            "worker": "nothing read it there either",
            "voice": "voice notes are understood in any language",
            "providers": "empty there as well",
            "agents": "there is nothing like it here",
            "tools": "there is nothing like it here",
            "channels": "there is nothing like it here",
        }
        whys |= {path[0]: "there is nothing like it here" for path in _LATER if len(path) == 1}
        self._maker.leave(whys, "unknown to the old program as well")

    def _public_bind(self) -> None:
        host = self.old.text("gateway", "host")
        if host and channels.is_public(host):
            text = f"{host} is reachable from everywhere; it had no effect, and here nothing listens on the network"
            self.old.note(Fate.UNSAFE, ("gateway", "host"), "", text)
