"""What an owner looks at and decides by hand: messages that wait or were refused, conversations, a person's data."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.agent.workers import Workers
from bot.errors import BotError
from bot.gateway.bus import Bus
from bot.gateway.outbox import DROPPED, Outbox
from bot.gateway.parts import INBOX
from bot.gateway.people import People
from bot.memory.keeper import folder_name
from bot.storage import overview, person_data
from bot.storage.database import Database
from bot.workspace import MEMORY

_MOST = 200
_END_SECONDS = 10.0
"""For what a person is being answered to end before they are erased."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    database: Database
    outbox: Outbox
    bus: Bus
    people: People
    workers: Workers
    workspace: Path
    clock: Callable[[], float]

    def routes(self) -> Sequence[Route]:
        return (
            Route("/v1/outbox", self._outbox),
            Route("/v1/outbox/{number:int}", self._act, methods=["POST"]),
            Route("/v1/inbox", self._inbox),
            Route("/v1/sessions", self._sessions),
            Route("/v1/persons/{name}", self._export, methods=["GET"]),
            Route("/v1/persons/{name}", self._erase, methods=["DELETE"]),
        )

    async def _outbox(self, request: Request) -> Response:
        everything = bool(request.query_params.get("all"))
        look = partial(overview.undelivered, most=_MOST, everything=everything)
        return JSONResponse(await self.database.read(look))

    async def _act(self, request: Request) -> Response:
        number, action = request.path_params["number"], (await request.json()).get("action")
        await (self._retry(number) if action == "retry" else self._drop(number))
        return JSONResponse(await self.database.read(partial(overview.outgoing, number=number)))

    async def _inbox(self, _request: Request) -> Response:
        return JSONResponse(await self.database.read(partial(overview.unanswered, most=_MOST)))

    async def _sessions(self, _request: Request) -> Response:
        return JSONResponse(await self.database.read(partial(overview.conversations, most=_MOST)))

    async def _export(self, request: Request) -> Response:
        return JSONResponse(await self.export(request.path_params["name"]))

    async def _erase(self, request: Request) -> Response:
        return JSONResponse(await self.erase(request.path_params["name"]))

    async def _retry(self, number: int) -> None:
        if not self.outbox.waiting(number):
            row = await self.database.write(partial(overview.send_again, number=number))
            if row is None:
                raise BotError(
                    f"there is no message {number} that could be sent again; `nanobot outbox list` shows them"
                )
            self.outbox.put([row])
        self.outbox.hurry(number)

    async def _drop(self, number: int) -> None:
        self.outbox.drop(number)  # first: a send that fails right now must not queue it again
        if not await self.database.write(partial(overview.give_up, number=number, why=DROPPED)):
            raise BotError(
                f"no message {number} waits to be delivered; `nanobot outbox list` shows those that do"
            )

    async def export(self, name: str) -> dict[str, Any]:
        """{"person", "rows": by table, "files": paths below the workspace}. Raises BotError for nobody's name."""
        rows = await self.database.read(partial(person_data.of_person, name=name))
        files = await asyncio.to_thread(self._files, name)
        if not rows and not files and name not in self.people.names():
            raise BotError(f"nothing is kept of anybody called {name!r}; `nanobot people` shows who there is")
        return {"person": name, "rows": rows, "files": files}

    async def erase(self, name: str) -> dict[str, Any]:
        """Erase everything of a person; returns {"rows": by table, "files": how many}. Raises BotError."""
        if name == self.people.owner.name:
            raise BotError(
                f"{name} is the owner; to forget everything, stop nanobot and delete its data folder"
            )
        for session in await self.database.read(partial(person_data.places, name=name)):
            if not await self.bus.end(session, _END_SECONDS):
                raise BotError(f"{name} is being answered and that won't end; try again in a moment")
        found = await self.export(name)
        await self.workers.drop([row["id"] for row in found["rows"].get("turn", ())])
        for row in found["rows"].get("outbox", ()):
            self.outbox.drop(row["id"])
        gone = await self.database.write(partial(person_data.erase_person, name=name))
        named = person_data.files_of(found["rows"])
        await asyncio.to_thread(self._erase_files, name, named)
        await self.people.load()
        return {"person": name, "rows": gone, "files": len({*found["files"], *named})}

    def _folders(self, name: str) -> list[Path]:
        own = folder_name(name)
        return [self.workspace / MEMORY / own, self.workspace / INBOX / own]

    def _files(self, name: str) -> list[str]:
        found = (path for folder in self._folders(name) if folder.is_dir() for path in folder.rglob("*"))
        return sorted(str(path.relative_to(self.workspace)) for path in found if path.is_file())

    def _erase_files(self, name: str, named: Sequence[str]) -> None:
        for folder in self._folders(name):
            shutil.rmtree(folder, ignore_errors=True)
        for path in named:
            # Absolute ones are copies on their way out.
            (self.workspace / path).unlink(missing_ok=True)
