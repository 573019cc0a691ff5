"""The web: reading a page, and asking a search engine. What comes back is other people's words."""

from __future__ import annotations

import asyncio
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import BaseModel, Field

from bot.config import WebSettings
from bot.safety.network import Guard, Page, Refused, fetch
from bot.safety.rules import Trust
from bot.safety.words import stands_in
from bot.storage import contexts
from bot.toolbox import Act, Kit, Output, ToolContext, ToolError, ToolFunction, ToolSpec
from providers.types import ToolCall

_MOST_BYTES = 8 * 1024 * 1024
_SECONDS = 30.0
_HITS = 8
_DUCKDUCKGO = "https://html.duckduckgo.com/html/"
_BRAVE = "https://api.search.brave.com/res/v1/web/search"
_FOREIGN = ("web_fetch", "web_search")
"""Whose results are others' words alone. ("message", of what is kept, is what a person passed on.)"""
_TEXT = re.compile(r"^(text/|application/(json|xml|xhtml|rss|atom|javascript|yaml|toml))")
_LONGEST_MAIN = 500_000
"""Characters of a page in which its main part is looked for: what takes seconds here takes an hour with eight million,
in a thread that nothing ends.
"""
_HIDDEN = re.compile(r"<(script|style|noscript|template)\b", re.IGNORECASE)


class FetchArguments(BaseModel):
    url: str = Field(description="the page's whole address, http or https")


class SearchArguments(BaseModel):
    query: str = Field(min_length=1, description="what to search for")


@dataclass(frozen=True, slots=True)
class Hit:
    title: str
    url: str
    snippet: str


async def fetches(context: ToolContext, arguments: FetchArguments) -> Act:
    """Whether the address was given by the person, a page or a search, or made up by a model."""
    if context.said(arguments.url):
        return Act.FETCH
    for call, result in context.heard:
        if stands_in(arguments.url, (result,)) and await _foreign(context, call):
            return Act.FETCH
    return Act.FETCH_OTHER


async def _foreign(context: ToolContext, call: ToolCall) -> bool:
    """Whether a result names addresses that no model can have put there. Any other tool repeats what it is told."""
    if call.name != "result_read":
        return call.name in _FOREIGN
    handle = str(call.arguments.get("handle", "")).strip()
    kept = await context.desk.database.read(partial(contexts.output, session=context.session, handle=handle))
    return kept is not None and kept.tool in (*_FOREIGN, "message")


async def web_fetch(context: ToolContext, arguments: FetchArguments) -> Output:
    settings = context.config.tools.web
    try:
        page = await fetch(arguments.url, _guard(settings), most_bytes=_MOST_BYTES, seconds=_SECONDS)
    except Refused as error:
        raise ToolError(f"Not fetched: {error}.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ToolError(f"{arguments.url} can't be fetched: {_words(error)}.") from None
    except TimeoutError:
        raise ToolError(f"{arguments.url} took longer than {_SECONDS:.0f} s.") from None
    if page.status >= 400:
        raise ToolError(f"{page.url} answered with status {page.status}.")
    return Output(await asyncio.to_thread(readable, page), Trust.UNTRUSTED)


async def web_search(context: ToolContext, arguments: SearchArguments) -> Output:
    settings = context.config.tools.web
    hits = await search(settings, arguments.query)
    lines = [f"{n}. {hit.title}\n   {hit.url}\n   {hit.snippet}".rstrip() for n, hit in enumerate(hits, 1)]
    return Output("\n".join(lines) or "Nothing was found.", Trust.UNTRUSTED)


def _words(error: Exception) -> str:
    """What an error says; some of httpx's say nothing."""
    return str(error) or type(error).__name__


def _guard(settings: WebSettings) -> Guard:
    return Guard(httpx.AsyncHTTPTransport(), allowed=settings.allow)


def readable(page: Page) -> str:
    """A page as text: of HTML its main part, of a PDF its pages."""
    kind = page.content_type.partition(";")[0].strip().lower()
    if kind == "application/pdf" or page.body.startswith(b"%PDF-"):
        return _cut(page, _pdf(page.body))
    if kind in ("text/html", "application/xhtml+xml") or (not kind and b"<html" in page.body[:2000].lower()):
        return _cut(page, _main_text(page))
    if _TEXT.match(kind) or not kind:
        return _cut(page, _decoded(page))
    raise ToolError(f"{page.url} is {kind}, which can't be read as text.")


def _cut(page: Page, text: str) -> str:
    note = "\n[the page is longer; this is its beginning]" if page.cut else ""
    return f"{page.url}\n\n{text.strip() or '(no text)'}{note}"


def _main_text(page: Page) -> str:
    source = _shown(_decoded(page))
    if len(source) > _LONGEST_MAIN:
        return _bare(source)
    import trafilatura  # noqa: PLC0415 -- takes half a second, and most conversations never need it

    found = trafilatura.extract(source, url=page.url, include_links=True, output_format="markdown")
    return found or _bare(source)


def _bare(source: str) -> str:
    """All text of a page that has no main part, or too long a one to look for it."""
    text = html.unescape(re.sub(r"<[^<>]*>", "\n", source))
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _shown(source: str) -> str:
    """A page without what nobody sees, in time that grows with its length alone, whatever it holds."""
    shown, at = [], 0
    while hidden := _HIDDEN.search(source, at):
        shown.append(source[at : hidden.start()])
        end = re.compile(rf"</{hidden[1]}[^<>]*>?", re.IGNORECASE).search(source, hidden.end())
        at = end.end() if end else len(source)
    return " ".join((*shown, source[at:]))


def _pdf(body: bytes) -> str:
    from pypdf import PdfReader  # noqa: PLC0415 -- as trafilatura
    from pypdf.errors import PyPdfError  # noqa: PLC0415 -- as above

    try:
        return "\n\n".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)
    except (PyPdfError, ValueError, KeyError, RecursionError) as error:
        raise ToolError(f"The PDF can't be read: {error}.") from None


def _decoded(page: Page) -> str:
    named = re.search(r"charset=[\"']?([\w-]+)", page.content_type)
    try:
        return page.body.decode(named[1] if named else "utf-8", errors="replace")
    except LookupError:
        return page.body.decode("utf-8", errors="replace")


async def search(settings: WebSettings, query: str) -> Sequence[Hit]:
    """Ask the engine that the owner configured. Raises ToolError."""
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, headers={"User-Agent": "nanobot"}) as client:
            if settings.searxng:
                url = f"{settings.searxng.rstrip('/')}/search"
                response = await client.get(url, params={"q": query, "format": "json"})
                return _listed(response, "results", "content")
            if settings.brave_key is not None:
                token = {"X-Subscription-Token": settings.brave_key.get_secret_value()}
                response = await client.get(settings.brave_url or _BRAVE, params={"q": query}, headers=token)
                return _listed(response, "web", "description")
            response = await client.post(settings.duckduckgo_url or _DUCKDUCKGO, data={"q": query})
    except httpx.HTTPError as error:
        raise ToolError(f"The search engine can't be reached: {_words(error)}.") from None
    if response.status_code != 200:
        raise ToolError(
            f"DuckDuckGo refuses to answer (status {response.status_code}). The owner may set [tools.web] searxng or "
            "brave_key."
        )
    return parse_duckduckgo(response.text)


def _listed(response: httpx.Response, key: str, snippet: str) -> list[Hit]:
    if response.status_code != 200:
        raise ToolError(f"The search engine answered with status {response.status_code}.")
    try:
        body: Any = response.json()
    except ValueError:
        raise ToolError(
            "The search engine sent no JSON; for SearXNG its settings must allow that format."
        ) from None
    found = body.get(key) if isinstance(body, dict) else None
    entries = found.get("results") if isinstance(found, dict) else found
    return [
        Hit(_plain(one.get("title")), str(one.get("url") or ""), _plain(one.get(snippet)))
        for one in (entries if isinstance(entries, list) else [])[:_HITS]
        if isinstance(one, dict)
    ]


def parse_duckduckgo(page: str) -> list[Hit]:
    """The results of DuckDuckGo's page without scripts; their links lead over a redirect that names the target."""
    hits = []
    for block in re.split(r'<div[^>]+class="[^"]*\bresult\b', page)[1:]:
        link = re.search(r'class="result__a"[^>]*href="([^"]+)"[^>]*>(.*?)</a>', block, re.DOTALL)
        if link is None or "result--ad" in block[:200]:
            continue
        snippet = re.search(r'class="result__snippet"[^>]*>(.*?)</a>', block, re.DOTALL)
        target = html.unescape(link[1])
        wrapped = parse_qs(urlsplit(target).query).get("uddg")
        hits.append(
            Hit(_plain(link[2]), wrapped[0] if wrapped else target, _plain(snippet[1] if snippet else ""))
        )
    return hits[:_HITS]


def _plain(text: object) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", str(text or "")))).strip()


SPEC = ToolSpec(
    name="web",
    functions=(
        ToolFunction(
            "web_fetch",
            "Reads a web page or PDF as text.",
            FetchArguments,
            web_fetch,
            fetches,
            Kit.WORK,
            timeout=_SECONDS + 30,
        ),
        ToolFunction(
            "web_search",
            "Searches the web: titles, addresses and snippets.",
            SearchArguments,
            web_search,
            Act.SEARCH,
            Kit.WORK,
            timeout=_SECONDS + 5,
        ),
    ),
)
