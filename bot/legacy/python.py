"""The Python program's configuration: presets of models, `${VARIABLE}` in texts, full dumps with nulls and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.config.names import ROLES
from bot.legacy import channels
from bot.legacy.made import Around, Format, Made, Maker
from bot.legacy.notes import Fate
from bot.legacy.old import Old, folded
from bot.legacy.people import Guests
from bot.legacy.source import Source
from providers.presets import PRESETS

_DEFAULT_MODEL = "anthropic/claude-opus-4-5"
_AUTO = "auto"
_WORDS = (
    ("claude", "anthropic"), ("gpt", "openai"), ("o1", "openai"), ("o3", "openai"), ("gemini", "gemini"),
    ("deepseek", "deepseek"), ("glm", "zhipu"), ("grok", "xai"), ("mistral", "mistral"),
)  # fmt: skip
"""What a model's name tells of who makes it, where the provider was left to be guessed."""
_DEFAULTS = ("agents", "defaults")
_CHANNELS = ("telegram", "whatsapp", "email")


def convert(source: Source, around: Around) -> Made:
    """Pure."""
    return _Python(source, around).made


class _Python:
    def __init__(self, source: Source, around: Around) -> None:
        self.old = Old(source, loose=True, strict_nulls=False)
        self.made = Made(Format.PYTHON)
        self._maker = Maker(self.old, self.made, around)
        self._around = around
        self._providers: dict[str, str] = {}
        """What each configured provider is called here, by its folded old name."""
        self._presets: dict[str, str] = {}
        """What each preset is called here."""
        self._read_providers()
        self._read_presets()
        self._roles()
        self._limits()
        self._channels(Guests(self._maker))
        self._tools()
        self._servers()
        self._without_effect()
        self.made.notes[:0] = self.old.notes

    # Providers

    def _read_providers(self) -> None:
        for written in self.old.names("providers"):
            at = ("providers", written)
            self.old.names(*at)  # says so where it is no section
            key = (self.old.text(*at, "apiKey") or "").strip()
            base = self._maker.plain(self.old.text(*at, "apiBase"), (*at, "apiBase"))
            key = "" if key == "none" else key
            if not key and not base:
                self.old.about(Fate.IDLE, at, "has neither a key nor an address")
                continue
            self._read_provider(written, key, base or "")

    def _read_provider(self, written: str, key: str, base: str) -> None:
        at, name = ("providers", written), _named(written)
        if not base and name not in PRESETS:
            text = "is not known here, so that it needs its address: add it with `nanobot init`, key and all"
            self.old.note(Fate.TODO, at, "", text)
            return
        self._providers[folded(written)] = name
        place = ("providers", name)
        self._maker.quietly(place, {})
        if key:
            self._maker.secret((*place, "api_key"), key, (*at, "apiKey"))
        if base:
            self._maker.put((*place, "api_base"), base, (*at, "apiBase"))
            if name in PRESETS and PRESETS[name].kind != "openai_compat":
                self._maker.quietly((*place, "kind"), PRESETS[name].kind)
        for extra in ("extraHeaders", "extraBody", "proxy"):
            if self._says_something(*at, extra):
                self.old.note(Fate.DROPPED, (*at, extra), "", "requests go out without it")
        self.old.about(Fate.IDLE, (*at, "displayName"), "a provider is called by its section's name")

    def _needed(self, written: str) -> str:
        """A provider that is asked for, with a section even if it has none; "" where that can't be."""
        if folded(written) in self._providers:
            return self._providers[folded(written)]
        name = _named(written)
        if name in PRESETS:
            self._providers[folded(written)] = name
            self._maker.quietly(("providers", name), {})
            if PRESETS[name].needs_key:
                text = f"is asked for and has no key: set api_key there, or {PRESETS[name].env[0]} in the environment"
                self.old.note(Fate.TODO, ("providers", written), f"[providers.{name}]", text)
        return name if name in PRESETS else ""

    # Models

    def _read_presets(self) -> None:
        for name in self.old.names("modelPresets"):
            at = ("modelPresets", name)
            reference = self._reference(
                self.old.text(*at, "provider"), self.old.text(*at, "model"), (*at, "model")
            )
            if not reference:
                continue
            alias = f"preset-{name}" if name in PRESETS or name in self._providers.values() else name
            self._presets[name] = alias
            self._maker.put(("models", alias), reference, at)
            self.old.unmark(*at)
            for key in ("provider", "model"):
                self.old.mark(*at, key)
            self._window(reference, self.old.number(*at, "contextWindowTokens"), (*at, "contextWindowTokens"))
            self._unlike_here(at)

    def _unlike_here(self, at: tuple[str, ...]) -> None:
        for key in ("temperature", "reasoningEffort"):
            if self._says_something(*at, key):
                self.old.note(Fate.DROPPED, (*at, key), "", "can't be set for a single model")
        self.old.about(Fate.IDLE, (*at, "label"), "ignored there, too")

    def _reference(self, provider: str | None, model: str | None, path: tuple[str, ...]) -> str:
        """`provider/model`, with a provider that was left to be guessed found; "" with a note where it can't be."""
        model = self._maker.plain(model, path)
        if not model:
            return ""
        if provider and folded(provider) != _AUTO:
            if name := self._needed(provider):
                return f"{name}/{model}"
            self.old.note(Fate.TODO, path, "", f"its provider {provider!r} isn't there; choose another model")
            return ""
        if guessed := self._guessed(model):
            return guessed
        self.old.note(Fate.TODO, path, "", "no provider for it could be found; choose one")
        return ""

    def _guessed(self, model: str) -> str:
        head, slash, rest = model.partition("/")
        known = set(self._providers.values())
        if slash and _named(head) in known:
            return f"{_named(head)}/{rest}"
        if "openrouter" in known:
            return f"openrouter/{model}"
        maker = next((name for word, name in _WORDS if word in model.lower()), "")
        if maker in known:
            return f"{maker}/{rest if slash else model}"
        return f"{next(iter(self._providers.values()))}/{model}" if known else ""

    def _window(self, reference: str, tokens: int | None, path: tuple[str, ...]) -> None:
        provider, _, model = reference.partition("/")
        if tokens is not None:
            self._maker.put(("providers", provider, "model_info", model, "context_window"), tokens, path)

    def _roles(self) -> None:
        main = self._main()
        if main:
            chain = [main, *self._chain()]
            if len(chain) > 1:
                path = (*_DEFAULTS, "fallbackModels")
                self._maker.put(("fallback", "reasoning"), list(dict.fromkeys(chain)), path)
        dream = (*_DEFAULTS, "dream")
        key = "modelOverride" if self.old.has(*dream, "modelOverride") else "model"
        asked = self.old.text(*dream, key)
        if asked and (small := self._model_called(asked, (*dream, key))):
            self._maker.put(("roles", "reflection"), small, (*dream, key))
            text = "the model for memory also shortens long conversations"
            self._maker.put(("roles", "compaction"), small, (*dream, key), Fate.CHANGED, text)
        self._dreams(dream)

    def _main(self) -> str:
        preset = (*_DEFAULTS, "modelPreset")
        asked = self.old.text(*preset)
        if asked and asked != "default":
            alias = self._presets.get(asked, "")
            if alias:
                self._maker.put(("roles", "reasoning"), alias, preset)
                for key in ("model", "provider", "contextWindowTokens"):
                    self.old.about(Fate.IDLE, (*_DEFAULTS, key), "the preset counted")
            else:
                self.old.note(Fate.TODO, preset, "roles.reasoning", "there is no such preset; choose a model")
            return alias
        return self._direct_model()

    def _direct_model(self) -> str:
        path = (*_DEFAULTS, "model")
        given = self.old.text(*path)
        if given is None and not self._providers:
            text = "there is no provider with a key; `nanobot init` adds one"
            self.old.note(Fate.TODO, path, "roles.reasoning", text)
            return ""
        reference = self._reference(self.old.text(*_DEFAULTS, "provider"), given or _DEFAULT_MODEL, path)
        if reference:
            text = "" if given else "the old program's own default"
            self._maker.put(("roles", "reasoning"), reference, path, Fate.KEPT, text)
            self._window(
                reference,
                self.old.number(*_DEFAULTS, "contextWindowTokens"),
                (*_DEFAULTS, "contextWindowTokens"),
            )
        return reference

    def _chain(self) -> Iterator[str]:
        path = (*_DEFAULTS, "fallbackModels")
        for number, item in enumerate(self.old.items(*path)):
            if isinstance(item, str):
                found = self._model_called(item, path)
            elif isinstance(item, dict):
                found = self._inline(item, path)
            else:
                found = ""
            if found:
                yield found
            else:
                self.old.note(
                    Fate.TODO, path, "fallback.reasoning", f"member {number + 1} could not be understood"
                )

    def _model_called(self, name: str, path: tuple[str, ...]) -> str:
        """A preset, else a model."""
        return self._presets.get(name) or self._reference(None, name, path)

    def _inline(self, item: dict[str, Any], path: tuple[str, ...]) -> str:
        """A preset without a name."""
        given = {folded(key): value for key, value in item.items()}
        provider, model = given.get("provider"), given.get("model")
        if not isinstance(model, str) or not isinstance(provider, str | None):
            return ""
        if not model.isprintable() or not (provider or "").isprintable():
            return ""
        reference = self._reference(provider, model, path)
        window = given.get("contextwindowtokens")
        if reference and isinstance(window, int) and not isinstance(window, bool):
            self._window(reference, window, path)
        return reference

    def _dreams(self, dream: tuple[str, ...]) -> None:
        old = self.old
        hours, cron = old.real(*dream, "intervalH"), old.text(*dream, "cron")
        if old.has(*dream, "enabled") and not old.flag(*dream, "enabled"):
            self._maker.put(("jobs", "reflect", "off"), True, (*dream, "enabled"))
        elif cron:
            self._maker.put(("jobs", "reflect", "cron"), cron, (*dream, "cron"))
        elif hours:
            self._maker.put(("jobs", "reflect", "every"), hours * 3600, (*dream, "intervalH"))
        old.about(Fate.KEPT, (*dream, "enabled"), "", "jobs.reflect")

    # The rest

    def _limits(self) -> None:
        old, put, at = self.old, self._maker.put, _DEFAULTS
        self.made.workspace = self._maker.plain(old.text(*at, "workspace"), (*at, "workspace")) or ""
        old.about(Fate.CHANGED, (*at, "workspace"), "its files are copied into the workspace of this program")
        preset = old.text(*at, "modelPreset")
        tokens = (
            ("modelPresets", preset, "maxTokens")
            if preset in self._presets and preset
            else (*at, "maxTokens")
        )
        rows = (
            (tokens, "max_tokens"),
            ((*at, "maxToolIterations"), "max_steps"),
            ((*at, "maxToolResultChars"), "max_tool_result_chars"),
            ((*at, "maxConcurrentSubagents"), "max_background"),
        )
        for path, name in rows:
            if (number := old.number(*path)) is not None:
                put(("agent", name), number, path)
        if (warmth := old.real(*at, "temperature")) is not None:
            put(("agent", "temperature"), warmth, (*at, "temperature"))

    def _channels(self, guests: Guests) -> None:
        for one in (channels.telegram_of_python, channels.whatsapp_of_python, channels.email_of_python):
            one(self._maker, guests)
        for key in ("sendProgress", "sendToolHints", "showReasoning", "sendMaxRetries"):
            self.old.about(Fate.IDLE, ("channels", key), "each channel does here what its people expect")
        self._public(("channels", "websocket", "host"))
        for name in self.old.names("channels"):
            if self.old.is_section("channels", name) and name not in _CHANNELS:
                self.old.note(Fate.DROPPED, ("channels", name), "", "there is no such channel here")
        guests.approve(self._around.approved)
        zone = self._maker.plain(self.old.text(*_DEFAULTS, "timezone"), (*_DEFAULTS, "timezone"))
        guests.settle(zone)
        if zone:
            self.old.about(Fate.KEPT, (*_DEFAULTS, "timezone"), "", "[people.*] timezone")
        self.old.about(Fate.IDLE, (*_DEFAULTS, "timezoneMode"), "each person has a time zone here")

    def _tools(self) -> None:
        old, at = self.old, ("tools", "web", "search")
        engine = old.text(*at, "provider") or "duckduckgo"
        key = old.text(*at, "apiKey")
        address = self._maker.plain(old.text(*at, "baseUrl"), (*at, "baseUrl"))
        if engine == "brave" and key:
            self._maker.secret(("tools", "web", "brave_key"), key, (*at, "apiKey"))
        elif engine == "searxng" and address:
            self._maker.put(("tools", "web", "searxng"), address, (*at, "baseUrl"))
        known = engine in {"brave", "searxng", "duckduckgo"}
        old.about(
            Fate.KEPT if known else Fate.DROPPED,
            (*at, "provider"),
            "" if known else "DuckDuckGo searches here",
        )
        old.about(Fate.DROPPED, (*at, "maxResults"), "the model says how many results it wants")
        off = [
            name
            for name, path in (("shell", "exec"), ("web", "web"))
            if self._is_off("tools", path, "enable")
        ]
        if off:
            self._maker.quietly(("tools", "off"), off)
        for path in ("exec", "web"):
            old.about(Fate.KEPT, ("tools", path, "enable"), "", "tools.off")
        if (timeout := old.real("tools", "exec", "timeout")) is not None:
            self._maker.put(("tools", "shell", "timeout"), timeout, ("tools", "exec", "timeout"))
        for fence in (("tools", "restrictToWorkspace"), ("tools", "exec", "restrictToWorkspace")):
            text = "always so: commands run in a sandbox, and files outside of the workspace are out of reach"
            old.about(Fate.KEPT if old.flag(*fence) else Fate.CHANGED, fence, text)
        self._allowed(("tools", "ssrfWhitelist"))
        for name in old.names("tools", "mcpServers"):
            old.note(Fate.DROPPED, ("tools", "mcpServers", name), "", "servers of tools can't be added here")
        self._transcription()

    def _allowed(self, path: tuple[str, ...]) -> None:
        """What of the own network may be read: whole ranges of it there, single hosts here."""
        listed = self.old.texts(*path) or []
        whole = [one for one in listed if "/" in one]
        if hosts := [one for one in listed if "/" not in one]:
            self._maker.put(("tools", "web", "allow"), hosts, path)
        if whole:
            text = f"{', '.join(whole)}: name each host that is to be read; a range of them can't be allowed here"
            self.old.note(Fate.TODO, path, "tools.web.allow", text)

    def _is_off(self, *path: str) -> bool:
        return self.old.has(*path) and not self.old.flag(*path, default=True)

    def _transcription(self) -> None:
        at = ("transcription",)
        provider = self.old.text(*at, "provider") or "groq"
        name = self._providers.get(folded(provider))
        model = self.old.text(*at, "model") or {"groq": "whisper-large-v3", "openai": "whisper-1"}.get(
            provider
        )
        if not self.old.names(*at) or self._is_off(*at, "enabled"):
            return
        if "transcription" not in ROLES or name is None or not model:
            self.old.note(
                Fate.TODO,
                (*at, "provider"),
                "",
                f"{provider} has no key; docs/VOICE.md says what understands voice notes",
            )
        else:
            self._maker.put(("roles", "transcription"), f"{name}/{model}", (*at, "provider"))

    def _servers(self) -> None:
        self._public(("gateway", "host"))
        self._public(("api", "host"))
        beat = ("gateway", "heartbeat")
        if self.old.flag(*beat, "enabled"):
            text = 'ask for a task by the clock instead ("every morning, look whether ..."); HEARTBEAT.md is copied'
            self.old.note(Fate.DROPPED, beat, "", text)
        for path in list(self.old.left()):
            if path[0] in {"gateway", "api"} and not self.old.is_blank(*path):
                self.old.note(Fate.DROPPED, path, "", "nothing here listens on the network for that")

    def _public(self, path: tuple[str, ...]) -> None:
        host = self.old.text(*path)
        if host and channels.is_public(host):
            text = f"{host} is reachable from everywhere; here nothing listens there"
            self.old.note(Fate.UNSAFE, path, "", text)

    def _without_effect(self) -> None:
        whys = {
            "modelPresets": "only the limits of the conversation's own model are taken over",
            "transcription": "docs/VOICE.md",
        }
        self._maker.leave(whys)

    def _says_something(self, *path: str) -> bool:
        return not self.old.is_blank(*path)


def _named(written: str) -> str:
    """A provider's name as it is here: known ones by their own, others as they were, without what can't be in one."""
    known = {folded(name): name for name in PRESETS}
    return known.get(folded(written)) or written.replace("/", "-") or "unnamed"
