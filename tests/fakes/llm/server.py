"""The scripted server itself: it keeps script and log, and does with each connection what the plan says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import pydantic.dataclasses

from tests.fakes.llm import checks, messages, peers, plan, wire
from tests.fakes.llm.http11 import Connection, Request, Server, whole
from tests.fakes.llm.peers import Answer, Setup
from tests.fakes.llm.replies import STRICT, Reply, Script, echo, last_text

_LOG = 10_000


@dataclass
class Recorded:
    """One request as it arrived, and how it ended; `left`: the client closed before the answer's end."""

    number: int
    at: float
    """Seconds since the epoch."""
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    """Parsed JSON; None where there was none."""
    connection: int
    outcome: Literal["running", "done", "left"] = "running"


@dataclass
class Rule:
    """Replies for the requests that it matches, first come first served."""

    replies: deque[Script]
    model: str = ""
    contains: str = ""
    """A part of the last text that the user or a tool wrote."""

    def matches(self, body: dict[str, Any]) -> bool:
        fits = not self.model or body.get("model") == self.model
        return bool(self.replies) and fits and (not self.contains or self.contains in last_text(body)[1])


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class Kill:
    """End a process by SIGKILL when the `request`-th chat request from now has come, or is half answered."""

    kill_pid: int
    when: Literal["before_reply", "mid_stream"] = "before_reply"
    request: int = 1


@dataclass
class _Hooks:
    kills: list[tuple[int, Kill]] = field(default_factory=list)
    """With the number of the request that each waits for."""

    def fire(self, when: str, number: int) -> None:
        due = [(at, kill) for at, kill in self.kills if kill.when == when and at == number]
        for entry in due:
            self.kills.remove(entry)
            os.kill(entry[1].kill_pid, signal.SIGKILL)


class LLMFake:
    """An OpenAI-compatible server on loopback that says what it is told to; at `/messages` in Anthropic's way.

    `async with LLMFake(Reply("Hello")) as llm:` listens at `llm.base_url`. Replies are used up in order; then
    `default` answers, an echo unless it is set. More can be pushed at any time, for certain requests only.
    """

    def __init__(
        self, *replies: Script, setup: Setup | None = None, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.setup = setup or Setup()
        self.default: Script = echo
        self.requests: deque[Recorded] = deque(maxlen=_LOG)
        """Requests for chat."""
        self.probes: deque[Recorded] = deque(maxlen=_LOG)
        """All other requests."""
        self.concurrent = 0
        self.max_concurrent = 0
        self.received = 0
        """Requests for chat so far, also those that the log no longer holds."""
        self._rules: list[Rule] = []
        self._hooks = _Hooks()
        self._released: set[str] = set()
        self._ready_at = 0.0
        self._changed = asyncio.Event()
        self._scheme = "https" if tls else "http"
        self._server = Server(self._handle, port, tls)
        self.extra_routes: Callable[[Request], Answer | None] | None = None
        """Asked first, for every request; the control API hooks in here."""
        self.push(*replies)

    async def __aenter__(self) -> Self:
        await self._server.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.down()

    # Where it is

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        """Without a path: where health and the like are."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return self.url + self.setup.prefix

    # What it does

    def push(self, *replies: Script, model: str = "", contains: str = "", times: int = 1) -> None:
        """Say these next, to requests for `model` with `contains` in their last text; all of it `times`."""
        self._rules.append(Rule(deque(replies * times), model, contains))

    def clear(self) -> None:
        """Forget script, log, hooks and holds."""
        self._rules.clear()
        self._hooks.kills.clear()
        self._released.clear()
        self.requests.clear()
        self.probes.clear()
        self.default = echo
        self.received = self.max_concurrent = 0
        self._ready_at = 0.0

    def release(self, name: str) -> None:
        """Let the replies go on that hold at this name, now and later."""
        self._released.add(name)
        self._notify()

    def load_for(self, seconds: float) -> None:
        """Answer every request as llama-server does while it loads its model; 0 ends it."""
        self._ready_at = time.monotonic() + seconds

    def kill(self, hook: Kill) -> None:
        self._hooks.kills.append((self.received + hook.request, hook))

    async def down(self) -> None:
        """Refuse connections, cut the open ones."""
        await self._server.down()

    async def up(self) -> None:
        """Listen again, at the same port."""
        await self._server.up()

    # What it saw

    @property
    def connections(self) -> int:
        """TCP connections accepted so far."""
        return self._server.accepted

    @property
    def open_connections(self) -> int:
        return len(self._server.connections)

    async def until(self, true: Callable[[], bool], timeout: float = 10.0) -> None:  # noqa: ASYNC109 - for tests to read
        """Wait for something in the log: `await llm.until(lambda: len(llm.requests) == 2)`."""
        async with asyncio.timeout(timeout):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()

    # One request

    async def _handle(self, request: Request, connection: Connection) -> None:
        special = self.extra_routes(request) if self.extra_routes else None
        if special is not None:
            await self._send(connection, special)
            return
        paths = (f"{self.setup.prefix}/chat/completions", self._messages_path)
        chat = request.method == "POST" and request.path in paths
        recorded = self._record(request, chat=chat)
        try:
            refused = self._refusal(request, recorded, chat=chat)
            if refused is not None:
                await self._send(connection, refused)
            else:
                await self._chat(recorded, connection)
            recorded.outcome = "done"
        finally:
            if recorded.outcome == "running":
                recorded.outcome = "left"
            self._notify()

    def _record(self, request: Request, *, chat: bool) -> Recorded:
        try:
            body = json.loads(request.body) if request.body else None
        except ValueError:
            body = None
        self.received += chat
        log = self.requests if chat else self.probes
        number = self.received if chat else len(log) + 1
        recorded = Recorded(
            number, time.time(), request.method, request.path, request.headers, body, request.connection
        )
        log.append(recorded)
        self._notify()
        return recorded

    def _refusal(self, request: Request, recorded: Recorded, *, chat: bool) -> Answer | None:
        if time.monotonic() < self._ready_at:
            return peers.loading()
        refused = messages.refused if request.path == self._messages_path else lambda answer: answer
        if self.setup.key and not peers.is_public(self.setup, request.path):
            given = bearer(request.headers)
            if given != self.setup.key:
                return refused(peers.denied(self.setup, given))
        if not chat or self.setup.kind == "website":
            return peers.answer(self.setup, request)
        fault = self._fault(recorded.body, request.path)
        return refused(fault) if fault else None

    def _fault(self, body: Any, path: str) -> Answer | None:
        if path != self._messages_path or not isinstance(body, dict):
            return checks.refusal(self.setup, body)
        fault = next(messages.faults(body, self.setup.wants), None) if self.setup.strict else None
        return (
            peers.bad_request(self.setup, fault)
            if fault
            else checks.refusal(self.setup, messages.as_chat(body))
        )

    @property
    def _messages_path(self) -> str:
        return f"{self.setup.prefix}/messages"

    async def _chat(self, recorded: Recorded, connection: Connection) -> None:
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        try:
            self._hooks.fire("before_reply", recorded.number)
            spoken = recorded.path == self._messages_path
            asked = wire.Asked(recorded.body, self.setup.kind, recorded.number, int(recorded.at), spoken)
            body = messages.as_chat(recorded.body) if spoken else recorded.body
            reply = plan.with_headers(self._next(body), peers.server_headers(self.setup.kind))
            for step in plan.plan(reply, asked):
                if isinstance(step, bytes):
                    await connection.write(step)
                else:
                    await self._do(step, recorded.number, connection)
        finally:
            self.concurrent -= 1

    def _next(self, body: dict[str, Any]) -> Reply:
        rule = next((rule for rule in self._rules if rule.matches(body)), None)
        script = rule.replies.popleft() if rule else self.default
        return script if isinstance(script, Reply) else script(body)

    async def _do(self, step: plan.Step, number: int, connection: Connection) -> None:
        match step:
            case plan.Pause(seconds):
                await asyncio.sleep(seconds)
            case plan.Hold(name):
                await self.until(lambda: name in self._released, timeout=3600)
            case plan.Midway():
                self._hooks.fire("mid_stream", number)
            case plan.Stop("hang"):
                await asyncio.Event().wait()
            case plan.Stop("reset"):
                connection.reset()
            case plan.Stop():
                connection.close()

    async def _send(self, connection: Connection, answer: Answer) -> None:
        headers = peers.server_headers(self.setup.kind) | dict(answer.headers)
        if self.setup.kind == "llama-server" and answer.status >= 400:
            headers["connection"] = "close"
        await connection.write(whole(answer.status, answer.content_type, answer.content, headers))
        if "connection" in headers:
            connection.close()


def bearer(headers: Mapping[str, str]) -> str:
    """The key that a request carries, by either of the usual headers."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
