"""Reads an accepted response as it comes: a stream of events, one whole JSON answer, or what turns out to be
neither.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Protocol

import httpx

from providers import failures
from providers.calls import LONGEST_ANSWER
from providers.errors import CutStream, Malformed, ProviderError, Stalled
from providers.http import FOREIGN, translate
from providers.sse import ServerEvent, SSEParser
from providers.types import Completion, ProviderEvent, ReasoningDelta, TextDelta

AFTER_THE_END = 2.0
"""Seconds that a server may take from the reason for the end to the end itself: usage, `[DONE]`, the last
byte.
"""
DRAIN = 0.02
"""Seconds spent on the last byte after the last event, so that the connection can be used again."""


class Assembling(Protocol):
    """What puts the answer of one protocol together, object by object; see `providers.assembly`."""

    finish_reason: str
    """Why the answer ended, in the server's word; "" as long as it goes on."""

    @property
    def begun(self) -> bool: ...

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come."""
        ...

    def add(self, event: Mapping[str, Any]) -> list[TextDelta | ReasoningDelta]: ...

    def progress(self) -> int: ...

    def finish(self) -> tuple[list[TextDelta | ReasoningDelta], Completion]: ...


class Answer:
    """One accepted response on its way into an assembly. Times are the event loop's. `failure` tells what a
    body or event means that is none of an answer.

    Only what belongs to the answer moves the time limit on: comments and empty events don't, however many
    come.
    """

    def __init__(
        self,
        response: httpx.Response,
        assembly: Assembling,
        failure: Callable[[httpx.Response, object], ProviderError],
    ) -> None:
        self._response = response
        self._chunks: AsyncIterator[bytes] = response.aiter_bytes()
        self._assembly = assembly
        self._failure = failure
        self._parser = SSEParser()
        self._broken = 0
        self._ended = False
        self._time = asyncio.get_running_loop().time

    async def events(self, first_by: float, between: float) -> AsyncGenerator[ProviderEvent, None]:
        """Deltas as they come; the assembly is ready to be finished afterwards. Raises `ProviderError`.

        `first_by` is the time for the first token, `between` the most seconds between two.
        """
        by = first_by
        chunk = await self._next(by)
        if chunk is not None and self._is_no_stream(chunk):
            for delta in self._single(await self._whole(chunk, by)):
                yield delta
            return
        done = False
        while not done:
            before = self._assembly.progress()
            done = chunk is None
            for event in self._parse(chunk):
                for delta in self._take(event):
                    yield delta
                if self._ended:
                    await self._drain()
                    return
            if self._assembly.finish_reason:
                by = min(by, self._time() + AFTER_THE_END)
            elif self._assembly.progress() > before:
                by = self._time() + between
            if not done:
                chunk = await self._next(by)
        self._check_end()

    async def _next(self, by: float) -> bytes | None:
        """The next bytes, None at the end. Once the reason for the end has come, any end will do."""
        try:
            async with asyncio.timeout_at(by):
                return await anext(self._chunks, None)
        except TimeoutError:
            error: ProviderError = Stalled(
                "stopped in the middle of its answer" if self._assembly.begun else "no answer in time"
            )
        except FOREIGN as foreign:
            error = translate(foreign, streaming=True)
        if self._assembly.finish_reason:
            return None
        raise error

    def _parse(self, chunk: bytes | None) -> list[ServerEvent]:
        try:
            return self._parser.close() if chunk is None else self._parser.feed(chunk)
        except ValueError as error:
            raise Malformed(str(error)) from None

    def _take(self, event: ServerEvent) -> list[ProviderEvent]:
        if event.data.strip() == "[DONE]":
            self._ended = True
            return []
        try:
            value: object = json.loads(event.data)
        except ValueError:
            if event.event == "error":
                raise self._failure(self._response, event.data.encode()) from None
            self._broken += 1  # one unreadable line is survived; if nothing else comes, it is the reason
            return []
        if not isinstance(value, Mapping):
            return []
        if event.event == "error" or failures.failed(value):
            raise self._failure(self._response, value)
        deltas = self._assembly.add(value)
        self._ended = self._assembly.ended
        return [*deltas]

    def _check_end(self) -> None:
        if self._assembly.finish_reason:
            return
        if self._broken and not self._assembly.begun:
            raise Malformed("its stream can't be read")
        raise CutStream(
            "the stream ended in the middle" if self._assembly.begun else "the stream ended before an answer"
        )

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN):
                while await anext(self._chunks, None) is not None:
                    pass
        except TimeoutError:
            return
        except FOREIGN:
            return  # the answer is complete; only the connection is lost

    # An answer in one piece, although a stream was asked for

    def _is_no_stream(self, chunk: bytes) -> bool:
        start = chunk.lstrip()[:1]
        return "event-stream" not in self._response.headers.get("content-type", "") and start in (
            b"{",
            b"[",
            b"<",
        )

    async def _whole(self, begun: bytes, by: float) -> bytes:
        parts, size = [begun], len(begun)
        while (chunk := await self._next(by)) is not None and size <= LONGEST_ANSWER:
            parts.append(chunk)
            size += len(chunk)
        return b"".join(parts)

    def _single(self, body: bytes) -> list[ProviderEvent]:
        try:
            value: Any = json.loads(body)
        except ValueError:
            raise self._failure(self._response, body) from None
        if not isinstance(value, Mapping) or failures.failed(value):
            raise self._failure(self._response, value)
        return [*self._assembly.add(value)]
