"""The fault proxy does to a connection what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fakes.proxy import BlackHole, CutAfter, Drop, FaultProxy, Forward


class Echo:
    """A server that sends everything back and counts what reached it."""

    def __init__(self) -> None:
        self.received = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                self.received += data
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()


@pytest.fixture
async def echo() -> Echo:
    return Echo()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultProxy]:
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with server, FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(proxy: FaultProxy) -> Pipe:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def say(pipe: Pipe, data: bytes) -> bytes:
    pipe[1].write(data)
    async with asyncio.timeout(30.0):
        return await pipe[0].read(65_536)


async def test_it_forwards_both_ways(proxy: FaultProxy) -> None:
    pipe = await connect(proxy)

    assert await say(pipe, b"hello") == b"hello"
    assert (proxy.bytes_up, proxy.bytes_down, proxy.accepted, proxy.open_connections) == (5, 5, 1, 1)
    pipe[1].close()


async def test_the_end_of_sending_is_passed_on(proxy: FaultProxy, echo: Echo) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"last words")
    writer.write_eof()

    assert await reader.read() == b"last words"
    writer.close()


async def test_a_delay_holds_data_back(proxy: FaultProxy) -> None:
    pipe = await connect(proxy)
    proxy.mode = Forward(delay=0.02)
    began = asyncio.get_running_loop().time()

    assert await say(pipe, b"hello") == b"hello"
    assert asyncio.get_running_loop().time() - began >= 0.04
    pipe[1].close()


async def test_new_connections_are_dropped_and_open_ones_live(proxy: FaultProxy, echo: Echo) -> None:
    old = await connect(proxy)
    await say(old, b"a")
    proxy.mode = Drop()

    new = await connect(proxy)
    assert await new[0].read() == b""
    assert await say(old, b"b") == b"b"
    assert echo.received == b"ab"
    new[1].close()
    old[1].close()


async def test_new_connections_are_reset(proxy: FaultProxy) -> None:
    proxy.mode = Drop("reset")

    pipe = await connect(proxy)
    with pytest.raises(ConnectionResetError):
        await pipe[0].read()
    pipe[1].close()


async def test_open_connections_are_reset_on_command(proxy: FaultProxy) -> None:
    pipe = await connect(proxy)
    await say(pipe, b"a")
    proxy.cut("reset")

    with pytest.raises(ConnectionResetError):
        await pipe[0].read()
    pipe[1].close()


async def test_nothing_passes_a_black_hole_until_it_heals(proxy: FaultProxy, echo: Echo) -> None:
    proxy.mode = BlackHole()
    pipe = await connect(proxy)
    pipe[1].write(b"anyone?")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pipe[0].read(1), 0.05)
    assert echo.received == b""

    proxy.mode = Forward()
    assert await asyncio.wait_for(pipe[0].readexactly(7), 5) == b"anyone?"
    pipe[1].close()


async def test_a_black_hole_can_be_left_by_a_cut(proxy: FaultProxy) -> None:
    proxy.mode = BlackHole()
    pipe = await connect(proxy)
    pipe[1].write(b"anyone?")
    await asyncio.sleep(0.01)
    proxy.cut()

    assert await asyncio.wait_for(pipe[0].read(), 5) == b""
    pipe[1].close()


async def test_an_answer_is_lost_after_its_effect(proxy: FaultProxy, echo: Echo) -> None:
    proxy.mode = CutAfter(0)
    pipe = await connect(proxy)

    assert await say(pipe, b"pay") == b""
    assert echo.received == b"pay"
    pipe[1].close()


@pytest.mark.parametrize(("size", "arrives"), [(3, b"abc"), (6, b"abcdef")])
async def test_an_answer_is_cut_at_a_byte(proxy: FaultProxy, size: int, arrives: bytes) -> None:
    proxy.mode = CutAfter(size)
    pipe = await connect(proxy)
    got = await say(pipe, b"abcd")
    if len(arrives) > 4:
        got += await say(pipe, b"efgh")

    assert got == arrives
    assert await asyncio.wait_for(pipe[0].read(), 5) == b""
    pipe[1].close()


async def test_a_request_is_cut_before_its_effect(proxy: FaultProxy, echo: Echo) -> None:
    proxy.mode = CutAfter(2, "up")
    pipe = await connect(proxy)
    await say(pipe, b"pay")

    assert echo.received == b"pa"
    pipe[1].close()


async def test_it_refuses_and_comes_back_at_the_same_port(proxy: FaultProxy) -> None:
    port = proxy.port
    await proxy.down()
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy)
    await proxy.up()

    pipe = await connect(proxy)
    assert proxy.port == port
    assert await say(pipe, b"back") == b"back"
    pipe[1].close()


async def test_a_target_that_is_away_looks_like_a_reset() -> None:
    server = await asyncio.start_server(Echo().serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()

    async with FaultProxy(port) as proxy:
        pipe = await connect(proxy)
        with pytest.raises(ConnectionResetError):
            await pipe[0].read()
        pipe[1].close()
