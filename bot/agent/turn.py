"""One turn: ask the model, do what it asks for, until it answers. The loop is `_converse`; its exits are Outcomes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace

from bot import onboarding
from bot.agent.outcomes import Answered, NoModelLeft, Outcome, OutOfSteps, Told
from bot.agent.preview import Preview
from bot.agent.record import Record
from bot.context import budget
from bot.core import Core
from bot.gateway.bus import Lane
from bot.text import valid
from bot.toolbox import ToolContext, ToolResult
from providers.errors import NoModel, UnknownName
from providers.tokens import estimate_tokens
from providers.types import Attempt, ChatReply, ChatRequest, Message, Restart, TextDelta, ToolCall

log = logging.getLogger(__name__)

_SAME_CALLS = 3
"""After so many identical calls in a row the model has to answer with what it has."""
_ANSWER_NOW = "Use no more tools. Answer now with what you have."
_CALL_CUT = "Your tool call was cut off at the length limit and was not run. Make it shorter, or answer."


class Turn:
    """Runs once. `paths` collects every model call's attempts, whatever the outcome."""

    def __init__(self, core: Core, lane: Lane, record: Record, preview: Preview) -> None:
        self.paths: list[tuple[Attempt, ...]] = []
        self.route = ""
        self._core = core
        self._lane = lane
        self._record = record
        self._preview = preview
        self._notes: list[Message] = []
        """Words to the model that belong to this turn only, never to the transcript."""
        self._last: tuple[str, Mapping[str, object]] | None = None
        self._last_result = ToolResult("")
        self._same = 0
        self._most_tokens: int | None = None
        """Set once a conversation was too long for every model: half of what it was."""

    @property
    def begun(self) -> str:
        """The answer so far, where the turn is ended in the middle of one."""
        return valid(self._preview.text)

    async def run(self) -> Outcome:
        try:
            await self._core.discovery.look_again()
            return self._told() or await self._converse()
        except NoModel as error:
            self.paths.append(error.path)
            return NoModelLeft(error.path, error.retry_at)
        except UnknownName as error:
            return Told(
                f"The model chosen for this chat can't be used: {error}. `/model auto` leaves it to me."
            )

    def _told(self) -> Told | None:
        candidates = self._core.models.candidates(self._name)
        text = onboarding.answer(self._record.question, [candidate.info for candidate in candidates])
        return Told(text) if text else None

    async def _converse(self) -> Outcome:
        for step in range(1, self._core.settings.max_steps + 1):
            self._record.enter(self._lane.take())
            last = step == self._core.settings.max_steps or self._same >= _SAME_CALLS
            reply = await self._ask(tools=not last)
            if reply.message.tool_calls and not last:
                await self._act(reply)
            elif reply.dropped_calls and not last:
                self._notes.append(Message("user", _CALL_CUT))
            elif reply.message.content.strip():
                return Answered(reply.message.content, cut=reply.finish == "length", tiny=reply.tiny)
            else:
                break
        return OutOfSteps(self._core.settings.max_steps)

    async def _ask(self, *, tools: bool) -> ChatReply:
        """One model call, shown while it streams. One too long for every model is tried once at half length."""
        self._preview.restart()
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
        async with aclosing(self._core.models.stream(self._name, request)) as events:
            async for event in events:
                match event:
                    case TextDelta(text):
                        self._preview.add(text)
                    case Restart():
                        self._preview.restart()
                    case ChatReply():
                        reply = event
                    case _:
                        pass
        assert reply is not None  # noqa: S101 -- the client ends with a reply or raises
        self.paths.append(reply.path)
        self.route = str(reply.route)
        return replace(reply, message=_valid(reply.message))

    def _request(self, *, tools: bool) -> ChatRequest:
        core, record = self._core, self._record
        offered = core.toolbox.definitions if tools else ()
        candidates = core.models.candidates(self._name)
        window = next((c.info.context_window for c in candidates if not c.info.tiny), None)
        room = budget.prompt_budget(window, core.settings.max_tokens, offered)
        room = min(room, self._most_tokens or room)
        system = core.prompts.system(record.session.channel)
        notes = self._notes if tools else [*self._notes, Message("user", _ANSWER_NOW)]
        return ChatRequest(
            messages=budget.fit(system, record.history, [*record.said, *notes], budget=room),
            tools=offered,
            max_tokens=core.settings.max_tokens,
            temperature=core.settings.temperature,
            timeout=core.settings.turn_deadline,
            brief=core.prompts.brief(record.history, record.said),
        )

    async def _act(self, reply: ChatReply) -> None:
        """Run the calls one after the other; each is on disk before it starts, and its result before the next."""
        self._notes.clear()
        self._record.add(replace(reply.message, role="assistant"))
        await self._record.save()
        for call in reply.message.tool_calls:
            result = await self._call(call)
            self._record.add(Message("tool", result.text, tool_call_id=call.id))
            await self._record.save()

    async def _call(self, call: ToolCall) -> ToolResult:
        same = self._last == (call.name, call.arguments)
        self._same = self._same + 1 if same else 1
        self._last = (call.name, call.arguments)
        if not same or not self._core.toolbox.is_pure(call.name):
            context = ToolContext(self._core.workspace, self._record.turn.person, self._core.clock)
            self._last_result = await self._core.toolbox.run(call, context)
        return self._last_result

    @property
    def _name(self) -> str:
        return self._record.session.model or "reasoning"


def _valid(message: Message) -> Message:
    calls = (
        replace(call, arguments=json.loads(valid(json.dumps(dict(call.arguments), ensure_ascii=False))))
        for call in message.tool_calls
    )
    return replace(message, content=valid(message.content), tool_calls=tuple(calls))
