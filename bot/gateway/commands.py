"""What a message that begins with `/` does at once, whatever turn is running. One table feeds menus and help too.

A command is one line, the first: what stands below it, such as a mail's signature, isn't read. `/new` stands in the
table for menus and help; its session's own order decides when it takes effect, so the turn answers it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bot.config.report import nearest
from bot.gateway.approvals import Approvals
from bot.gateway.bus import Bus
from bot.gateway.notices import clock
from bot.gateway.people import Person
from bot.models import Row, groups, listing
from bot.safety.rules import Role
from bot.storage import sessions
from bot.storage.inbox import Effect
from channels.base import Command
from channels.types import Choice, Inbound
from providers.client import ModelClient
from providers.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Entry(Command):
    """One entry of the menu. What is `owners` does nothing for anybody else."""

    owners: bool = False


MENU = (
    Entry("help", "what I can do"),
    Entry("new", "start a new conversation"),
    Entry("stop", "stop the answer that is being made"),
    Entry("status", "what runs, what waits, which models answer"),
    Entry("usage", "how much models were asked today and this month"),
    Entry("approve", "let me do what I asked for: /approve CODE", owners=True),
    Entry("deny", "don't let me do it: /deny CODE", owners=True),
    Entry("memory", "what I know about you"),
    Entry("forget", "drop facts about you: /forget WORDS"),
    Entry("jobs", "your reminders, and what I do by the clock"),
    Entry("why", "which models and tools stood behind my last answer"),
    Entry("model", "show or choose the model: /model NAME, /model auto"),
    Entry("language", "the language I answer in: /language NAME, /language auto"),
    Entry("link", "write to me on another channel too, as the same person"),
)
_HELLO = "Hello! Just write to me.\n\n"
_LABEL = 20
"""Characters of a button."""
_BUTTONS = 5
"""Models that /model shows as buttons."""
_SHOWN = 6
"""Models of one provider that /model names."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command says, and what it changes in the same transaction. An empty text says nothing.

    `act` is called once the command is stored, in its place among the messages; it may say something too. `choices` are
    offered as buttons.
    """

    text: str
    effect: Effect | None = None
    act: Callable[[], str] | None = None
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked where, and what stood behind the command's name."""

    person: str
    session: str
    private: bool
    argument: str
    role: Role = Role.USER
    channel: str = ""
    sender: str = ""
    """Their id on the channel."""

    @property
    def in_confidence(self) -> bool:
        """Whether it is the owner, among ourselves: the house's affairs are told to nobody else."""
        return self.private and self.role is Role.OWNER


Text = Callable[[Asked], Awaitable[str | Reply]]
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

    async def run(self, inbound: Inbound, person: Person) -> Reply | None:
        """The reply to a person's command; None where the text is none or is answered in its session's order."""
        name, argument = parse(inbound.text)
        session = str(inbound.address)
        if any(entry.owners and entry.name == name for entry in MENU) and person.role is not Role.OWNER:
            return Reply(f"/{name} is for the owner of this house.")
        match name:
            case "" | "new":
                return None
            case "start" | "help":
                return Reply(("" if name == "help" else _HELLO) + help_text(person.role))
            case "stop":
                cancelled = await self._approvals.cancel(session)
                said = "What I had asked for won't be done." if cancelled else "Nothing is running."
                return Reply("", act=lambda: "" if self._bus.stop(session) else said)
            case "approve" | "deny":
                code = argument.partition(" ")[0]
                return Reply(await self._approvals.decide(person.name, code, yes=name == "approve"))
            case name if name in self._texts:
                answer = await self._texts[name](_asked(inbound, person, argument))
                return answer if isinstance(answer, Reply) else Reply(answer)
            case "model":
                return self._model(session, argument)
            case _:
                return _unknown(name, person.role)

    def _model(self, session: str, wanted: str) -> Reply:
        if not wanted:
            return Reply(choices_text(self._models, self._clock()), choices=model_choices(self._models))
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


def _asked(inbound: Inbound, person: Person, argument: str) -> Asked:
    address = inbound.address
    return Asked(
        person.name,
        str(address),
        inbound.private,
        argument,
        person.role,
        address.channel,
        inbound.sender.id,
    )


def _unknown(name: str, role: Role) -> Reply:
    near = nearest(name, [entry.name for entry in menu(role)])
    if near is None:
        return Reply(f"There is no command /{name}; /help lists those there are.")
    return Reply(
        f"There is no command /{name}; did you mean /{near}? /help lists all of them.",
        choices=(Choice(f"/{near}", f"/{near}"),),
    )


def parse(text: str) -> tuple[str, str]:
    """(command, argument) of the first line, the command in lower case without its slash and the bot's name; ("", "")
    if it is none.
    """
    line = next(iter(text.lstrip().splitlines()), "")
    word, argument = (*line.split(maxsplit=1), "", "")[:2]
    name = word[1:].partition("@")[0].lower()
    # "/etc/hosts" or "/ " is talk, not a command.
    return (name, argument.strip()) if word.startswith("/") and name.isalnum() else ("", "")


def model_choices(models: ModelClient) -> tuple[Choice, ...]:
    """The first of what /model names, as buttons."""
    names = [
        *models.catalog.aliases,
        *(row.name for _, rows in groups(listing(models)) for row in rows[:_SHOWN]),
    ]
    chosen = list(dict.fromkeys(names))[:_BUTTONS]
    return (*(Choice(_label(name), f"/model {name}") for name in chosen), Choice("automatic", "/model auto"))


def _label(name: str) -> str:
    """The end of a model's name: its beginning is its maker's."""
    short = name.rpartition("/")[2]
    return short if len(short) <= _LABEL else f"{short[: _LABEL - 1]}…"


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


def menu(role: Role) -> list[Entry]:
    """The commands that do something for a person."""
    return [entry for entry in MENU if role is Role.OWNER or not entry.owners]


def help_text(role: Role) -> str:
    return "\n".join(f"/{entry.name}: {entry.help}" for entry in menu(role))
