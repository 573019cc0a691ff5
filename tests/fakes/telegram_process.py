"""The Bot API stand-in as a process of its own, and a client of its control requests.

    async with TelegramProcess() as tg:
        await tg.user_says(42, "hello")
        answer = await tg.wait_for_text(42, "Hi")

It survives the daemon's SIGKILL, and leaves by itself when the process that started it is gone. Leaving the context
fails with AssertionError if there are complaints.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from .telegram_api.world import ChatMessage

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 30.0


class TelegramProcess:
    """Starts the stand-in with the given switches (`"--validate"`, `"--limits"`, ...) and talks to it."""

    def __init__(self, *switches: str) -> None:
        self._switches = switches
        self._process: asyncio.subprocess.Process | None = None
        self._client: httpx.AsyncClient | None = None
        self.url = ""
        self.base_url = ""
        self.base_file_url = ""
        self.token = ""
        self.pid = 0

    async def __aenter__(self) -> Self:
        arguments = ("-m", "tests.fakes.telegram", "--until-stdin-closes", *self._switches)
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, stdin=pipe, stdout=pipe
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), START_TIMEOUT)
        started = json.loads(line)
        self.url, self.token, self.pid = started["url"], started["token"], started["pid"]
        self.base_url, self.base_file_url = started["base_url"], started["base_file_url"]
        self._client = httpx.AsyncClient(base_url=self.url, timeout=httpx.Timeout(10.0, read=130.0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._client is not None
        assert self._process is not None
        assert self._process.stdin is not None
        complaints = [] if kind else await self.ask("complaints")
        await self._client.aclose()
        self._process.stdin.close()
        await self._process.wait()
        if complaints:
            raise AssertionError("Bot API stand-in: " + "; ".join(complaints))

    async def ask(self, verb: str, **given: Any) -> Any:
        """One control request; see `telegram_api/control.py`. Raises ValueError with the stand-in's words."""
        assert self._client is not None
        response = await self._client.post(f"/control/{verb}", json=given)
        answer = response.json()
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"control request {verb!r}: {answer['error']}")
        return answer["result"]

    async def user_says(self, chat_id: int, text: str, **options: Any) -> dict[str, Any]:
        """The update's and the message's id."""
        said: dict[str, Any] = await self.ask("say", chat_id=chat_id, text=text, **options)
        return said

    async def user_sends(self, chat_id: int, kind: str, data: bytes, **options: Any) -> dict[str, Any]:
        encoded = base64.b64encode(data).decode()
        said: dict[str, Any] = await self.ask(
            "send_file", chat_id=chat_id, kind=kind, data=encoded, **options
        )
        return said

    async def chat(self, chat_id: int, thread_id: int | None = None) -> list[ChatMessage]:
        found = await self.ask("chat", chat_id=chat_id, thread_id=thread_id)
        return [ChatMessage.from_json(message) for message in found]

    async def answers(self, chat_id: int, thread_id: int | None = None) -> list[ChatMessage]:
        return [message for message in await self.chat(chat_id, thread_id) if message.from_bot]

    async def wait_for_text(
        self, chat_id: int, text: str, *, seconds: float = 30.0, after: int = 0
    ) -> ChatMessage:
        """As `TelegramFake.wait_for_text`; raises TimeoutError with what the bot wrote instead."""
        found = await self.ask("wait", chat_id=chat_id, text=text, seconds=seconds, after=after)
        if found is None:
            shown = [message.text for message in await self.answers(chat_id)]
            raise TimeoutError(f"{text!r} not shown within {seconds} s, but {shown}")
        return ChatMessage.from_json(found)

    async def requests(self, method: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.ask("requests", method=method)
        return found

    async def fault(self, kind: str, method: str = "*", **fields: Any) -> None:
        """Script a failure; `fields` are those of `Fault`."""
        await self.ask("fault", kind=kind, method=method, **fields)

    async def kill_at(self, method: str, pid: int, when: str = "before", **fields: Any) -> None:
        """SIGKILL `pid` at the next call of `method`, before or after the call took effect."""
        await self.fault("kill", method, pid=pid, when=when, **fields)
