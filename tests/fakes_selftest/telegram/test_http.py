"""The server below the Bot API: bytes in any slices, all kinds of bodies, keep-alive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.forms import Upload, decode_call

from .conftest import CHAT


@pytest.fixture
async def client(tg: TelegramFake) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{tg.base_url}{tg.token}/") as http:
        yield http


async def raw(tg: TelegramFake, *slices: bytes) -> bytes:
    """Send slices one after the other, read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(tg.url.rpartition(":")[2]))
    for part in slices:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"chat_id": CHAT, "text": "hé\n😀", "disable_notification": True}},
        {"data": {"chat_id": CHAT, "text": "hé\n😀", "disable_notification": "true"}},
        {"data": {"chat_id": CHAT, "text": "hé\n😀"}, "files": {"unused": ("a.txt", b"\r\n--x\r\n")}},
        {"params": {"chat_id": CHAT, "text": "hé\n😀"}},
    ],
    ids=["json", "urlencoded", "multipart", "query"],
)
async def test_all_kinds_of_bodies(tg: TelegramFake, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = (await client.post("SENDMESSAGE", **body)).json()
    assert answer["ok"], answer
    assert tg.chat(CHAT)[0].text == "hé\n😀"


async def test_a_chunked_body(tg: TelegramFake, client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield json.dumps({"chat_id": CHAT, "text": "in"})[:10].encode()
        yield json.dumps({"chat_id": CHAT, "text": "in"})[10:].encode()

    response = await client.post("sendMessage", content=body(), headers={"Content-Type": "application/json"})
    assert response.json()["result"]["text"] == "in"


@pytest.mark.parametrize("body", [b"[1]", b"{nonsense"])
async def test_a_body_that_is_no_object(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("getMe", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400


async def test_one_connection_serves_many_requests(tg: TelegramFake) -> None:
    head = f"GET /bot{tg.token}/getMe HTTP/1.1\r\nHost: x\r\n".encode()
    answer = await raw(tg, head + b"\r\n" + head + b"\r\n", head + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_http_1_0_closes(tg: TelegramFake) -> None:
    answer = await raw(tg, f"GET /bot{tg.token}/getMe HTTP/1.0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    "request_bytes",
    [b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"x" * 70_000],
    ids=["line", "length", "endless head"],
)
async def test_nonsense_is_refused(tg: TelegramFake, request_bytes: bytes) -> None:
    assert (await raw(tg, request_bytes)).startswith(b"HTTP/1.1 400 ")


async def test_expect_100_continue(tg: TelegramFake) -> None:
    head = f"POST /bot{tg.token}/getMe HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
    head += "Content-Type: application/json\r\nConnection: close\r\n\r\n"
    answer = await raw(tg, head.encode(), b"{}")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_other_paths_are_not_found(tg: TelegramFake) -> None:
    async with httpx.AsyncClient() as client:
        for path in ("/", "/file/bot1:x/documents/file_1.pdf", f"/file/bot{tg.token}/none"):
            assert (await client.get(tg.url + path)).status_code == 404


async def test_bytes_may_arrive_in_any_slices(tg: TelegramFake) -> None:
    body = b"4\r\nchat\r\n19;ext=1\r\n_id=42&text=sliced+thinly\r\n0\r\n\r\n"
    head = f"POST /bot{tg.token}/sendMessage HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    whole = head.encode() + body
    for size in (1, 7, 50, len(whole)):
        answer = await raw(tg, *(whole[at : at + size] for at in range(0, len(whole), size)))
        assert b'"sliced thinly"' in answer


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.text(), min_size=1), st.binary())
def test_multipart_as_httpx_writes_it(fields: dict[str, str], data: bytes) -> None:
    request = httpx.Request("POST", "http://x", data=fields, files={"FILE": ("name.bin", data, "text/x")})
    request.read()
    call = decode_call("m", "", request.headers["content-type"], request.content)
    assert call.params == fields
    assert call.files == {"FILE": Upload("name.bin", "text/x", data)}
