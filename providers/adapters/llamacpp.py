"""A model's file on this machine, served with llama.cpp by a process that is started when first asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from providers import gguf, llama, nanbeige
from providers.base import ProviderSpec
from providers.errors import Loading, Misconfigured, UnknownModel
from providers.llama_process import Limits, LlamaProcess
from providers.machine import available_memory, processors, threads
from providers.own_server import OwnServer
from providers.settings import ProviderSettings
from providers.types import ChatRequest, ModelInfo, ProviderEvent

STARTS_WITHIN = 2.0
"""Seconds to wait for it before saying that it is loading."""
SLOWEST_DISK = 20e6
"""Bytes a second; a memory card."""
SLEEP_AFTER = 1800
"""Seconds without a question after which its memory is given back."""
MOST_THREADS = 8


class LlamaCppProvider:
    """See `providers.base.Provider`. `settings.gguf` is an absolute path. Starts nothing before it is asked."""

    def __init__(self, name: str, settings: ProviderSettings, process: LlamaProcess | None = None) -> None:
        self.name = name
        self._file = Path(settings.gguf or "").expanduser()
        self._settings = settings
        self._model = settings.default_model or self._file.stem
        self._own = OwnServer(name, settings, process or self._process())

    async def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Ask it, whatever has to be started for that."""
        if model != self._model:
            raise UnknownModel(f"the model of this file is called {self._model}")
        server = await self._own.running()
        request = nanbeige.suited(self._file.stem, request)
        async with aclosing(server.stream(model, request)) as events:
            async for event in events:
                yield event

    async def models(self) -> Sequence[ModelInfo]:
        """What its server tells, once that runs. Raises `Loading` as long as it doesn't, and leaves it starting."""
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                server = await self._own.running()
        except TimeoutError:
            raise Loading(f"{self._file.name} is being loaded") from None
        return [info for info in await server.models() if info.id == self._model]

    async def aclose(self) -> None:
        """Close the connections and end the process. May be called twice."""
        await self._own.aclose()

    def _process(self) -> LlamaProcess:
        try:
            size = self._file.stat().st_size
        except OSError:
            size = 0  # said when it is wanted
        return LlamaProcess(self._command, self._file.name, limits=Limits(start=60 + size / SLOWEST_DISK))

    def _command(self) -> Sequence[str]:
        """What starts the server now. Raises `Misconfigured` where that can't work."""
        if why := llama.missing():
            raise Misconfigured(why)
        try:
            model = gguf.read(self._file)
        except gguf.NotAModel as error:
            raise Misconfigured(str(error)) from None
        return llama.command(options(self._file, model, self._model, self._settings))


def options(file: Path, model: gguf.Model, name: str, settings: ProviderSettings) -> dict[str, object]:
    """The options of `providers.llama_server` for a model. `NAME.jinja` beside it stands in for its own template."""
    told = settings.model_info.get(name)
    window = told.context_window if told else None
    template = file.with_suffix(".jinja")
    return {
        "--model": file,
        "--name": name,
        "--threads": threads(processors(), MOST_THREADS),
        "--ctx": window or gguf.window_for(model, available_memory()),
        "--sleep": SLEEP_AFTER,
        **({"--template": template} if template.is_file() else {}),
        **(nanbeige.sampling(f"{file.stem} {model.name}")),
    }


SPEC = ProviderSpec("llamacpp", LlamaCppProvider)
