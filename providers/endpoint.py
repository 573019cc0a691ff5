"""One provider's server over HTTP, whatever it speaks: its connections, one request within a time limit, and
failures told as errors of ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from providers import failures, quota
from providers.answer import Answer, Assembling
from providers.errors import (
    BadThoughts,
    NoToolSupport,
    ProviderError,
    ServerError,
    Stalled,
    UnknownParameter,
)
from providers.http import DROPPED, FOREIGN, make_client, timeouts, translate
from providers.settings import ProviderSettings
from providers.types import ProviderEvent, RateWindow
from providers.wire import Quirks

ERROR_BODY = 65_536
LIST_BODY = 16 * 1024 * 1024
LIST_WITHIN = 10.0

_NEEDED = frozenset({"model", "messages", "stream"})
"""Parameters without which there is no request."""


Encode = Callable[[Quirks], Mapping[str, Any]]
"""Makes a request's body, as a model with these quirks takes it."""


@dataclass(frozen=True, slots=True)
class Body:
    """An answer in one piece that is no JSON, or not only."""

    data: bytes
    media_type: str
    limits: tuple[RateWindow, ...]


class Endpoint:
    """One address, one key, one connection pool, which is made on first use.

    `auth` are the headers that show the key, OpenAI's if None. `transport` replaces the network, `clock` is
    wall-clock time. `quirks` are those of all models here; each one's own are learned.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        transport: httpx.AsyncBaseTransport | None,
        clock: Callable[[], float],
        auth: Mapping[str, str] | None = None,
        quirks: Quirks = frozenset(),
    ) -> None:
        self._usual_quirks = quirks
        self._timeouts = timeouts(settings)
        self._settings = settings
        self._auth = auth
        self._transport = transport
        self._clock = clock
        self._pools: dict[bool, httpx.AsyncClient] = {}
        self._kept_alive = False  # whether the pool may ever have held a connection
        self._quirks: dict[str, Quirks] = {}

    async def stream(
        self, url: str, model: str, encode: Encode, assembly: Assembling, *, thinks: bool = False
    ) -> AsyncGenerator[ProviderEvent, None]:
        """One answer of `model` to what `encode` makes, put together by `assembly`: deltas, then its completion.

        Heartbeats don't move the limits on the first and the next token; a model that `thinks` has longer for the
        first. Raises `ProviderError`.
        """
        first_by = asyncio.get_running_loop().time() + self._timeouts.first(thinks=thinks)
        response = await self._ask(url, model, encode, first_by)
        try:
            answer = Answer(response, assembly, self._failure)
            async for delta in answer.events(first_by, self._timeouts.between_tokens):
                yield delta
            self._kept_alive = True
            deltas, completion = assembly.finish()
            for delta in deltas:
                yield delta
            yield replace(completion, limits=quota.read(response.headers, self._clock()))
        finally:
            await response.aclose()

    async def whole(self, url: str, content: bytes, content_type: str) -> Body:
        """All that is answered to a POST of `content`, in the time for a thinker's first token. Raises
        `ProviderError`.
        """
        by = asyncio.get_running_loop().time() + self._timeouts.first(thinks=True)
        response = await self._deliver(url, content, by, {"Content-Type": content_type})
        if not response.is_success:
            raise await self._refusal(response, by)
        data = await self._body(response, by, LIST_BODY)
        media_type = response.headers.get("content-type", "").lower()
        if "json" in media_type and _is_failure(data):
            raise self._failure(response, data)
        return Body(data, media_type, quota.read(response.headers, self._clock()))

    async def json(self, url: str, body: Mapping[str, Any] | None = None, within: float = LIST_WITHIN) -> Any:
        """What `url` answers, as JSON, within so many seconds. Raises `ProviderError`."""
        by = asyncio.get_running_loop().time() + within
        return await self._json(await self._send(url, body, by), by)

    async def changed(self, url: str, etag: str) -> tuple[Any, str] | None:
        """What `url` answers, as JSON, and its new ETag; None where it is still what `etag` stands for.

        Raises `ProviderError`.
        """
        by = asyncio.get_running_loop().time() + LIST_WITHIN
        response = await self._send(url, None, by, {"If-None-Match": etag} if etag else None)
        if etag and response.status_code == 304:
            await self._body(response, by, ERROR_BODY)
            return None
        new = response.headers.get("etag", "")
        return await self._json(response, by), new

    async def _json(self, response: httpx.Response, by: float) -> Any:
        if not response.is_success:
            raise await self._refusal(response, by)
        text = await self._body(response, by, LIST_BODY)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self._failure(response, text) from None

    async def aclose(self) -> None:
        """Close all connections. May be called twice."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    async def _ask(self, url: str, model: str, encode: Encode, by: float) -> httpx.Response:
        """The accepted response to what `encode` makes, not read yet. What this model is known to refuse is not
        sent to it again. Raises `ProviderError`.
        """
        once: Quirks = frozenset()
        while True:
            known = self._quirks.get(model, self._usual_quirks)
            body = encode(known | once)
            response = await self._send(url, body, by)
            if response.is_success:
                return response
            error = await self._refusal(response, by)
            if not isinstance(error, UnknownParameter) or error.parameter in _NEEDED:
                raise error
            if error.parameter == "tools" and "tools" in body:
                raise NoToolSupport(error.detail, status=error.status)
            wider = known | once | {error.parameter}
            if encode(wider) == body:
                raise error
            if isinstance(error, BadThoughts):
                once = wider
            else:
                self._quirks[model] = known | {error.parameter}

    async def _send(
        self, url: str, body: Mapping[str, Any] | None, by: float, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """The response's head, within the time: of a POST, or of a GET without `body`. Raises `ProviderError`."""
        # Half a character, as a model's thoughts may end in one, has no encoding.
        text = "" if body is None else json.dumps(body, ensure_ascii=False, default=str)
        content = None if body is None else text.encode("utf-8", "replace")
        return await self._deliver(url, content, by, headers)

    async def _deliver(
        self, url: str, content: bytes | None, by: float, headers: Mapping[str, str] | None
    ) -> httpx.Response:
        """As `_send`, of bytes."""
        try:
            async with asyncio.timeout_at(by):
                try:
                    return await self._request(url, content, headers)
                except DROPPED:
                    # llama.cpp's server closes a connection after a streamed answer, often only when the next
                    # request is on its way; this one was never looked at.
                    if not self._kept_alive:
                        raise
                    return await self._request(url, content, headers, keep_alive=False)
        except TimeoutError:
            raise Stalled("no answer in time") from None
        except FOREIGN as error:
            raise translate(error) from error

    def _failure(self, response: httpx.Response, body: object) -> ProviderError:
        """What a body or an event means that is none of an answer."""
        key = self._settings.api_key
        secret = key.get_secret_value() if key else ""
        now = self._clock()
        error = failures.classify(response.status_code, response.headers, body, now, secret)
        error.limits = quota.read(response.headers, now)
        return error

    async def _request(
        self, url: str, content: bytes | None, headers: Mapping[str, str] | None, *, keep_alive: bool = True
    ) -> httpx.Response:
        client = self._pools.get(keep_alive)
        if client is None:
            client = self._pools[keep_alive] = make_client(
                self._settings, self._transport, keep_alive=keep_alive, auth=self._auth
            )
        if content is None:
            return await client.send(client.build_request("GET", url, headers=headers), stream=True)
        headers = {"Content-Type": "application/json", **(headers or {})}
        return await client.send(
            client.build_request("POST", url, content=content, headers=headers), stream=True
        )

    async def _refusal(self, response: httpx.Response, by: float) -> ProviderError:
        """The error that a response with an error's status means."""
        body = await self._body(response, by, ERROR_BODY)
        if response.is_redirect:
            return ServerError("not an API: it redirects to another page", status=response.status_code)
        return self._failure(response, body)

    async def _body(self, response: httpx.Response, by: float, limit: int) -> bytes:
        """A body as far as `limit` bytes; the response is closed."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout_at(by):
                async for chunk in response.aiter_bytes():
                    parts.append(chunk)
                    size += len(chunk)
                    if size >= limit:
                        break
            self._kept_alive = True
        except TimeoutError:
            raise Stalled("stopped in the middle of its answer") from None
        except FOREIGN as error:
            raise translate(error, streaming=True) from error
        finally:
            await response.aclose()
        return b"".join(parts)[:limit]


def _is_failure(body: bytes) -> bool:
    """Whether an accepted answer says that it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, Mapping) and failures.failed(value)
