"""What is to be remembered or forgotten, and what was said before."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial

from pydantic import BaseModel, Field

from bot.memory.keeper import TooLarge
from bot.memory.memory import Memory
from bot.safety.rules import Trust, worst
from bot.storage import contexts
from bot.storage import memory as rows
from bot.toolbox import Act, Kit, Output, ToolContext, ToolError, ToolFunction, ToolSpec

_MOST_HITS = 8
_MOST_PINS = 10


class RememberArguments(BaseModel):
    fact: str = Field(min_length=1, max_length=300, description="one plain sentence, with absolute dates")
    shared: bool = Field(default=False, description="whether everybody in the house may know it")


class ForgetArguments(BaseModel):
    words: str = Field(min_length=1, description="words that the fact holds")


class PinArguments(BaseModel):
    rule: str = Field(min_length=1, max_length=300, description="the person's rule, in their own words")
    off: bool = Field(default=False, description="whether it no longer holds")


class RecallArguments(BaseModel):
    words: str = Field(min_length=1, description="words to look for in earlier conversations")
    since: date | None = Field(default=None, description="only from this day on, YYYY-MM-DD")
    until: date | None = Field(default=None, description="only up to this day, YYYY-MM-DD")


async def remembers(context: ToolContext, arguments: RememberArguments) -> Act:
    """Whether the person has said it themselves in this turn: all its words are theirs, but for endings and the
    shortest. A few others among them could be what text from outside wants.
    """
    own = _words(" ".join((context.person, *context.words)))
    words = [word for word in _words(arguments.fact) if len(word) > 3 or not word.isalpha()]
    said = bool(words) and all(_is_among(word, own) for word in words)
    return Act.NOTE if said and not arguments.shared else Act.REMEMBER


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _is_among(word: str, own: Sequence[str]) -> bool:
    beginning = word[: max(4, len(word) - 2)]
    return word in own or (word.isalpha() and any(one.startswith(beginning) for one in own))


async def remember(context: ToolContext, arguments: RememberArguments) -> str:
    source = f"{time.strftime('%Y-%m-%d', time.localtime(context.clock()))}, {context.session.partition(':')[0]}; asked"
    try:
        applied = await _memory(context).remember(
            context.person, arguments.fact, source, shared=arguments.shared
        )
    except TooLarge as error:
        raise ToolError(f"Not noted: {error}.") from None
    if applied.left_out:
        raise ToolError(f"Not noted: {applied.left_out[0]}.")
    return "Noted."


async def forget(context: ToolContext, arguments: ForgetArguments) -> str:
    try:
        gone = await _memory(context).forget(context.person, arguments.words)
    except TooLarge as error:
        raise ToolError(f"Not forgotten: {error}.") from None
    if not gone:
        raise ToolError("No fact holds these words; what is known stands in your instructions.")
    return "Forgotten:\n" + "\n".join(f"- {text}" for text in gone)


async def pins(context: ToolContext, arguments: PinArguments) -> Act:
    """Whether the rule is the person's, word for word."""
    return Act.NOTE if context.said(arguments.rule) else Act.REMEMBER


async def pin(context: ToolContext, arguments: PinArguments) -> str:
    change = partial(
        contexts.pin,
        session=context.session,
        rule=arguments.rule.strip(),
        off=arguments.off,
        most=_MOST_PINS,
    )
    if problem := await context.desk.database.write(change):
        raise ToolError(problem)
    return "It no longer holds." if arguments.off else "Pinned: it stays word for word in this conversation."


async def recall(context: ToolContext, arguments: RecallArguments) -> Output:
    if not context.situation.private:
        raise ToolError("A group has no share in what a person said elsewhere.")
    wanted = rows.Search(
        person=context.person,
        words=arguments.words,
        since=_begins(arguments.since) if arguments.since else 0.0,
        until=_begins(arguments.until + timedelta(days=1)) if arguments.until else math.inf,
        but=context.turn,
    )
    noted = _memory(context).noted(context.person, arguments.words)
    hits = await context.desk.database.read(partial(rows.search, wanted=wanted, most=_MOST_HITS))
    lines = [f"Noted: {fact}" for fact in noted[:_MOST_HITS]]
    lines += [
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(hit.at))}, {hit.channel}, {hit.role}: {hit.snippet}"
        for hit in hits
    ]
    return Output(
        "\n".join(lines) or "Nothing was said about that.", worst(*(Trust(hit.trust) for hit in hits))
    )


def _begins(day: date) -> float:
    """When a day begins by this machine's clock."""
    return datetime.combine(day, datetime.min.time()).timestamp()


def _memory(context: ToolContext) -> Memory:
    return context.desk.memory


SPEC = ToolSpec(
    name="memory",
    functions=(
        ToolFunction(
            "remember",
            "Notes a fact about the person for good, where they ask for it or will surely want it.",
            RememberArguments,
            remember,
            remembers,
            Kit.MAIN,
        ),
        ToolFunction(
            "forget",
            "Drops facts that the person wants forgotten.",
            ForgetArguments,
            forget,
            Act.REMEMBER,
            Kit.MAIN,
        ),
        ToolFunction(
            "pin",
            "Keeps a rule of the person for this conversation word for word, however long it gets.",
            PinArguments,
            pin,
            pins,
            Kit.MAIN,
        ),
        ToolFunction(
            "recall",
            "Finds what was said in earlier conversations with this person, on all their channels.",
            RecallArguments,
            recall,
            Act.LOOK,
            Kit.MAIN,
        ),
    ),
)
