"""What a daemon's own commands talk to: a small HTTP API on a Unix socket for its user, root, and the unit's group."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot import models as reachable
from bot import paths
from bot.errors import BotError, ConfigError
from bot.gateway.bus import Bus
from bot.gateway.outbox import Outbox
from bot.gateway.people import People
from bot.ops import audit
from bot.ops.agenda import Agenda
from bot.ops.directory import Directory
from bot.ops.memory import Notes
from bot.ops.peers import Doorkeeper, doorkeeper, guarded
from bot.ops.upkeep import Upkeep
from bot.plugins import PluginError
from bot.reload import Reloader
from bot.schedule.jobs import Jobs
from bot.skills.shelf import Skills
from bot.storage import outbox as rows
from bot.storage.database import Database
from bot.supervisor import Supervisor
from bot.usage import Usage
from channels.terminal import Closed, Piece, Preview, TerminalChannel
from providers.client import ModelClient
from providers.errors import UnknownName

_PING_SECONDS = 15.0
_IDLE_SECONDS = 0.03
"""How soon after the last piece the client learns that nothing follows."""
_GOODBYE_SECONDS = 0.5
_PATIENCE_SECONDS = 20.0
"""How long a command waits for the end of a job that it runs; its connection gives up at 30."""


@dataclass(frozen=True, slots=True)
class Control:
    """What the API shows and does. `status` gives the object of `nanobot status --json`."""

    terminal: TerminalChannel
    bus: Bus
    outbox: Outbox
    people: People
    models: ModelClient
    database: Database
    status: Callable[[], Awaitable[dict[str, Any]]]
    welcome: Callable[[Any], Awaitable[None]]
    jobs: Jobs
    agenda: Agenda
    skills: Skills
    reloader: Reloader
    notes: Notes
    directory: Directory
    upkeep: Upkeep

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                *self.upkeep.routes(),
                Route("/v1/status", self._status),
                Route("/v1/terminal", self._listen, methods=["GET"]),
                Route("/v1/terminal", self._say, methods=["POST"]),
                Route("/v1/resolve", self._resolve),
                Route("/v1/models", self._models),
                Route("/v1/usage", self._usage),
                Route("/v1/jobs", self._jobs),
                Route("/v1/jobs/{name}", self._job, methods=["POST"]),
                Route("/v1/reminders", self._reminders),
                Route("/v1/reminders/{number:int}", self._decide, methods=["POST"]),
                Route("/v1/skills", self._skills),
                Route("/v1/skills/{name}", self._skill, methods=["POST"]),
                Route("/v1/reload", self._reload, methods=["POST"]),
                Route("/v1/memory", self._memory, methods=["GET"]),
                Route("/v1/memory", self._change_memory, methods=["POST"]),
                Route("/v1/memory/versions", self._versions),
                Route("/v1/audit", self._audit),
                Route("/v1/audit/faults", self._faults),
                Route("/v1/people", self._people),
                Route("/v1/people/unlink", self._unlink, methods=["POST"]),
                Route("/v1/pairings", self._pairings),
                Route("/v1/pairings/{code}", self._pair, methods=["POST"]),
            ],
            exception_handlers={BotError: _refused, UnknownName: _refused, OSError: _refused},
        )

    async def _status(self, _request: Request) -> Response:
        return JSONResponse(await self.status())

    async def _resolve(self, request: Request) -> Response:
        resolution = self.models.resolve(request.query_params.get("name", ""))
        routes = [str(route) for route in resolution.routes]
        return JSONResponse({"name": resolution.name, "routes": routes, "steps": list(resolution.steps)})

    async def _models(self, request: Request) -> Response:
        provider, free = request.query_params.get("provider", ""), bool(request.query_params.get("free"))
        await reachable.survey(self.models, provider)
        return JSONResponse(reachable.listing(self.models, provider, free=free).as_json())

    async def _usage(self, _request: Request) -> Response:
        return JSONResponse(await Usage(self.models, self.database).report())

    async def _jobs(self, _request: Request) -> Response:
        return JSONResponse(self.jobs.report())

    async def _job(self, request: Request) -> Response:
        name, action = request.path_params["name"], (await request.json()).get("action")
        if action == "run":
            return JSONResponse(await self.jobs.run(name, _PATIENCE_SECONDS))
        return JSONResponse(await self.jobs.pause(name, paused=action == "pause"))

    async def _reminders(self, _request: Request) -> Response:
        return JSONResponse(await self.agenda.report())

    async def _decide(self, request: Request) -> Response:
        yes = (await request.json()).get("action") == "confirm"
        return JSONResponse(await self.agenda.decide(request.path_params["number"], yes=yes))

    async def _skills(self, _request: Request) -> Response:
        return JSONResponse([one.as_json() for one in await self.skills.all()])

    async def _skill(self, request: Request) -> Response:
        name, action = request.path_params["name"], (await request.json()).get("action")
        if action == "enable":
            return JSONResponse((await self.skills.enable(name, self.people.owner.name)).as_json())
        await self.skills.disable(name)
        return JSONResponse({"name": name})

    async def _reload(self, _request: Request) -> Response:
        """What came of it; a configuration that can't be used is an answer as well."""
        try:
            return JSONResponse((await self.reloader.reload()).as_json())
        except ConfigError as error:
            return JSONResponse({"ok": False, "problems": error.problems})
        except PluginError as error:
            return JSONResponse({"ok": False, "problems": [str(error)]})

    async def _memory(self, request: Request) -> Response:
        return JSONResponse(self.notes.report(request.query_params.get("person", "")))

    async def _versions(self, request: Request) -> Response:
        return JSONResponse(await self.notes.history(request.query_params.get("person", "")))

    async def _change_memory(self, request: Request) -> Response:
        asked = await request.json()
        person = asked.get("person") or ""
        if asked.get("action") == "restore":
            return JSONResponse(await self.notes.restore(person, int(asked.get("version") or 0)))
        return JSONResponse(await self.notes.forget(person, asked.get("words") or ""))

    async def _audit(self, request: Request) -> Response:
        query = request.query_params
        last = int(query.get("last") or audit.USUAL)
        return JSONResponse(await audit.shown(self.database, query.get("session", ""), last))

    async def _faults(self, _request: Request) -> Response:
        return JSONResponse(await audit.examined(self.database))

    async def _people(self, _request: Request) -> Response:
        return JSONResponse(await self.directory.report())

    async def _unlink(self, request: Request) -> Response:
        asked = await request.json()
        return JSONResponse(
            await self.directory.unlink(asked.get("channel") or "", asked.get("sender") or "")
        )

    async def _pairings(self, _request: Request) -> Response:
        fields = ("code", "channel", "sender", "sender_name", "expires_at")
        return JSONResponse([{f: getattr(p, f) for f in fields} for p in await self.people.pending()])

    async def _pair(self, request: Request) -> Response:
        code, asked = request.path_params["code"], await request.json()
        if asked.get("action") == "refuse":
            await self.people.refuse(code)
            return JSONResponse({})
        pairing, person = await self.people.approve(code, asked.get("name") or "")
        await self.welcome(pairing)
        return JSONResponse({"person": person.name, "role": person.role, "channel": pairing.channel})

    async def _say(self, request: Request) -> Response:
        text = (await request.json()).get("text", "")
        if not text.strip():
            return JSONResponse({"error": "the message is empty"}, 400)
        await self.terminal.submit(text)
        return JSONResponse({}, 202)

    async def _listen(self, _request: Request) -> Response:
        return StreamingResponse(self._events(), media_type="application/x-ndjson")

    async def _events(self) -> AsyncIterator[str]:
        """Everything that the terminal shows, one JSON object a line; "idle" when nothing more is to come."""
        session = self.terminal.session
        async with self.terminal.listen() as listener:
            idle = not self._pending(session)
            yield _line(type="attached", session=session, busy=not idle)
            turn, pinged = False, asyncio.get_running_loop().time()
            while True:
                try:
                    event = await listener.next(_IDLE_SECONDS if not idle else _PING_SECONDS / 10)
                except Closed:
                    return
                match event:
                    case Preview(text):
                        yield _line(type="preview", text=text)
                        idle = False
                    case Piece(out):
                        turn = turn or out.kind != "reply"
                        yield _line(
                            type="message", kind=out.kind, text=out.text, replaces_preview=bool(out.edits)
                        )
                        idle = False
                now = asyncio.get_running_loop().time()
                if event is None and not self._pending(session):
                    if not idle:
                        yield _line(type="idle", outcome=await self._outcome(session) if turn else "")
                    idle, turn = True, False
                elif event is None:
                    idle = False
                if now - pinged > _PING_SECONDS:
                    pinged = now
                    yield _line(type="ping")

    def _pending(self, session: str) -> bool:
        return self.bus.pending(session) or self.outbox.pending(session)

    async def _outcome(self, session: str) -> str:
        turn = await self.database.read(partial(rows.last_answer, session=session))
        return turn.outcome if turn is not None else ""


@asynccontextmanager
async def serving(control: Control, path: Path, supervisor: Supervisor) -> AsyncIterator[None]:
    """Serve the API on a socket at `path`, replacing one that a killed daemon left. Raises BotError."""
    paths.make_socket_folder(path)
    keeper = doorkeeper(path)
    listener = _bind(path, keeper)
    config = uvicorn.Config(
        control.app(),
        http=guarded(keeper),
        log_config=None,
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    server = uvicorn.Server(config)
    # The daemon has its own signals; uvicorn's would take them.
    server.capture_signals = _no_signals  # type: ignore[method-assign] # its own hook for this
    task = supervisor.spawn("control socket", server.serve([listener]))
    try:
        yield
    finally:
        await control.terminal.aclose()
        server.should_exit = True
        await asyncio.wait([task], timeout=_GOODBYE_SECONDS)
        _remove(path)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


def _bind(path: Path, keeper: Doorkeeper) -> socket.socket:
    _remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
        if keeper.group is not None:
            os.chown(path, -1, keeper.group)
            path.chmod(0o660)
    except OSError as error:
        listener.close()
        raise BotError(f"{path}: the control socket can't be made: {error.strerror}") from None
    finally:
        os.umask(before)
    listener.listen(16)
    listener.setblocking(False)
    return listener


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


async def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404)


def _line(**event: Any) -> str:
    return json.dumps(event, ensure_ascii=False) + "\n"
