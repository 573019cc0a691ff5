"""The listener for deliveries by HTTP: whole requests only, and no client can hold it up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.webhook import Bounds, listening

SOON = Bounds(body=1000, seconds=0.1)


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body() or request.query_params.get("say", ""))


async def broken(_request: Request) -> Response:
    raise RuntimeError("of the application")


APP = Starlette(routes=[Route("/echo", echo, methods=["GET", "POST"]), Route("/broken", broken)])


@pytest.fixture
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    yield
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_it_answers_what_it_is_asked(signals: None) -> None:
    async with listening(APP) as (host, port), httpx.AsyncClient(base_url=f"http://{host}:{port}") as http:
        assert host == "127.0.0.1"
        assert (await http.get("/echo", params={"say": "hello"})).text == "hello"
        assert (await http.post("/echo", content=b"x" * 1000)).text == "x" * 1000
        assert (await http.get("/elsewhere")).status_code == 404
        assert (await http.delete("/echo")).status_code == 405


async def test_two_listen_side_by_side() -> None:
    async with listening(APP) as (_, one), listening(APP) as (_, other), httpx.AsyncClient() as http:
        for port in (one, other):
            assert (await http.get(f"http://127.0.0.1:{port}/echo?say={port}")).text == str(port)


async def test_nothing_listens_afterwards_and_the_port_is_free_again() -> None:
    async with listening(APP) as (host, port):
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)
    async with listening(APP, host, port) as (_, again):
        assert again == port


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with listening(APP) as (host, port):
        with pytest.raises(OSError, match="in use"):
            async with listening(APP, host, port):
                pytest.fail("listened twice")


async def test_an_error_of_the_caller_comes_out_as_it_is() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with listening(APP):
            raise ValueError("mine")


async def test_being_cancelled_closes_it() -> None:
    bound: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    async def listen() -> None:
        async with listening(APP) as address:
            bound.set_result(address)
            await asyncio.Event().wait()

    task = asyncio.create_task(listen())
    address = await bound
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_large_never_reaches_the_application(declared: bool) -> None:
    asked: list[bytes] = []

    async def note(request: Request) -> Response:
        asked.append(await request.body())
        return Response()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100

    app = Starlette(routes=[Route("/", note, methods=["POST"])])
    content = b"x" * 1001 if declared else chunks()
    async with listening(app, bounds=SOON) as (host, port), httpx.AsyncClient() as http:
        with suppress(httpx.TransportError):  # the connection may be closed before all is said
            assert (await http.post(f"http://{host}:{port}/", content=content)).status_code == 413
        assert (await http.post(f"http://{host}:{port}/", content=b"x" * 1000)).status_code == 200
    assert asked == [b"x" * 1000]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"", b""),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\n", b""),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhal", b"408"),
    ],
    ids=["says nothing", "stops in the head", "stops in the body"],
)
async def test_a_client_that_does_not_go_on_is_left(said: bytes, answer: bytes) -> None:
    async with listening(APP, bounds=SOON) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(said)
        async with asyncio.timeout(2.0):
            heard = await reader.read()
        writer.close()
    assert answer in heard
    assert bool(answer) == bool(heard)


async def test_a_connection_carries_one_request() -> None:
    async with listening(APP) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            b"GET /echo?say=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /echo?say=2 HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        async with asyncio.timeout(2.0):
            heard = await reader.read()
        writer.close()
    assert heard.count(b"HTTP/1.1 200") == 1


async def test_more_clients_than_it_bears_are_turned_away() -> None:
    async with listening(APP, bounds=Bounds(clients=3)) as (host, port):
        crowd = [await asyncio.open_connection(host, port) for _ in range(3)]
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://{host}:{port}/echo")).status_code == 503
        for _, writer in crowd:
            writer.close()


async def test_a_fault_of_the_application_is_a_status_for_its_client() -> None:
    async with listening(APP) as (host, port), httpx.AsyncClient() as http:
        assert (await http.get(f"http://{host}:{port}/broken")).status_code == 500
        assert (await http.get(f"http://{host}:{port}/echo?say=on")).text == "on"


async def test_noise_is_no_request() -> None:
    async with listening(APP) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        async with asyncio.timeout(2.0):
            heard = await reader.read()
        writer.close()
    assert b"400" in heard
