"""A TCP proxy on loopback that misbehaves when told: what a bad network does to any protocol.

It forwards until `mode` says otherwise. A mode holds for all that happens from then on, also on connections
already open; only `Drop` concerns new ones alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self


@dataclass(frozen=True, slots=True)
class Forward:
    """As if it were not there; `delay` seconds before each piece of data."""

    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Drop:
    """New connections are accepted and closed at once, by FIN or by RST; open ones live."""

    how: Literal["close", "reset"] = "close"


@dataclass(frozen=True, slots=True)
class BlackHole:
    """Connections are accepted and stay open, and nothing comes through until the mode changes again."""


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Each connection ends after `size` more bytes in one direction.

    `down` 0 lets a request through and loses its answer: the effect took place and the client doesn't know.
    """

    size: int
    direction: Direction = "down"
    how: Literal["close", "reset"] = "close"


Mode = Forward | Drop | BlackHole | CutAfter
Direction = Literal["up", "down"]


class FaultProxy:
    """`async with FaultProxy(port) as proxy:` forwards 127.0.0.1:`proxy.port` to 127.0.0.1:`port`."""

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self._mode: Mode = Forward()
        self._changed = asyncio.Event()
        self.port = 0
        self.accepted = 0
        """Connections so far."""
        self.bytes_up = 0
        self.bytes_down = 0
        self._server: asyncio.Server | None = None
        self._tunnels: set[_Tunnel] = set()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        self._changed.set()

    @property
    def open_connections(self) -> int:
        return len(self._tunnels)

    def cut(self, how: Literal["close", "reset"] = "close") -> None:
        """End every open connection now."""
        for tunnel in list(self._tunnels):
            tunnel.end(how)
        self._changed.set()

    async def down(self) -> None:
        """Stop listening, so that connections are refused, and cut the open ones."""
        if self._server is None:
            return
        self._server.close()
        self.cut("reset")
        tasks = [tunnel.task for tunnel in self._tunnels if tunnel.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def up(self) -> None:
        """Listen, after `down` at the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def road(self, tunnel: _Tunnel) -> Mode:
        """The mode under which a piece of data may go on now; waits out a black hole and the delay."""
        while isinstance(self._mode, BlackHole) and not tunnel.ended:
            self._changed.clear()
            await self._changed.wait()
        if isinstance(self._mode, Forward) and self._mode.delay:
            await asyncio.sleep(self._mode.delay)
        return self._mode

    def count(self, direction: Direction, size: int) -> None:
        if direction == "up":
            self.bytes_up += size
        else:
            self.bytes_down += size

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if isinstance(self.mode, Drop):
            _end(writer, self.mode.how)
            return
        tunnel = _Tunnel(self, reader, writer)
        self._tunnels.add(tunnel)
        try:
            await tunnel.run(self._target)
        finally:
            self._tunnels.discard(tunnel)


class _Tunnel:
    """One client and its connection to the target."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.task: asyncio.Task[None] | None = asyncio.current_task()
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self._left: tuple[CutAfter, int] | None = None
        self.ended = False

    async def run(self, target: tuple[str, int]) -> None:
        client = self._writers[0]
        try:
            reader, server = await asyncio.open_connection(*target)
        except OSError:
            _end(client, "reset")
            return
        self._writers.append(server)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(self._reader, server, "up"))
                group.create_task(self._pump(reader, client, "down"))
        except* OSError:
            self.end("reset")
        finally:
            self.end("close")

    def end(self, how: Literal["close", "reset"]) -> None:
        self.ended = True
        for writer in self._writers:
            _end(writer, how)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, direction: Direction
    ) -> None:
        while data := await source.read(65_536):
            mode = await self._proxy.road(self)
            if self.ended:
                return
            allowed = self._allowed(mode, direction, len(data))
            if allowed:
                self._proxy.count(direction, min(allowed, len(data)))
                sink.write(data[:allowed])
                await sink.drain()
            if allowed < len(data) and isinstance(mode, CutAfter):
                self.end(mode.how)
                return
        with contextlib.suppress(OSError):  # the other side has gone altogether
            if sink.can_write_eof():
                sink.write_eof()

    def _allowed(self, mode: Mode, direction: Direction, size: int) -> int:
        """How many of `size` bytes this connection may still carry."""
        if not isinstance(mode, CutAfter) or mode.direction != direction:
            return size
        left = self._left[1] if self._left is not None and self._left[0] is mode else mode.size
        self._left = (mode, left - size)
        return left


def _end(writer: asyncio.StreamWriter, how: Literal["close", "reset"]) -> None:
    if writer.transport.is_closing():
        return
    if how == "close":
        writer.close()
        return
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
