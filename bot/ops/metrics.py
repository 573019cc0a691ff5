"""Numbers for Prometheus, and whether we are alive and ready, over HTTP on this machine (`[metrics] listen`)."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import BotError
from bot.meter import Meter, TurnEnded
from channels.webhook import listening
from providers.types import Attempt

_WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_TURNS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is looked at when somebody asks."""

    loop_delay: Callable[[], float]
    stalls: Callable[[], int]
    depth: Callable[[], tuple[int, int]]
    """(turns running, messages waiting in memory)."""
    outbox: Callable[[], int]
    channels: Callable[[], Mapping[str, bool]]
    spent: Callable[[], Awaitable[Mapping[str, Any]]]


class Metrics(Meter):
    """Implements `bot.meter.Meter`. Names follow https://prometheus.io/docs/practices/naming/."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._waited = Histogram(
            "nanobot_lane_wait_seconds",
            "From a message's arrival to the beginning of its turn",
            buckets=_WAITS,
            registry=registry,
        )
        self._turns = Histogram(
            "nanobot_turn_seconds",
            "From a turn's beginning to its committed answer",
            ["channel", "outcome"],
            buckets=_TURNS,
            registry=registry,
        )
        self._calls = Counter(
            "nanobot_model_calls",
            "Requests to models; the outcome is answered or a class of failure",
            ["provider", "model", "outcome"],
            registry=registry,
        )
        self._fallbacks = Counter(
            "nanobot_fallbacks",
            "Changes from one model to the next within a call",
            ["source", "target", "reason"],
            registry=registry,
        )
        self._deliveries = Counter(
            "nanobot_deliveries",
            "Ends of sends, by what became of them",
            ["channel", "state"],
            registry=registry,
        )
        gauges = (
            ("turns_running", "Turns that run now"),
            ("messages_waiting", "Messages that wait for their turn"),
            ("outbox_waiting", "Messages that wait for their delivery"),
            ("event_loop_delay_seconds", "How late the event loop's last tick was"),
            ("event_loop_stalls", "How often it stood still for a second or more"),
            ("resident_memory_bytes", "Memory of this process"),
            ("peak_memory_bytes", "The most that it was"),
        )
        self._gauges = {name: Gauge(f"nanobot_{name}", about, registry=registry) for name, about in gauges}
        self._up = Gauge(
            "nanobot_channel_up", "Whether a channel is connected", ["channel"], registry=registry
        )
        self._spent = Gauge(
            "nanobot_spent_usd", "Money that models cost since its beginning", ["period"], registry=registry
        )

    def turn_ended(self, ended: TurnEnded) -> None:
        self._waited.observe(max(ended.waited, 0.0))
        self._turns.labels(ended.channel, ended.outcome).observe(max(ended.seconds, 0.0))
        for path in ended.paths:
            self._count(path)

    def delivery(self, channel: str, state: str) -> None:
        self._deliveries.labels(channel, state).inc()

    def _count(self, path: Sequence[Attempt]) -> None:
        for attempt in path:
            if attempt.called:
                route = attempt.route
                self._calls.labels(route.provider, route.model, attempt.error or "answered").inc()
        for before, after in pairwise(path):
            if before.error and str(before.route) != str(after.route):
                self._fallbacks.labels(str(before.route), str(after.route), before.error).inc()

    async def text(self, gauges: Gauges) -> bytes:
        """Everything in Prometheus' own format."""
        running, waiting = gauges.depth()
        spent = await gauges.spent()
        resident, peak = await asyncio.to_thread(_memory)
        now = {
            "turns_running": running,
            "messages_waiting": waiting,
            "outbox_waiting": gauges.outbox(),
            "event_loop_delay_seconds": gauges.loop_delay(),
            "event_loop_stalls": gauges.stalls(),
            "resident_memory_bytes": resident,
            "peak_memory_bytes": peak,
        }
        for name, value in now.items():
            self._gauges[name].set(value)
        for channel, up in gauges.channels().items():
            self._up.labels(channel).set(up)
        for period in ("today", "month"):
            self._spent.labels(period).set(spent[f"{period}_usd"] or 0.0)
        return generate_latest(self._registry)


@dataclass(frozen=True, slots=True)
class Answers:
    """What is asked over HTTP. `hanging` says what doesn't turn any more, `unready` what isn't up yet; "" if not."""

    metrics: Metrics
    gauges: Gauges
    hanging: Callable[[], Awaitable[str]]
    unready: Callable[[], str]

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/healthz", self._health),
                Route("/readyz", self._ready),
                Route("/metrics", self._metrics),
            ]
        )

    async def _health(self, _request: Request) -> Response:
        return _verdict(await self.hanging())

    async def _ready(self, _request: Request) -> Response:
        return _verdict(self.unready())

    async def _metrics(self, _request: Request) -> Response:
        return Response(await self.metrics.text(self.gauges), media_type=CONTENT_TYPE_LATEST)


@asynccontextmanager
async def serving(answers: Answers, listen: tuple[str, int]) -> AsyncIterator[int]:
    """Serve on this address; yields the port. Raises BotError where it is taken."""
    host, port = listen
    async with AsyncExitStack() as stack:
        try:
            _, bound = await stack.enter_async_context(listening(answers.app(), host, port))
        except OSError as error:
            raise BotError(f"[metrics] listen: {host}:{port} can't be used: {error.strerror}") from None
        yield bound


def _verdict(wrong: str) -> Response:
    return PlainTextResponse(f"{wrong or 'ok'}\n", 503 if wrong else 200)


def _memory() -> tuple[int, int]:
    """(resident now, at most so far), in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
