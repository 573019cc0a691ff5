"""Reading pages and searching: over real sockets against a small site, and what the rules make of the addresses."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pypdf import PdfWriter

from bot.config import Config
from bot.config.schema import ToolsSettings, WebSettings
from bot.safety.network import Page
from bot.safety.rules import Trust
from bot.toolbox import Toolbox, ToolContext, ToolError
from bot.tools.web import SPEC, parse_duckduckgo, readable
from providers.types import ToolCall
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking, trusted

ARTICLE = (
    "<html><head><title>Tea</title><script>evil()</script></head><body><nav>Home</nav><article><h1>Tea</h1>"
    + "<p>Tea is made of leaves and hot water, and people have drunk it for a very long time.</p>" * 5
    + "</article></body></html>"
)


@asynccontextmanager
async def site(pages: dict[str, tuple[str, str]]) -> AsyncIterator[str]:
    """A web server on loopback: path → (content type, body); everything else is 404."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            pass
        kind, body = pages.get(path.partition("?")[0], ("", ""))
        status = "200 OK" if kind else "404 Not Found"
        length = len(body.encode())
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body.encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def config(llm: LLMFake, web: str) -> str:
    return provider("one", llm.base_url) + trusted("one") + f"[tools.web]\n{web}\n"


def results(llm: LLMFake) -> list[str]:
    return [m["content"] for m in llm.requests[-1].body["messages"] if m["role"] == "tool"]


async def test_a_page_that_the_person_named_is_read_unasked(tmp_path: Path) -> None:
    async with site({"/tea": ("text/html", ARTICLE)}) as host, LLMFake() as llm:
        llm.push(Reply.tool("web_fetch", {"url": f"http://{host}/tea"}), Reply("It is about tea."))
        async with talking(tmp_path, config(llm, f'allow = ["{host}"]')) as chat:
            assert (await chat.ask(f"read http://{host}/tea please")).answer == "It is about tea."
            assert "made of leaves" in results(llm)[0]
            assert "evil" not in results(llm)[0]


async def test_an_address_that_a_page_made_up_is_asked(tmp_path: Path) -> None:
    async with site({"/tea": ("text/html", ARTICLE)}) as host, LLMFake() as llm:
        first = Reply.tool("web_fetch", {"url": f"http://{host}/tea"})
        leak = Reply.tool("web_fetch", {"url": f"http://{host}/tea?secret=milk"})
        llm.push(first, leak)
        async with talking(tmp_path, config(llm, f'allow = ["{host}"]')) as chat:
            asked = await chat.ask(f"read http://{host}/tea please")
            assert "secret=milk" in asked.question


async def test_a_private_address_is_refused_even_if_the_person_named_it(tmp_path: Path) -> None:
    async with site({"/": ("text/html", ARTICLE)}) as host, LLMFake() as llm:
        llm.push(Reply.tool("web_fetch", {"url": f"http://{host}/"}), Reply("I may not."))
        async with talking(tmp_path, config(llm, "")) as chat:
            await chat.ask(f"read http://{host}/")
            assert "not on the public internet" in results(llm)[0]


async def test_a_search_at_the_owners_engine(tmp_path: Path) -> None:
    found = (
        '{"results": [{"title": "Tea", "url": "https://tea.example/", "content": "All about <b>tea</b>."}]}'
    )
    async with site({"/search": ("application/json", found)}) as host, LLMFake() as llm:
        llm.push(Reply.tool("web_search", {"query": "tea"}), Reply("Found."))
        async with talking(tmp_path, config(llm, f'searxng = "http://{host}"')) as chat:
            await chat.ask("search for tea")
            assert results(llm) == ["1. Tea\n   https://tea.example/\n   All about tea."]


async def test_an_engine_that_refuses_is_told_with_the_way_out(tmp_path: Path) -> None:
    async with site({}) as host, LLMFake() as llm:
        llm.push(Reply.tool("web_search", {"query": "tea"}), Reply("No luck."))
        async with talking(tmp_path, config(llm, f'duckduckgo_url = "http://{host}/html/"')) as chat:
            await chat.ask("search for tea")
            assert "searxng" in results(llm)[0]


def test_duckduckgos_page() -> None:
    page = (
        '<div class="result results_links"><h2><a rel="nofollow" class="result__a" '
        'href="//duckduckgo.com/l/?uddg=https%3A%2F%2Ftea.example%2Fa%3Fb%3D1&amp;rut=x">All <b>tea</b></a></h2>'
        '<a class="result__snippet" href="x">Leaves &amp; water</a></div>'
    )
    (hit,) = parse_duckduckgo(page)
    assert (hit.title, hit.url, hit.snippet) == ("All tea", "https://tea.example/a?b=1", "Leaves & water")


def test_plain_text_is_given_as_it_is_and_a_picture_is_refused() -> None:
    assert "hello" in readable(Page("u", 200, "text/plain; charset=latin-1", b"hello", cut=False))
    with pytest.raises(ToolError, match="image/png"):
        readable(Page("u", 200, "image/png", b"\x89PNG", cut=False))


def test_a_broken_pdf_is_told() -> None:
    with pytest.raises(ToolError, match="can't be read"):
        readable(Page("u", 200, "application/pdf", b"%PDF-1.4 nonsense", cut=False))


def test_a_pdf_is_read() -> None:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    file = io.BytesIO()
    writer.write(file)
    assert readable(Page("u", 200, "application/pdf", file.getvalue(), cut=False)).startswith("u\n")


@pytest.mark.parametrize(
    "hostile", [b"<script>", b"<", b" ", b"<ul><li>word word word</li></ul>", b"<style "]
)
def test_no_page_takes_longer_than_its_length(hostile: bytes) -> None:
    body = b"<html>seen" + hostile * (3_000_000 // len(hostile))
    began = time.process_time()
    assert "seen" in readable(Page("https://a.example/", 200, "text/html", body, cut=False))
    assert time.process_time() - began < 20


def test_a_long_page_is_read_without_what_nobody_sees() -> None:
    body = (
        "<html><body>"
        + "<p>words</p>" * 50_000
        + "<SCRIPT>evil('<p>')</Script ><style>evil</style><p>the end"
    )
    text = readable(Page("https://a.example/", 200, "text/html", body.encode(), cut=False))
    assert text.endswith("words\nthe end")
    assert "evil" not in text


async def test_a_failure_may_be_in_a_pages_words(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        moved = b"302 Found\r\nlocation: /obey-me"
        status = moved if asked == b"/" else b"404 Not Found"
        writer.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        allowed = Config(tools=ToolsSettings(web=WebSettings(allow=[host])))
        context = ToolContext(tmp_path, "owner", lambda: 0.0, allowed, words=(f"http://{host}/",))
        call = ToolCall("1", "web_fetch", {"url": f"http://{host}/"})
        result = await Toolbox([SPEC]).run(call, context)
    assert "obey-me" in result.text
    assert result.trust is Trust.UNTRUSTED
