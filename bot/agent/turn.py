"""One turn: ask the model, do what it asks for, until it answers. The loop is `_converse`; its exits are Outcomes.

A person's turn and a worker's are the same loop in another `Seat`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from bot import onboarding
from bot.agent.calls import Bench, Calls, Suspended
from bot.agent.outcomes import Answered, NoModelLeft, Outcome, OutOfSteps, SpentUp, Told, Waits
from bot.agent.record import Record
from bot.agent.roles import MAIN
from bot.context import budget
from bot.core import Core
from bot.safety.rules import Trust, worst
from bot.text import valid
from providers.errors import NoModel, OverAllowance, UnknownName
from providers.tokens import estimate_tokens
from providers.types import Attempt, ChatReply, ChatRequest, Message, Restart, TextDelta, ToolCall

log = logging.getLogger(__name__)

_SAME_CALLS = 3
"""After so many identical calls in a row the model has to answer with what it has."""
_ANSWER_NOW = "Use no more tools. Answer now with what you have."
_CALL_CUT = "Your tool call was cut off at the length limit and was not run. Make it shorter, or answer."


class Shown(Protocol):
    """Where the text so far is shown; a worker's is shown nowhere."""

    text: str

    def add(self, text: str) -> None: ...

    def restart(self) -> None: ...


class Unseen:
    """Keeps the text so far to itself."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, text: str) -> None:
        self.text += text

    def restart(self) -> None:
        self.text = ""


class Seat:
    """Who works: by which model, under which role's account, told what, for how many steps.

    `enter` lets in what was said meanwhile; `finish` turns an answer's calls into an outcome where one of them ends
    the work.
    """

    def __init__(
        self,
        name: str,
        role: str,
        system: Callable[[], Message],
        shown: Shown,
        steps: int,
    ) -> None:
        self.name = name
        self.role = role
        self.system = system
        self.shown = shown
        self.steps = steps
        self.enter: Callable[[], None] = lambda: None
        self.finish: Callable[[ToolCall], Outcome | None] = lambda _: None


class Turn:
    """Runs once. `paths` collects every model call's attempts, whatever the outcome."""

    def __init__(self, bench: Bench, record: Record, seat: Seat) -> None:
        self.paths: list[tuple[Attempt, ...]] = []
        self.route = ""
        self._core: Core = bench.core
        self._bench = bench
        self._record = record
        self._seat = seat
        self._calls = Calls(bench, record)
        self._notes: list[Message] = []
        """Words to the model that belong to this turn only, never to the transcript."""
        self._most_tokens: int | None = None
        """Set once a conversation was too long for every model: half of what it was."""
        self._past_trust = Trust.OWN
        self._estimated = 0
        self.room = 0
        """Tokens that the last request's prompt had room for."""

    @property
    def begun(self) -> str:
        """The answer so far, where the turn is ended in the middle of one."""
        return valid(self._seat.shown.text)

    @property
    def _said(self) -> str:
        """What the model said last beside its calls."""
        said = reversed(self._record.said)
        return next((m.content for m in said if m.role == "assistant" and m.content.strip()), "")

    @property
    def trust(self) -> Trust:
        """The worst label of what the model has before it."""
        return worst(self._record.trust, self._past_trust)

    async def run(self) -> Outcome:
        try:
            await self._core.discovery.look_again()
            return self._told() or await self._converse()
        except Suspended as asked:
            return Waits(asked)
        except NoModel as error:
            self.paths.append(error.path)
            if any(attempt.error == OverAllowance.__name__ for attempt in error.path):
                return SpentUp(self._bench.purse.words(), self._said)
            return NoModelLeft(
                error.path, error.retry_at, self._seat.role == MAIN and self._seat.name != MAIN
            )
        except UnknownName as error:
            return Told(
                f"The model chosen for this chat can't be used: {error}. `/model auto` leaves it to me."
            )

    def _told(self) -> Told | None:
        candidates = self._core.models.candidates(self._seat.name)
        text = onboarding.answer(self._record.question, [candidate.info for candidate in candidates])
        return Told(text) if text else None

    async def _converse(self) -> Outcome:
        if self._record.unanswered():
            await self._calls.run(self.trust, self._record.turn.route)
        step = 0
        for step in range(1, self._seat.steps + 1):
            self._seat.enter()
            last = step == self._seat.steps or self._calls.same >= _SAME_CALLS
            reply = await self._ask(tools=not last)
            if reply.message.tool_calls and not last:
                for call in reply.message.tool_calls:
                    if outcome := self._seat.finish(call):
                        return outcome
                await self._act(reply)
            elif reply.dropped_calls and not last:
                self._notes.append(Message("user", _CALL_CUT))
            elif reply.message.content.strip():
                return Answered(reply.message.content, cut=reply.finish == "length", tiny=reply.tiny)
            else:
                break
        return OutOfSteps(step)

    async def _ask(self, *, tools: bool) -> ChatReply:
        """One model call, shown while it streams. One too long for every model is tried once at half length."""
        self._seat.shown.restart()
        request = self._request(tools=tools)
        try:
            return await self._stream(request)
        except NoModel as error:
            if self._most_tokens is not None or not any(attempt.error == "TooLong" for attempt in error.path):
                raise
            self.paths.append(error.path)
            self._most_tokens = estimate_tokens(request.messages) // 2
            return await self._stream(self._request(tools=tools))

    async def _stream(self, request: ChatRequest) -> ChatReply:
        reply: ChatReply | None = None
        async with aclosing(self._core.models.stream(self._seat.name, request)) as events:
            async for event in events:
                match event:
                    case TextDelta(text):
                        self._seat.shown.add(text)
                    case Restart():
                        self._seat.shown.restart()
                    case ChatReply():
                        reply = event
                    case _:
                        pass
        assert reply is not None  # noqa: S101 -- the client ends with a reply or raises
        self.paths.append(reply.path)
        self.route = str(reply.route)
        self._bench.purse.spend(reply)
        if not reply.tiny:
            self._core.calibration.reported(self.route, self._estimated, reply.usage.prompt_tokens)
        return replace(reply, message=_valid(reply.message))

    def _request(self, *, tools: bool) -> ChatRequest:
        core, record, seat = self._core, self._record, self._seat
        candidates = core.models.candidates(seat.name)
        first = next((c for c in candidates if not c.info.tiny), None)
        situation = replace(
            self._bench.situation, trust=self.trust, tier=first.info.tier if first else "weak"
        )
        offered = self._bench.toolbox.offered(situation) if tools else ()
        window = first.info.context_window if first else None
        room = budget.prompt_budget(window, core.settings.max_tokens, offered)
        self.room = room = core.calibration.room(str(first.route), room) if first else room
        room = min(room, self._most_tokens or room)
        notes = self._notes if tools else [*self._notes, Message("user", _ANSWER_NOW)]
        timeline = record.timeline(core.config.zone(record.turn.person))
        past = [turn.messages for turn in timeline]
        fitted = budget.fit(seat.system(), past, [*record.said, *notes], budget=room)
        self._past_trust = record.trust_of(timeline[len(timeline) - fitted.turns :])
        self._estimated = estimate_tokens(fitted.messages, offered)
        return ChatRequest(
            messages=fitted.messages,
            tools=offered,
            max_tokens=core.settings.max_tokens,
            temperature=core.settings.temperature,
            timeout=core.settings.turn_deadline,
            brief=core.prompts.brief(past, record.said),
            role=seat.role,
            session=record.session.key,
            allowance=self._bench.purse.left,
        )

    async def _act(self, reply: ChatReply) -> None:
        """Record what the model asks for, then do it."""
        self._notes.clear()
        self._record.turn.route = str(reply.route)
        self._record.add(replace(reply.message, role="assistant"), self.trust)
        await self._record.save()
        await self._calls.run(self.trust, str(reply.route))


def _valid(message: Message) -> Message:
    calls = (
        replace(
            call,
            id=valid(call.id),
            name=valid(call.name),
            arguments=json.loads(valid(json.dumps(dict(call.arguments), ensure_ascii=False))),
        )
        for call in message.tool_calls
    )
    return replace(message, content=valid(message.content), tool_calls=tuple(calls))
