"""What a model asked for, done: each call checked, judged by the rules, run or asked for, and recorded."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.agent.record import Record
from bot.core import Core
from bot.desk import Desk, ToolContext
from bot.memory.learning import lesson
from bot.purse import Purse
from bot.safety.audit import Deed
from bot.safety.rules import Decision, Situation, Trust, Verdict, decide
from bot.storage.tables import Approval, ApprovalState
from bot.toolbox import PassesThrough, Prepared, Toolbox, ToolResult
from providers.types import Tier, ToolCall

_DENIED = "The owner was asked and said no. It was not done; don't try it in another way."
_NOBODY = "Nobody answered whether this may be done, so it was not. Say so, and what you would have done."


class Suspended(PassesThrough):
    """A call needs somebody's word first: the turn is left as it is, and goes on when the word comes."""

    def __init__(self, approval: Approval, question: str) -> None:
        super().__init__(approval.code)
        self.approval = approval
        self.question = question
        """What the one who decides reads: the call as it would be run, and why it is asked for."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where calls are run: with which tools, on whose behalf, and how deep the work was handed on already.

    `ask` fills in whom to ask for an approval, and until when.
    """

    core: Core
    desk: Desk
    toolbox: Toolbox
    situation: Situation
    depth: int = 0
    words: tuple[str, ...] = ()
    """What the person wrote to the one who handed this on."""
    ask: Callable[[Approval], Approval] = lambda approval: approval
    purse: Purse = field(default_factory=Purse)
    """What all of it may cost together with what it is done for."""


class Calls:
    """Runs calls one after the other; each is on disk before it starts, and its result before the next."""

    def __init__(self, bench: Bench, record: Record) -> None:
        self._bench = bench
        self._record = record
        self._last: tuple[str, object] | None = None
        self._last_result = ToolResult("")
        self.same = 0
        """How many identical calls came in a row."""

    async def run(self, trust: Trust, model: str) -> None:
        """Run what the last message of the assistant asks for and has no result yet. Raises `Suspended`.

        `trust` is the worst label in the context that led to the calls, `model` who made them.
        """
        for call in self._record.unanswered():
            situation = replace(self._bench.situation, trust=trust, tier=self._tier(model))
            result = await self._one(call, situation, model)
            self._record.add_result(call, result, self._bench.core.settings.max_tool_result_chars)
            await self._record.save()
            trust = Trust.UNTRUSTED if result.trust is Trust.UNTRUSTED else trust

    async def _one(self, call: ToolCall, situation: Situation, model: str) -> ToolResult:
        same = self._last == (call.name, call.arguments)
        self.same = self.same + 1 if same else 1
        self._last = (call.name, call.arguments)
        if same and self._bench.toolbox.is_pure(call.name):
            return self._last_result
        began = time.monotonic()
        context = self._context(call, situation)
        prepared = await self._bench.toolbox.prepare(call, context)
        decision = Decision(Verdict.REFUSE)
        if isinstance(prepared, Prepared):
            decision = decide(situation, prepared.act)
            result = await self._judged(call, prepared, context, decision)
        else:
            result = prepared
        result = replace(result, text=self._bench.desk.redact(result.text))
        self._record.did(
            Deed(
                at=self._bench.core.clock(),
                model=model,
                tool=call.name,
                arguments=dict(call.arguments),
                trust=situation.trust,
                verdict=decision.verdict,
                ok=result.ok,
                result=result.text,
                seconds=time.monotonic() - began,
            )
        )
        self._last_result = result
        return result

    async def _judged(
        self, call: ToolCall, prepared: Prepared, context: ToolContext, decision: Decision
    ) -> ToolResult:
        if decision.verdict is Verdict.REFUSE:
            return ToolResult(f"Not done: {decision.reason}.", ok=False)
        if decision.verdict is Verdict.ASK:
            approval = self._record.take_approval(call)
            if approval is None or approval.digest != digest(call):
                raise self._asked(call, prepared, decision)
            if approval.state is ApprovalState.PENDING:
                raise Suspended(approval, question(call, approval))
            if approval.state is not ApprovalState.APPROVED:
                return ToolResult(_DENIED if approval.state is ApprovalState.DENIED else _NOBODY, ok=False)
        result = await self._bench.toolbox.execute(prepared, replace(context, act=prepared.act))
        if not result.ok and (
            taught := lesson(prepared.act, context.situation.trust, call.arguments, result.text)
        ):
            await self._bench.core.memory.learn(call.name, taught)
        return result

    def _asked(self, call: ToolCall, prepared: Prepared, decision: Decision) -> Suspended:
        now = self._bench.core.clock()
        approval = self._bench.ask(
            Approval(
                code="",
                session=self._record.session.key,
                turn=self._record.turn.id or 0,
                call=call.id,
                tool=prepared.function.name,
                digest=digest(call),
                reason=decision.reason,
                asked_of="",
                asked_at=now,
                expires_at=now,
            )
        )
        return Suspended(approval, question(call, approval))

    def _context(self, call: ToolCall, situation: Situation) -> ToolContext:
        core, record = self._bench.core, self._record
        return ToolContext(
            workspace=core.workspace,
            person=record.turn.person,
            clock=core.clock,
            config=core.config,
            situation=situation,
            session=record.session.key,
            turn=record.turn.id or 0,
            call=call.id,
            depth=self._bench.depth,
            words=(*self._bench.words, *record.own_words()),
            heard=tuple(record.results()),
            lent=self._bench.desk,
            purse=self._bench.purse,
        )

    def _tier(self, model: str) -> Tier:
        return self._bench.core.models.tier(model)


def digest(call: ToolCall) -> str:
    """What a yes is bound to: this tool with these arguments, and no other."""
    exact = json.dumps([call.name, dict(call.arguments)], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(exact.encode()).hexdigest()


def question(call: ToolCall, approval: Approval) -> str:
    """What is asked: the whole call, so that nobody says yes to a part of it. Letters that nobody sees, or that change
    the order in which others are read, are spelled out.
    """
    exact = json.dumps(dict(call.arguments), indent=1, ensure_ascii=False)
    shown = "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in exact)
    return (
        f"🔐 May I do this? {approval.reason[:1].upper()}{approval.reason[1:]}.\n\n"
        f"**{call.name}**\n```json\n{shown}\n```\n"
        f"/approve {approval.code} or /deny {approval.code}"
    )
