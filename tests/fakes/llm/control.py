"""Steering a fake that runs as a process of its own: a few JSON routes under /control/, and their client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

import httpx
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from tests.fakes.llm import errors
from tests.fakes.llm.http11 import Request
from tests.fakes.llm.peers import Answer
from tests.fakes.llm.replies import STRICT, Reply
from tests.fakes.llm.server import Kill, LLMFake


@dataclass(frozen=True, config=STRICT)
class Push:
    """Body of POST /control/push; see `LLMFake.push`."""

    replies: tuple[Reply, ...]
    model: str = ""
    contains: str = ""
    times: int = 1


@dataclass(frozen=True, config=STRICT)
class Default:
    """Body of POST /control/default; null brings the echo back."""

    reply: Reply | None = None


@dataclass(frozen=True, config=STRICT)
class Release:
    """Body of POST /control/release."""

    name: str


@dataclass(frozen=True, config=STRICT)
class Loading:
    """Body of POST /control/loading."""

    seconds: float


class Control:
    """The routes: push, default, release, loading, kill, clear, and GET requests.

    A body that doesn't fit is answered 422 with what is wrong with it.
    """

    def __init__(self, llm: LLMFake) -> None:
        self._llm = llm
        self._echo = llm.default
        self._routes: dict[str, tuple[TypeAdapter[Any], Callable[[Any], object]]] = {
            "push": (TypeAdapter(Push), self._push),
            "default": (TypeAdapter(Default), self._default),
            "release": (TypeAdapter(Release), lambda body: llm.release(body.name)),
            "loading": (TypeAdapter(Loading), lambda body: llm.load_for(body.seconds)),
            "kill": (TypeAdapter(Kill), llm.kill),
            "clear": (TypeAdapter(dict[str, Any]), lambda _: llm.clear()),
        }
        llm.extra_routes = self.answer

    def answer(self, request: Request) -> Answer | None:
        if not request.path.startswith("/control/"):
            return None
        name = request.path.removeprefix("/control/")
        if name == "requests":
            return Answer(200, self._requests(int(request.query.get("since", "0"))))
        if name not in self._routes or request.method != "POST":
            return Answer(404, errors.detail(f"no such route; POST one of {', '.join(self._routes)}"))
        adapter, act = self._routes[name]
        try:
            act(adapter.validate_json(request.body or b"{}"))
        except ValidationError as error:
            return Answer(422, errors.detail(str(error)))
        return Answer(200, {"ok": True})

    def _push(self, body: Push) -> None:
        self._llm.push(*body.replies, model=body.model, contains=body.contains, times=body.times)

    def _default(self, body: Default) -> None:
        self._llm.default = body.reply or self._echo

    def _requests(self, since: int) -> dict[str, Any]:
        return {
            "received": self._llm.received,
            "concurrent": self._llm.concurrent,
            "max_concurrent": self._llm.max_concurrent,
            "connections": self._llm.connections,
            "requests": [asdict(each) for each in self._llm.requests if each.number > since],
            "probes": [asdict(each) for each in self._llm.probes],
        }


class LLMControl:
    """The client of these routes. `base_url` is what the program under test is configured with."""

    def __init__(self, url: str, base_url: str, pid: int) -> None:
        self.url = url
        self.base_url = base_url
        self.pid = pid
        self._http = httpx.AsyncClient(base_url=url, trust_env=False)
        self._replies = TypeAdapter(tuple[Reply, ...])

    async def push(self, *replies: Reply, model: str = "", contains: str = "", times: int = 1) -> None:
        dumped = self._replies.dump_python(replies, mode="json")
        await self._post("push", {"replies": dumped, "model": model, "contains": contains, "times": times})

    async def set_default(self, reply: Reply | None) -> None:
        """None: the echo."""
        dumped = self._replies.dump_python((reply,), mode="json")[0] if reply else None
        await self._post("default", {"reply": dumped})

    async def release(self, name: str) -> None:
        await self._post("release", {"name": name})

    async def load_for(self, seconds: float) -> None:
        await self._post("loading", {"seconds": seconds})

    async def kill(
        self, pid: int, when: Literal["before_reply", "mid_stream"] = "before_reply", request: int = 1
    ) -> None:
        await self._post("kill", {"kill_pid": pid, "when": when, "request": request})

    async def clear(self) -> None:
        await self._post("clear", {})

    async def seen(self, since: int = 0) -> dict[str, Any]:
        """Counts, and the logged requests after number `since`."""
        answer = await self._http.get("/control/requests", params={"since": since})
        answer.raise_for_status()
        seen: dict[str, Any] = answer.json()
        return seen

    async def until(self, true: Callable[[dict[str, Any]], bool], timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """Wait until `true` of what `seen` gives."""
        async with asyncio.timeout(timeout):
            while not true(await self.seen()):
                await asyncio.sleep(0.005)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _post(self, name: str, body: dict[str, Any]) -> None:
        answer = await self._http.post(f"/control/{name}", content=json.dumps(body))
        if answer.status_code != 200:
            raise ValueError(f"/control/{name}: {answer.text}")
