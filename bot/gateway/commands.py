"""What a message that begins with `/` does at once, whatever turn is running. One table feeds menus and help too.

`/new` stands in the table for them; its session's own order decides when it takes effect, so the turn answers it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bot.gateway.approvals import Approvals
from bot.gateway.bus import Bus
from bot.gateway.notices import clock
from bot.models import Row, groups, listing
from bot.storage import sessions
from bot.storage.inbox import Effect
from channels.base import Command
from channels.types import Inbound
from providers.client import ModelClient
from providers.errors import UnknownName

MENU = (
    Command("help", "what I can do"),
    Command("new", "start a new conversation"),
    Command("stop", "stop the answer that is being made"),
    Command("status", "what runs, what waits, which models answer"),
    Command("usage", "what models have cost today and this month, and what is left"),
    Command("approve", "let me do what I asked for: /approve CODE"),
    Command("deny", "don't let me do it: /deny CODE"),
    Command("memory", "what I know about you"),
    Command("forget", "drop facts about you: /forget WORDS"),
    Command("jobs", "your reminders, and what I do by the clock"),
    Command("why", "which models and tools stood behind my last answer"),
    Command("model", "show or choose the model: /model NAME, /model auto"),
)


_SHOWN = 6
"""Models of one provider that /model names."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command says, and what it changes in the same transaction. An empty text says nothing.

    `act` is called once the command is stored, in its place among the messages; it may say something too.
    """

    text: str
    effect: Effect | None = None
    act: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked where, and what stood behind the command's name."""

    person: str
    session: str
    private: bool
    argument: str


Text = Callable[[Asked], Awaitable[str]]
"""What a command answers that has no part in the order of messages."""


class Commands:
    """`texts` are the answers of all those commands of the menu that are not spelled out here."""

    def __init__(
        self,
        bus: Bus,
        models: ModelClient,
        approvals: Approvals,
        texts: Mapping[str, Text],
        clock: Callable[[], float],
    ) -> None:
        self._bus = bus
        self._models = models
        self._approvals = approvals
        self._texts = texts
        self._clock = clock

    async def run(self, inbound: Inbound, person: str) -> Reply | None:
        """The reply to a person's command; None where the text is none or is answered in its session's order."""
        name, argument = parse(inbound.text)
        session = str(inbound.address)
        match name:
            case "" | "new":
                return None
            case "start" | "help":
                return Reply(("" if name == "help" else "Hello! Just write to me.\n\n") + help_text())
            case "stop":
                cancelled = await self._approvals.cancel(session)
                said = "What I had asked for won't be done." if cancelled else "Nothing is running."
                return Reply("", act=lambda: "" if self._bus.stop(session) else said)
            case "approve" | "deny":
                return Reply(await self._approvals.decide(person, argument, yes=name == "approve"))
            case name if name in self._texts:
                asked = Asked(person, session, inbound.private, argument)
                return Reply(await self._texts[name](asked))
            case "model":
                return self._model(session, argument)
            case _:
                return Reply(f"There is no command /{name}.\n\n{help_text()}")

    def _model(self, session: str, wanted: str) -> Reply:
        if not wanted:
            return Reply(choices_text(self._models, self._clock()))
        if wanted == "auto":
            return Reply("I choose the model again.", partial(sessions.choose_model, key=session, model=""))
        try:
            resolution = self._models.resolve(wanted)
        except UnknownName as error:
            return Reply(f"{error}. `/model` lists what there is.")
        first, *others = map(str, resolution.routes)
        further = f"where it can't, {', '.join(others)}, and nobody" if others else "nothing"
        return Reply(
            f"From now on {first} answers in this chat, and {further} else; `/model auto` undoes that.",
            partial(sessions.choose_model, key=session, model=wanted),
        )


def parse(text: str) -> tuple[str, str]:
    """(command, argument), the command in lower case without its slash and the bot's name; ("", "") if it is none."""
    word, argument = (*text.split(maxsplit=1), "", "")[:2]
    name = word[1:].partition("@")[0].lower()
    # "/etc/hosts" or "/ " is talk, not a command.
    return (name, argument.strip()) if word.startswith("/") and name.isalnum() else ("", "")


def choices_text(models: ModelClient, now: float) -> str:
    """What /model offers now: the owner's names, then each provider's first models, the resting ones marked."""
    lines = ["`/model NAME` chooses one for this chat, `/model auto` leaves it to me."]
    catalog, found = models.catalog, listing(models)
    names = [
        *catalog.aliases,
        *(("free",) if catalog.free_provider() and "free" not in catalog.aliases else ()),
    ]
    lines += [f"Names: {', '.join(f'`{name}`' for name in names)}"] if names else []
    for provider, rows in groups(found):
        lines.append(f"\n{provider}:")
        lines += [f"- `{row.name}`{_state(row, now)}" for row in rows[:_SHOWN]]
        more = len(rows[_SHOWN:]) + found.hidden.get(provider, 0)
        if more:
            lines.append(f"- and {more} more; `nanobot models {provider}` on my machine lists them")
    return "\n".join(lines)


def _state(row: Row, now: float) -> str:
    if row.state == "ready":
        return ""
    until = f" until {clock(row.until, now)}" if row.until else ""
    return f" ({row.state}{until})"


def help_text() -> str:
    return "\n".join(f"/{command.name}: {command.help}" for command in MENU)
