"""The client of a running bot's control socket; its server is `bot/ops/control.py`."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from bot import paths
from bot.errors import BotError, NotRunning

_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 30.0
_LONG_SECONDS = 600.0
_SILENCE_SECONDS = 45.0
"""The server says something at least every 15 s; three times that is a server that hangs."""


@dataclass(frozen=True, slots=True)
class Attached:
    """The stream has begun. `busy`: something is being answered, or what was missed is about to follow."""

    session: str
    busy: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole unfinished text so far; it may differ from the one before from its first letter on."""

    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """Something final, in Markdown. `kind` is answer, notice or reply (of a command)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing more is to come. `outcome` names the class in `bot/agent/outcomes.py` that ended the last turn."""

    outcome: str


Event = Attached | Preview | Message | Idle


@dataclass(frozen=True, slots=True)
class Search:
    """`found` answers. `denied` exists and is not for us."""

    found: Path | None = None
    denied: Path | None = None


def search(candidates: Iterable[Path]) -> Search:
    """The first socket on which a bot listens; ones that a killed bot left are passed over. Raises BotError."""
    denied = None
    for path in candidates:
        paths.check_socket_folder(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            try:
                probe.connect(str(path))
            except PermissionError:
                denied = denied or path
            except OSError:
                continue
            else:
                return Search(found=path)
    return Search(denied=denied)


class Client:
    """Speaks to the bot behind one socket. Use as a context.

    Its methods raise NotRunning where nobody answers, and BotError with the bot's own words where it refuses.
    """

    def __init__(self, path: Path) -> None:
        self.socket = path
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://nanobot", timeout=_ANSWER_SECONDS
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self._call("GET", "/v1/status")
        return answer

    async def resolve(self, name: str) -> dict[str, Any]:
        """{"name", "routes", "steps"}."""
        answer: dict[str, Any] = await self._call("GET", f"/v1/resolve?name={quote(name, safe='')}")
        return answer

    async def models(self, provider: str = "", *, free: bool = False) -> dict[str, Any]:
        """{"models": [...], "hidden": {provider: count}}; see `bot.models`."""
        query = urlencode({"provider": provider, **({"free": "1"} if free else {})})
        answer: dict[str, Any] = await self._call("GET", f"/v1/models?{query}")
        return answer

    async def usage(self) -> dict[str, Any]:
        """What was asked of models and what it cost, as `bot.ops.usage.Usage.report` tells it."""
        answer: dict[str, Any] = await self._call("GET", "/v1/usage")
        return answer

    async def reminders(self) -> list[dict[str, Any]]:
        """Everybody's that are still to come, as `bot.ops.agenda.Agenda.report` tells them."""
        answer: list[dict[str, Any]] = await self._call("GET", "/v1/reminders")
        return answer

    async def decide(self, number: int, action: str) -> dict[str, Any]:
        """Confirm or discard a reminder that waits for it; returns it."""
        answer: dict[str, Any] = await self._call("POST", f"/v1/reminders/{number}", {"action": action})
        return answer

    async def jobs(self) -> list[dict[str, Any]]:
        """Every scheduled job, as `bot.schedule.jobs.Jobs.report` tells it."""
        answer: list[dict[str, Any]] = await self._call("GET", "/v1/jobs")
        return answer

    async def job(self, name: str, action: str) -> dict[str, Any]:
        """`action` is run, pause or resume; returns that job."""
        answer: dict[str, Any] = await self._call(
            "POST", f"/v1/jobs/{quote(name, safe='')}", {"action": action}
        )
        return answer

    async def skills(self) -> list[dict[str, Any]]:
        """Every skill, as `bot.skills.shelf.Shelved.as_json` tells it."""
        answer: list[dict[str, Any]] = await self._call("GET", "/v1/skills")
        return answer

    async def skill(self, name: str, action: str) -> dict[str, Any]:
        """`action` is enable, which returns that skill, or disable."""
        path = f"/v1/skills/{quote(name, safe='')}"
        answer: dict[str, Any] = await self._call("POST", path, {"action": action})
        return answer

    async def reload(self) -> dict[str, Any]:
        """What came of it, as `bot.reload.Reloaded` tells it; or {"ok": false, "problems"}."""
        answer: dict[str, Any] = await self._call("POST", "/v1/reload")
        return answer

    async def memory(self, person: str = "") -> dict[str, Any]:
        """What is known, as `bot.ops.memory.Notes.report` tells it; "" is the owner."""
        answer: dict[str, Any] = await self._call("GET", f"/v1/memory?{urlencode({'person': person})}")
        return answer

    async def memory_versions(self, person: str = "") -> list[dict[str, Any]]:
        query = urlencode({"person": person})
        answer: list[dict[str, Any]] = await self._call("GET", f"/v1/memory/versions?{query}")
        return answer

    async def change_memory(self, person: str, **action: Any) -> dict[str, Any]:
        """`action="restore", version=N` or `action="forget", words=...`."""
        answer: dict[str, Any] = await self._call("POST", "/v1/memory", {"person": person, **action})
        return answer

    async def audit(self, session: str, last: int) -> list[dict[str, Any]]:
        """The last entries of the audit log, as `bot.ops.audit.as_object` tells them."""
        query = urlencode({"session": session, "last": last})
        answer: list[dict[str, Any]] = await self._call("GET", f"/v1/audit?{query}")
        return answer

    async def audit_faults(self) -> dict[str, Any]:
        """What `bot.ops.audit.examined` finds; a long log takes its time."""
        answer: dict[str, Any] = await self._call("GET", "/v1/audit/faults", seconds=_LONG_SECONDS)
        return answer

    async def pairings(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = await self._call("GET", "/v1/pairings")
        return answer

    async def approve(self, code: str, name: str) -> dict[str, Any]:
        """{"person", "role", "channel"} of the one let in."""
        answer: dict[str, Any] = await self._pair(code, {"action": "approve", "name": name})
        return answer

    async def refuse(self, code: str) -> None:
        await self._pair(code, {"action": "refuse", "name": ""})

    async def people(self) -> list[dict[str, Any]]:
        """Everybody, as `bot.ops.directory.Directory.report` tells it."""
        answer: list[dict[str, Any]] = await self._call("GET", "/v1/people")
        return answer

    async def unlink(self, channel: str, sender: str) -> dict[str, Any]:
        """{"person", "left"}."""
        body = {"channel": channel, "sender": sender}
        answer: dict[str, Any] = await self._call("POST", "/v1/people/unlink", body)
        return answer

    async def say(self, text: str) -> None:
        """Hand over a message or a command; returns once it is stored."""
        await self._call("POST", "/v1/terminal", {"text": text})

    async def events(self) -> AsyncGenerator[Event]:
        """Everything for the terminal, without end. Raises NotRunning when the bot goes away."""
        timeout = httpx.Timeout(_ANSWER_SECONDS, read=_SILENCE_SECONDS)
        try:
            async with self._http.stream("GET", "/v1/terminal", timeout=timeout) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                async for line in response.aiter_lines():
                    event = parse(line)
                    if event is not None:
                        yield event
        except httpx.HTTPError as error:
            raise _gone(error) from error
        raise NotRunning("nanobot has ended the connection")

    async def _pair(self, code: str, body: dict[str, str]) -> Any:
        return await self._call("POST", f"/v1/pairings/{quote(code, safe='')}", body)

    async def outbox(self, *, everything: bool = False) -> list[dict[str, Any]]:
        """Messages that did not arrive, the newest first; see `bot.storage.overview`."""
        path = "/v1/outbox?all=1" if everything else "/v1/outbox"
        answer: list[dict[str, Any]] = await self._call("GET", path)
        return answer

    async def outgoing(self, number: int, action: str) -> dict[str, Any]:
        """Retry or drop a message; returns it."""
        answer: dict[str, Any] = await self._call("POST", f"/v1/outbox/{number}", {"action": action})
        return answer

    async def inbox(self) -> list[dict[str, Any]]:
        """Messages that are not answered yet, the oldest first."""
        answer: list[dict[str, Any]] = await self._call("GET", "/v1/inbox")
        return answer

    async def sessions(self) -> list[dict[str, Any]]:
        """Chats and threads, the last used first."""
        answer: list[dict[str, Any]] = await self._call("GET", "/v1/sessions")
        return answer

    async def export(self, person: str) -> dict[str, Any]:
        """{"person", "rows", "files"}."""
        answer: dict[str, Any] = await self._call("GET", f"/v1/persons/{quote(person, safe='')}")
        return answer

    async def erase(self, person: str) -> dict[str, Any]:
        """{"person", "rows", "files"}: how many of each are gone."""
        answer: dict[str, Any] = await self._call("DELETE", f"/v1/persons/{quote(person, safe='')}")
        return answer

    async def _call(
        self, method: str, path: str, body: object = None, *, seconds: float = _ANSWER_SECONDS
    ) -> Any:
        try:
            response = await self._http.request(method, path, json=body, timeout=seconds)
        except httpx.HTTPError as error:
            raise _gone(error) from error
        if response.is_error:
            raise _refusal(response)
        try:
            return response.json()
        except ValueError:
            raise BotError(
                f"{self.socket}: answers with something else than JSON; is it nanobot's?"
            ) from None


def parse(line: str) -> Event | None:
    """One line of the stream; None for pings and for what a newer bot may have added."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    match event:
        case {"type": "attached"}:
            return Attached(str(event.get("session", "")), bool(event.get("busy")))
        case {"type": "preview", "text": str(text)}:
            return Preview(text)
        case {"type": "message", "text": str(text)}:
            return Message(str(event.get("kind", "answer")), text)
        case {"type": "idle"}:
            return Idle(str(event.get("outcome") or ""))
    return None


def _gone(error: httpx.HTTPError) -> NotRunning:
    return NotRunning(f"nanobot does not answer any more ({type(error).__name__}); is it running?")


def _refusal(response: httpx.Response) -> BotError:
    with suppress(ValueError):
        body = response.json()
        if isinstance(body, dict) and body.get("error"):
            return BotError(str(body["error"]))
    return BotError(f"nanobot answers with status {response.status_code}; its log says why")
