"""Whether the names in `[providers]`, `[models]`, `[roles]`, `[fallback]`, `[tools]` and `[jobs]` mean something.

Resolution itself is `providers.refs`. What only a running server can tell (which models it has) is no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from bot import plugins
from bot.config.locate import Loc
from bot.config.report import Finding, found, hint, nearest
from bot.config.schema import ESPEAK, PIPER, Config, RoleName
from bot.config.validate import validate
from bot.cron import Cron
from bot.paths import Env
from providers.errors import UnknownName
from providers.presets import PRESETS, complete, preset_for, privacy_line
from providers.refs import FREE, SIGN_IN, Known, Names, resolve
from providers.settings import ProviderSettings

ADAPTERS = "providers.adapters"
TOOLS = "bot.tools"
JOBS = "bot.jobs"
ROLES: tuple[str, ...] = get_args(RoleName)


def check(data: Mapping[str, Any], env: Env) -> Iterator[Finding]:
    """Look at every name in the parsed file. Values of a wrong type are passed over: others report them."""
    providers = {
        name: validate(ProviderSettings, table, ())[0] or ProviderSettings()
        for name, table in _table(data, "providers").items()
    }
    for name, settings in providers.items():
        yield from _provider(name, _table(data["providers"], name), settings)
        yield from _provider_notices(name, settings, env)
    yield from _References(data, providers).check()
    installed = plugins.names(TOOLS)
    for index, tool in enumerate(_texts(_table(data, "tools").get("off"))):
        if tool not in installed:
            yield Finding(
                ("tools", "off", index),
                f"there is no tool {found(tool)}; {hint(tool, installed, 'there are')}",
            )
    for name, table in _table(data, "jobs").items():
        yield from _job(name, table)


def unusable(config: Config, name: str) -> str:
    """What is wrong with the name of a model that stands in another file; "" for nothing, also where a server that
    was not asked yet may know it.
    """
    data = {"models": config.models, "roles": config.roles.given, "fallback": config.fallback}
    if name in ROLES or name in config.fallback:
        return ""
    wrong = _References(data, config.providers).wanted(("model",), name)
    return next((finding.text for finding in wrong if finding.fatal), "")


def _job(name: str, table: Any) -> Iterator[Finding]:
    at: Loc = ("jobs", name)
    installed = plugins.names(JOBS)
    if name not in installed:
        near = nearest(name, installed)
        fix = f"did you mean [jobs.{near}]?" if near else f"there are: {', '.join(installed)}"
        yield Finding(at, f"there is no such job; {fix}")
    cron = table.get("cron") if isinstance(table, dict) else None
    if not isinstance(cron, str):
        return
    if "every" in table:
        yield Finding((*at, "cron"), "stands beside every; expected one of the two")
    try:
        Cron.parse(cron)
    except ValueError as error:
        yield Finding((*at, "cron"), f"{found(cron)} {error}")


def _provider(name: str, table: Mapping[str, Any], settings: ProviderSettings) -> Iterator[Finding]:
    at: Loc = ("providers", name)
    if not name or "/" in name:
        yield Finding(at, "expected a name without a slash, which separates it from a model's name")
    kind, kinds = table.get("kind"), plugins.names(ADAPTERS)
    if isinstance(kind, str) and kind not in kinds:
        yield Finding((*at, "kind"), f"there is no kind {found(kind)}; {hint(kind, kinds, 'there are')}")
    elif kind == "llamacpp" or settings.gguf is not None:
        if kind != "llamacpp":
            yield Finding((*at, "gguf"), 'is for kind = "llamacpp" only, which is missing here')
        elif not settings.gguf:
            text = "is missing; expected a model's file, which `nanobot local get` fetches"
            yield Finding((*at, "gguf"), text)
        elif "api_base" in table:
            text = f"belongs to no model that {found(settings.gguf)} holds: nanobot serves that itself"
            yield Finding((*at, "api_base"), text)
    elif "api_base" not in table and preset_for(name, settings) is None:
        near = nearest(name, PRESETS)
        fix = f"did you mean [providers.{near}]?" if near else f"only these need none: {', '.join(PRESETS)}"
        text = f"is missing; expected the server's address, http://... or https://...; {fix}"
        yield Finding((*at, "api_base"), text)


def _provider_notices(name: str, settings: ProviderSettings, env: Env) -> Iterator[Finding]:
    at: Loc = ("providers", name)
    preset = preset_for(name, settings)
    if preset is not None and preset.needs_key and not complete(name, settings, env).keys:
        text = f"has no key; set api_key, or {preset.env[0]} in the environment"
        yield Finding(at, text, fatal=False)
    if preset is not None and preset.anonymous and not settings.keys and not settings.anonymous:
        text = f"is not used yet: {privacy_line(preset.name)}; if that is all right, set anonymous = true"
        yield Finding(at, text, fatal=False)
    if preset is not None and preset.needs_key and settings.anonymous:
        yield Finding((*at, "anonymous"), f"{preset.name} serves nobody without a key", fatal=False)
    if settings.rate_limit_remaining is not None:
        text = "tracked at run time; the value is ignored"
        yield Finding((*at, "rate_limit_remaining"), text, fatal=False)


class _References:
    """Names of models. A probable typo is an error; a name like no other may be one that a server lists."""

    def __init__(self, data: Mapping[str, Any], providers: Mapping[str, ProviderSettings]) -> None:
        # With no provider in the file those that are found count; they have the presets' names.
        considered = providers or {name: ProviderSettings() for name in PRESETS}
        self._providers = {name: _known(name, settings) for name, settings in considered.items()}
        self._aliases = {k: v for k, v in _table(data, "models").items() if isinstance(v, str)}
        self._roles = {k: v for k, v in _table(data, "roles").items() if isinstance(v, str)}
        self._chains = {k: tuple(_texts(v)) for k, v in _table(data, "fallback").items()}
        speech = _table(data, "voice").get("speech")
        by_program = speech == ESPEAK or str(speech).startswith(f"{PIPER}:")
        self._speech = speech if isinstance(speech, str) and not by_program else ""
        self._models = [model for known in self._providers.values() for model in known.models]
        self._gateway = any(
            (preset := preset_for(name, settings)) and preset.name == "openrouter"
            for name, settings in considered.items()
        )
        # A server of which no model is known may turn out to have any.
        self._unlisted = [name for name, known in self._providers.items() if not known.models]

    def check(self) -> Iterator[Finding]:
        for alias, target in self._aliases.items():
            if self._circular(alias):
                yield Finding(
                    ("models", alias), f"{found(target)} leads back to itself; expected PROVIDER/MODEL"
                )
            else:
                yield from self.wanted(("models", alias), target)
        for role, target in self._roles.items():
            if target not in self._chains:
                yield from self.wanted(("roles", role), target)
        if self._speech:
            yield from self.wanted(("voice", "speech"), self._speech)
        for name, chain in self._chains.items():
            yield from self._chain_name(name)
            yield from self._chain(name, chain)

    def wanted(self, loc: Loc, target: str) -> Iterator[Finding]:
        if not self._leads_somewhere(target):
            text = f"{found(target)} is no alias, provider or known model"
            if fix := self._typo(target):
                yield Finding(loc, fix)
            elif self._unlisted:
                yield Finding(loc, f"{text}; it works once a provider lists it", fatal=False)
            else:
                yield Finding(loc, f"{text}; expected PROVIDER/MODEL or a name from [models]")

    def _chain(self, name: str, chain: tuple[str, ...]) -> Iterator[Finding]:
        """A chain works without a member or two, so that only what must be a mistake is one."""
        left_out = []
        for index, member in enumerate(chain):
            if self._leads_somewhere(member):
                continue
            if fix := self._typo(member):
                yield Finding(("fallback", name, index), fix)
            else:
                left_out.append(found(member))
        if left_out:
            text = f"no alias, provider or known model is called {' or '.join(left_out)}"
            yield Finding(("fallback", name), f"{text}; left out unless a provider lists it", fatal=False)

    def _leads_somewhere(self, target: str) -> bool:
        if target in self._aliases:
            return True  # where that one leads is looked at where it stands
        if target == FREE and self._gateway:
            return True
        try:
            resolve(target, Names(self._providers))
        except UnknownName:
            return False
        return True

    def _typo(self, target: str) -> str:
        """What is wrong with a name that must be a mistake, and the fix; empty if it needn't be one."""
        head, slash, rest = target.partition("/")
        if target == FREE:
            return f"{found(target)}: {SIGN_IN}"
        if slash and head in PRESETS:
            return f"{found(target)} needs the provider {head}; add a section [providers.{head}]"
        if slash:
            near = nearest(head, self._providers)
            fix = f"did you mean {near}/{rest}?" if near else f"there are: {', '.join(self._providers)}"
            return f"there is no provider {found(head)}; {fix}"
        near = nearest(target, [*self._aliases, *self._providers, *self._models])
        if near is None:
            return ""
        way_out = f" (as a model: {self._unlisted[0]}/{target})" if self._unlisted else ""
        return f"there is no {found(target)}; did you mean {near}?{way_out}"

    def _chain_name(self, name: str) -> Iterator[Finding]:
        asked_for = [*ROLES, *self._aliases, FREE]
        if name in asked_for or name in self._roles.values():
            return
        near = nearest(name, asked_for)
        fix = f"did you mean {near}?" if near else "the chain is used only when that name is asked for"
        yield Finding(
            ("fallback", name), f"no role and no alias has this name; {fix}", fatal=near is not None
        )

    def _circular(self, alias: str) -> bool:
        """Whether following `alias` comes back to it; one that only leads into a circle is not to blame."""
        name = self._aliases[alias]
        for _ in self._aliases:
            if name == alias:
                return True
            name = self._aliases.get(name, "")
        return False


def _known(name: str, settings: ProviderSettings) -> Known:
    preset = preset_for(name, settings)
    own = [*settings.models, *([settings.default_model] if settings.default_model else [])]
    return Known((*own, *(model.id for model in (preset.models if preset else ()))))


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = data.get(key)
    return table if isinstance(table, dict) else {}


def _texts(values: Any) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
