"""Any server that speaks OpenAI's chat protocol: asking it, within its time limits. The format is
`providers.wire`.

Adapters (`providers/adapters/*`) are thin over this class, so that a second kind of the same protocol needs
no copy.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import httpx

from providers import catalogue, local, nanbeige, openai_sound, quota
from providers.assembly import Assembly
from providers.endpoint import Body, Endpoint
from providers.errors import Empty, ProviderError
from providers.ollama import LOADS_WITHIN, PORT, Guard
from providers.presets import is_local, preset_for
from providers.quota import FreeCalls
from providers.settings import ProviderSettings
from providers.sound import Heard, Recording, Spoken, Utterance
from providers.types import ChatRequest, ModelInfo, ProviderEvent, Route
from providers.wire import REASONING, SHORT_IDS, WORD_AFTER_TOOLS, Quirks, encode

_QUIRKS: Mapping[str, Quirks] = MappingProxyType(
    {"deepseek": frozenset({REASONING}), "mistral": frozenset({SHORT_IDS, WORD_AFTER_TOOLS})}
)
"""What all models of a known provider want; the rest is learned from refusals."""


class OpenAIProvider:
    """`settings` are completed (`providers.presets.complete`). `transport` replaces the network, `clock` is
    wall-clock time.
    """

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._base = (settings.api_base or "").rstrip("/")
        preset = preset_for(name, settings)
        quirks = _QUIRKS.get(preset.name, frozenset()) if preset else frozenset()
        self._endpoint = Endpoint(settings, transport, clock, quirks=quirks)
        self._catalogue = preset is not None and preset.catalogue
        self._local = is_local(self._base)
        self._names = settings.names
        ask = self._endpoint.json
        named = name == "ollama" or httpx.URL(self._base).port == PORT
        self._ollama = Guard(ask, partial(ask, within=LOADS_WITHIN), local.root_of(self._base), on=named)

    async def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        """See `providers.base.Provider`. Heartbeats don't move the limits on the first and the next token."""
        if self._local:
            request = nanbeige.suited(model, request)
            await self._ollama.check(model, request)
        answer = self._endpoint.stream(
            f"{self._base}/chat/completions",
            model,
            lambda quirks: encode(model, request, quirks),
            Assembly(tools=bool(request.tools), route=Route(self.name, model)),
            thinks=request.thinks,
        )
        async with aclosing(answer) as events:
            async for event in events:
                yield event

    async def models(self) -> Sequence[ModelInfo]:
        """What the endpoint lists; a local server is asked for windows and tool support too."""
        listed = await self._endpoint.json(f"{self._base}/models")
        if self._catalogue:
            return tuple(entry.info for entry in catalogue.parse(listed))
        if not self._local:
            return local.parse_models(listed)
        self._ollama.on = local.is_ollama(listed)
        return await local.describe(self._endpoint.json, self._base, listed, self._names)

    async def transcribe(self, model: str, recording: Recording) -> Heard:
        """See `providers.base.Transcribes`. Only its answer tells whether a server can."""
        body = await self._sound("transcriptions", *openai_sound.form(model, recording))
        heard = openai_sound.transcript(body.data, body.media_type, recording.seconds)
        return replace(heard, limits=body.limits)

    async def speak(self, model: str, utterance: Utterance) -> Spoken:
        """See `providers.base.Speaks`."""
        body = await self._sound("speech", openai_sound.request(model, utterance), "application/json")
        if not body.data or "json" in body.media_type or body.media_type.startswith("text/"):
            raise Empty("sent no speech")
        return Spoken(body.data, body.media_type, body.limits)

    async def _sound(self, what: str, content: bytes, content_type: str) -> Body:
        try:
            return await self._endpoint.whole(f"{self._base}/audio/{what}", content, content_type)
        except ProviderError as error:
            raise openai_sound.meant(error) from None

    async def free_calls(self) -> FreeCalls | None:
        """What OpenRouter's account has used of today's calls to free models; other servers don't count them."""
        return quota.free_calls(await self._endpoint.json(f"{self._base}/key"))

    async def aclose(self) -> None:
        """Close all connections. May be called twice."""
        await self._endpoint.aclose()
