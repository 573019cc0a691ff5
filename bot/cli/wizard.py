"""The questions of `nanobot init`. Nothing is written before the last of them is answered with yes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import paths
from bot.cli.asking import Ask
from bot.cli.choices import (
    dollars,
    found_comment,
    found_values,
    gguf_values,
    owner_name,
    paying,
)
from bot.cli.draft import Draft
from bot.cli.firstrun import KEYS_AT, CheckKey
from bot.cli.keys import key_values
from bot.config.edit import Place
from bot.paths import Env
from providers import gguf
from providers.keycheck import Verdict
from providers.presets import PRESETS, Preset, complete, privacy_line
from providers.registry import FoundProvider
from providers.settings import ProviderSettings

_ABOUT = """\
nanobot init asks who answers, where you write, and what it may cost.
Enter takes what stands in [brackets]. Nothing is written before you say so at the end; Ctrl-C leaves all as it is.
"""
_DAY, _MONTH = "1", "10"
"""Suggested limits in US dollars."""


@dataclass(frozen=True, slots=True)
class World:
    """What the wizard reaches beside the person: `ask` is that person, the others are injected for tests.

    `sign_in` gives the key of OpenRouter at an address, or ""; `local_model` a model's file, or None. Both tell the
    person why not.
    """

    ask: Ask
    check_key: CheckKey
    check_token: Callable[[str, str], Awaitable[Verdict]]
    sign_in: Callable[[str], Awaitable[str]]
    local_model: Callable[[Ask], Awaitable[Path | None]]


class Wizard:
    """`found` is what a start without configuration would use; `env` is where keys are looked for."""

    def __init__(self, draft: Draft, world: World, found: Sequence[FoundProvider], env: Env) -> None:
        self._draft = draft
        self._world = world
        self._found = found
        self._env = env

    async def run(self) -> bool:
        """Ask everything; returns whether the draft is to be written. Raises EOFError, KeyboardInterrupt."""
        print(_ABOUT)
        self._show_what_is_there()
        await self._models()
        await self._telegram()
        await self._money()
        if not self._draft.changes:
            print(f"\nNothing to change in {self._draft.file}.")
            return False
        print(f"\nThis goes into {self._draft.file}:\n")
        print("\n".join(f"  {line}" for line in self._draft.shown()))
        return await self._yes("\nWrite it?", default=True)

    def _show_what_is_there(self) -> None:
        there = "" if self._draft.present else " (new)"
        print(f"File:  {self._draft.file}{there}")
        for label, group in (("models from", "providers"), ("channels", "channels"), ("people", "people")):
            if names := self._draft.names(group):
                print(f"       {label} {', '.join(names)}")
        for number, one in enumerate(self._found):
            print(f"{'Found: ' if number == 0 else '       '}{one.why}")
        print()

    # Who answers

    async def _models(self) -> None:
        configured = bool(self._draft.names("providers"))
        for one in self._found:
            await self._offer(one, default=not configured)
        while True:
            some = bool(self._draft.names("providers"))
            print(f"\nWho {'else may' if some else 'shall'} answer?{_WAYS}")
            last = "nobody, go on" if some else "none of these"
            match (await self._ask(f"Which [{last}]: ")).lower():
                case "":
                    return
                case "1":
                    await self._sign_in()
                case "2":
                    await self._enter_key()
                case "3":
                    await self._model_file(await self._world.local_model(self._world.ask))
                case "4":
                    await self._enter_file()
                case "5":
                    await self._gateway()
                case _:
                    print("Please type a number from 1 to 5, or just Enter.")

    async def _offer(self, one: FoundProvider, *, default: bool) -> None:
        """What was found is used without being named as long as nothing else is; then it has to be."""
        preset = PRESETS[one.name]
        if one.name in self._draft.names("providers"):
            return
        variable = next((name for name in preset.env if self._env.get(name)), "")
        if preset.name == "starter":
            question = "Use the small built-in model where nothing else can answer?"
        else:
            question = f"Use {f'the key in {variable}' if variable else f'{one.name} on this machine'}?"
        if not await self._yes(question, default=default):
            return
        if variable:
            verdict = await self._world.check_key(
                one.name, complete(one.name, one.settings, {}), self._env[variable]
            )
            print(f"  {_said(verdict)}")
            if not verdict.usable:
                return
        for place, value in found_values(one, variable).items():
            self._draft.put(place, value, found_comment(one, variable))

    async def _sign_in(self) -> None:
        key = await self._world.sign_in(self._settings(PRESETS["openrouter"]).api_base or "")
        if key:
            self._put_key("openrouter", key)
            print("  ok: you are signed in at openrouter")

    async def _enter_key(self) -> None:
        known = [preset for preset in PRESETS.values() if preset.needs_key]
        print(
            f"Known: {', '.join(preset.name for preset in known)}; a server of your own: its http://... address"
        )
        said = (await self._ask("Which one [openrouter]: ")) or "openrouter"
        if said.startswith(("http://", "https://")):
            await self._own_server(said)
            return
        preset = next((preset for preset in known if preset.name == said.lower()), None)
        if preset is None:
            # What was typed isn't repeated: it may be the key.
            print("That is none of these names (the key comes after it).")
            return
        if preset.name in KEYS_AT:
            print(f"Keys are made at {KEYS_AT[preset.name]}")
        key = await self._ask(f"{preset.name} key (it isn't shown): ", hidden=True)
        if key and await self._will_do(preset.name, self._settings(preset), key):
            self._put_key(preset.name, key)

    async def _own_server(self, address: str) -> None:
        name = (await self._ask("A name for it [own]: ")) or "own"
        key = await self._ask("Its key (it isn't shown) [none]: ", hidden=True)
        if "/" in name or not await self._will_do(name, ProviderSettings(api_base=address), key):
            return
        self._draft.put(("providers", name, "api_base"), address)
        if key:
            self._draft.put(("providers", name, "api_key"), key)

    async def _will_do(self, name: str, settings: ProviderSettings, key: str) -> bool:
        verdict = await self._world.check_key(name, settings, key)
        print(f"  {_said(verdict)}")
        return verdict.usable

    async def _enter_file(self) -> None:
        said = await self._ask("The model's file (.gguf): ")
        await self._model_file(paths.expand(said, self._env) if said else None)

    async def _model_file(self, file: Path | None) -> None:
        if file is None:
            return
        if problem := gguf.problem(file):
            print(f"  {problem}")
            return
        for place, value in gguf_values(file).items():
            self._draft.put(place, value, "A model that nanobot runs on this machine, with llama.cpp.")
        print(f"  {file.name} will be run by nanobot itself")

    async def _gateway(self) -> None:
        gateways = [preset.name for preset in PRESETS.values() if preset.anonymous]
        name = (await self._ask(f"Which one ({', '.join(gateways)}) [{gateways[0]}]: ")).lower() or gateways[
            0
        ]
        if name not in gateways:
            print(f"There are: {', '.join(gateways)}.")
            return
        print(f"  {privacy_line(name)}.")
        if await self._yes("Is that all right with you?", default=False):
            comment = (
                f"No account is needed. {name} may keep what is written there, which you said is all right."
            )
            self._draft.put(("providers", name, "anonymous"), True, comment)

    def _put_key(self, name: str, key: str) -> None:
        for place, value in key_values(self._draft.file, name, key).items():
            self._draft.put(place, value)

    def _settings(self, preset: Preset) -> ProviderSettings:
        """The known provider, at another address if the file says so."""
        base = self._draft.get(("providers", preset.name, "api_base"))
        settings = ProviderSettings(api_base=base if isinstance(base, str) else None)
        return complete(preset.name, settings, {})

    # Where you write

    async def _telegram(self) -> None:
        place = ("channels", "telegram", "token")
        has = "as it is" if self._draft.get(place) else "none"
        print("\nTelegram: write /newbot to @BotFather there, and it gives you a token for your bot.")
        while token := await self._ask(f"The bot's token (it isn't shown) [{has}]: ", hidden=True):
            base = self._draft.get(("channels", "telegram", "base_url"))
            verdict = await self._world.check_token(token, base if isinstance(base, str) else "")
            print(f"  {_said(verdict)}")
            if verdict.usable:
                self._draft.put(place, token)
                break
        if self._draft.get(place):
            await self._owner()

    async def _owner(self) -> None:
        name = owner_name(self._draft.get(("people",)))
        had = self._draft.get(("people", name, "telegram"))
        default = f"{had}" if had else "let yourself in with a code later"
        while said := await self._ask(f"Your number on Telegram (@userinfobot tells it) [{default}]: "):
            if said.isascii() and said.isdecimal() and int(said):
                self._draft.put(("people", name, "telegram"), int(said))
                if not self._draft.get(("people", name, "role")):
                    self._draft.put(("people", name, "role"), "owner")
                return
            print("That is no number; just Enter goes on without it.")

    # What it may cost

    async def _money(self) -> None:
        paid = paying(self._draft)
        if not paid:
            return
        print(f"\nThese may cost money: {', '.join(paid)}. At a limit, free and local models go on.")
        new = self._draft.get(("limits",)) is None
        for word, key, suggested in (("day", "usd_per_day", _DAY), ("month", "usd_per_month", _MONTH)):
            await self._limit(word, ("limits", key), suggested if new else "")
        if set(paid) != set(self._draft.names("providers")):
            had = self._draft.get(("limits", "paid_fallback")) is True
            question = "May a model that costs money answer where a free one failed?"
            if (answer := await self._yes(question, default=had)) != had:
                self._draft.put(("limits", "paid_fallback"), answer)

    async def _limit(self, word: str, place: Place, suggested: str) -> None:
        had = self._draft.get(place)
        default = f"{had}" if had is not None else suggested
        while True:
            said = await self._ask(f"Most US dollars a {word}, or no [{default or 'no'}]: ") or default
            if said.lower() in {"", "no", "none"}:
                if had is not None:
                    self._draft.put(place, None)
                return
            try:
                value = dollars(said)
            except ValueError:
                print('Please type an amount such as 2.50, or "no".')
                continue
            if value != had:
                self._draft.put(place, value)
            return

    # Asking

    async def _ask(self, question: str, *, hidden: bool = False) -> str:
        return (await self._world.ask(question, hidden=hidden)).strip()

    async def _yes(self, question: str, *, default: bool) -> bool:
        while True:
            said = (await self._ask(f"{question} [{'Y/n' if default else 'y/N'}] ")).lower()
            if said in {"", "y", "yes", "n", "no"}:
                return default if not said else said.startswith("y")
            print("Please type y or n.")


_WAYS = """
  1  OpenRouter's free models: sign in, an account is enough
  2  a key (openrouter, anthropic, openai, groq, ...), or a server of your own
  3  a model that is fetched now and then runs on this machine
  4  a model file (GGUF) that you have
  5  a gateway that asks for no account (it may keep what you write)"""


def _said(verdict: Verdict) -> str:
    return f"{verdict.state}: {verdict.text}"
