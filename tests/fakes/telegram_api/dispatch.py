"""From an HTTP request to a Bot API method and back, with the scripted faults in between."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import ApiError
from .faults import Fault, FaultScript
from .forms import Call, decode_call
from .http11 import Exchange
from .messages import Handler
from .schema import Schema

HTML_PAGE = (
    b"<html>\r\n<head><title>%d</title></head>\r\n<body><center><h1>%d</h1></center></body>\r\n</html>\r\n"
)
MAX_REQUEST = 52 * 1024 * 1024


@dataclass(slots=True)
class Request:
    """One call as it was seen; `ok` is None until it is answered. Times are monotonic seconds."""

    method: str
    params: dict[str, Any]
    at: float
    files: tuple[str, ...] = ()
    ok: bool | None = None
    code: int | None = None
    description: str | None = None
    fault: str | None = None
    answered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back, before a fault spoils it."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    description: str | None = None

    @classmethod
    def of(cls, result: Any) -> Reply:
        body = json.dumps({"ok": True, "result": result}, ensure_ascii=False, separators=(",", ":"))
        return cls(200, body.encode("utf-8", "surrogatepass"))

    @classmethod
    def failure(cls, error: ApiError) -> Reply:
        return cls(error.code, error.body(), tuple(error.headers()), error.description)


Deliver = Callable[[Reply], None]


class Dispatcher:
    """Answers `/bot<token>/<method>`; `poll` is getUpdates, which may answer later."""

    def __init__(
        self, token: str, handlers: dict[str, Handler], poll: Callable[[Call, Exchange, Deliver], None]
    ) -> None:
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.faults = FaultScript()
        self.schema: Schema | None = None
        self.on_change: Callable[[], None] = lambda: None
        self._token = token
        self._handlers = handlers
        self._poll = poll
        self._names = {name.lower(): name for name in [*handlers, "getUpdates"]}
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, exchange: Exchange, token: str, method: str) -> None:
        """Take one request; its answer is sent now or later."""
        try:
            call = self._decode(exchange, token, method)
        except ApiError as error:
            _send(exchange, Reply.failure(error))
            return
        request = Request(call.method, call.params, time.monotonic(), tuple(call.files))
        self.requests.append(request)
        fault = self.faults.take(call.method, call.params)

        def deliver(reply: Reply) -> None:
            self._note(request, reply)
            _send(exchange, reply)

        exchange.on_close.append(self.on_change)
        if fault is None:
            self._perform(call, exchange, deliver)
        else:
            request.fault = fault.kind
            task = asyncio.get_running_loop().create_task(self._spoil(fault, call, exchange, request))
            self._tasks.add(task)
            task.add_done_callback(self._spoiled)
        self.on_change()

    def _spoiled(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.complaints.append(f"a fault failed itself: {error!r}")

    async def stop(self) -> None:
        """End the answers that are being delayed or withheld."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _decode(self, exchange: Exchange, token: str, method: str) -> Call:
        if ":" not in token or not token.partition(":")[0].isdigit():
            raise ApiError(404, "Not Found")
        if token != self._token:
            raise ApiError(401, "Unauthorized")
        if len(exchange.body) > MAX_REQUEST:
            raise ApiError(413, "Request Entity Too Large")
        name = self._names.get(method.lower())
        if name is None:
            self._complain_if_unknown(method)
            raise ApiError(404, "Not Found: method not found")
        return decode_call(name, exchange.query, exchange.headers.get("content-type", ""), exchange.body)

    def _complain_if_unknown(self, method: str) -> None:
        if self.schema is not None and self.schema.knows(method):
            self.complaints.append(f"{method}: the stand-in has no such method, the Bot API has")

    def _perform(self, call: Call, exchange: Exchange, deliver: Deliver) -> None:
        try:
            self._check_request(call)
            if call.method == "getUpdates":
                self._poll(call, exchange, deliver)
                return
            result = self._handlers[call.method](call)
        except ApiError as error:
            deliver(Reply.failure(error))
            return
        except BaseException as error:
            # A defect of the stand-in itself; asyncio only logs it, so it is kept where tests look.
            self.complaints.append(f"{call.method}: the stand-in crashed: {error!r}")
            exchange.drop()
            raise
        self._check_result(call, result)
        deliver(Reply.of(result))

    def _check_request(self, call: Call) -> None:
        if self.schema is None:
            return
        found = self.schema.check_request(call)
        if found:
            self.complaints.extend(f"{call.method}: {complaint}" for complaint in found)
            raise ApiError(400, f"Bad Request: SCHEMA {'; '.join(found)}")

    def _check_result(self, call: Call, result: Any) -> None:
        if self.schema is not None:
            found = self.schema.check_result(call.method, result)
            self.complaints.extend(f"result of {call.method}: {complaint}" for complaint in found)

    def check_emitted(self, kind: str, value: dict[str, Any]) -> None:
        """Complain about an object of our own that the Bot API would not send."""
        if self.schema is not None:
            self.complaints.extend(
                f"emitted {kind}: {found}" for found in self.schema.check_object(kind, value)
            )

    def _note(self, request: Request, reply: Reply) -> None:
        request.answered_at = time.monotonic()
        request.code = reply.status
        request.ok = reply.status == 200
        request.description = reply.description
        self.on_change()

    async def _spoil(self, fault: Fault, call: Call, exchange: Exchange, request: Request) -> None:
        """Do what the fault says, around the effect or instead of it."""
        if fault.when == "before" and not await _strike(fault, call, exchange):
            return
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def deliver(reply: Reply) -> None:
            self._note(request, reply)
            if not answer.done():
                answer.set_result(reply)

        if fault.when == "before" and fault.kind in {"error", "html"}:
            deliver(_scripted(fault))
        else:
            self._perform(call, exchange, deliver)
        reply = await answer
        if fault.when == "after":
            if not await _strike(fault, call, exchange, reply):
                return
            reply = _scripted(fault) if fault.kind in {"error", "html"} else reply
            self._note(request, reply)
        _send(exchange, reply)


def _scripted(fault: Fault) -> Reply:
    if fault.kind == "error":
        return Reply.failure(fault.error())
    return Reply(fault.status, HTML_PAGE % (fault.status, fault.status))


def _send(exchange: Exchange, reply: Reply) -> None:
    kind = "text/html" if reply.body.startswith(b"<") else "application/json"
    exchange.reply(reply.status, reply.body, kind, reply.headers)


async def _strike(fault: Fault, call: Call, exchange: Exchange, reply: Reply | None = None) -> bool:
    """Let the fault happen; False if nothing more is to be sent."""
    if fault.kind == "delay":
        await asyncio.sleep(fault.seconds)
    elif fault.kind == "call" and fault.hook is not None:
        pending = fault.hook(call.params)
        if inspect.isawaitable(pending):
            await pending
    elif fault.kind == "drop":
        exchange.drop(reset=fault.reset)
    elif fault.kind == "kill":
        fault.kill()
    elif fault.kind == "truncate" and reply is not None:
        exchange.reply(reply.status, reply.body[: len(reply.body) // 2])
    elif fault.kind == "cut" and reply is not None:
        exchange.cut(reply.status, reply.body, len(reply.body) // 2)
    return fault.kind not in {"drop", "kill", "hang", "truncate", "cut"}
