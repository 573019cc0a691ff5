"""What can be used although nobody configured it: model servers on this machine, and keys in the environment.

A server is recognised by the shape of what it answers, at addresses of this machine and those that
`OLLAMA_HOST` and `LLAMA_BASE_URL` name. None is sent a key or a prompt here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx

from providers import failures, local
from providers.errors import Loading, Malformed, ProviderError
from providers.http import FOREIGN, translate
from providers.presets import PRESETS
from providers.registry import FoundProvider
from providers.settings import ProviderSettings
from providers.types import ModelInfo

CONNECT_WITHIN = 0.3
PROBE_WITHIN = 1.5
"""Seconds for everything that one server is asked."""

PORTS: Mapping[str, int] = MappingProxyType({"llama": 8080, "ollama": 11434, "lmstudio": 1234, "vllm": 8000})
_TITLES = {"llama": "a llama-server", "ollama": "Ollama", "lmstudio": "LM Studio", "vllm": "vLLM"}


@dataclass(frozen=True, slots=True)
class _Server:
    """A server that answered as one of its kind does."""

    name: str
    root: str
    models: tuple[ModelInfo, ...] = ()
    loading: bool = False


async def probe_local(env: Mapping[str, str], ports: Mapping[str, int] = PORTS) -> list[FoundProvider]:
    """The model servers that answer here, in the order of `ports`, within about `PROBE_WITHIN` seconds.

    One that is still loading its model counts, without models. `ports` maps names of `PORTS` to port numbers.
    """
    limits = httpx.Timeout(PROBE_WITHIN, connect=CONNECT_WITHIN)
    async with httpx.AsyncClient(timeout=limits, trust_env=False, follow_redirects=False) as client:
        ask = _asker(client)
        async with asyncio.TaskGroup() as group:
            probes = [
                group.create_task(_within(_PROBES[name](ask, root)))
                for name, port in ports.items()
                for root in _roots(name, port, env)
            ]
    found: dict[str, FoundProvider] = {}
    for probe in probes:
        server = probe.result()
        if server is not None:
            found.setdefault(server.name, _as_found(server))
    return list(found.values())


def keys_in_environment(env: Mapping[str, str]) -> list[FoundProvider]:
    """The known providers whose key stands in the environment, the strongest first."""
    return list(_keys(env))


def _keys(env: Mapping[str, str]) -> Iterator[FoundProvider]:
    for preset in PRESETS.values():
        variable = next((name for name in preset.env if env.get(name, "").strip()), None)
        if variable is None:
            continue
        settings = ProviderSettings.model_validate({"api_key": env[variable].strip()})
        cheap = f", lighter work by {preset.cheap}" if preset.cheap != preset.strong else ""
        yield FoundProvider(
            preset.name, settings, why=f"{variable} is set: {preset.name} with {preset.strong}{cheap}"
        )


# One kind of server each: what it answers, or None where another program listens there


async def _llama(ask: local.Ask, root: str) -> _Server | None:
    """llama.cpp's server, and whatever else lists its models in OpenAI's manner at its usual port."""
    try:
        await ask(f"{root}/health")
    except Loading:
        return _Server("llama", root, loading=True)
    except ProviderError:
        pass  # the list decides
    return await _openai(ask, root, "llama")


async def _ollama(ask: local.Ask, root: str) -> _Server | None:
    if not isinstance((await ask(f"{root}/api/tags")).get("models"), list):
        return None
    models = await local.ollama(ask, root)
    return _Server("ollama", root, models) if models else None


async def _lm_studio(ask: local.Ask, root: str) -> _Server | None:
    try:
        models = await local.lm_studio(ask, root)
    except ProviderError:
        models = ()
    return _Server("lmstudio", root, models) if models else await _openai(ask, root, "lmstudio")


async def _vllm(ask: local.Ask, root: str) -> _Server | None:
    return await _openai(ask, root, "vllm") if "version" in await ask(f"{root}/version") else None


async def _openai(ask: local.Ask, root: str, name: str) -> _Server | None:
    listed = await ask(f"{root}/v1/models")
    if not isinstance(listed.get("data"), list):
        return None
    models = await local.describe(ask, root, listed)
    return _Server(name, root, models) if models else None


_PROBES: Mapping[str, Callable[[local.Ask, str], Awaitable[_Server | None]]] = MappingProxyType(
    {"llama": _llama, "ollama": _ollama, "lmstudio": _lm_studio, "vllm": _vllm}
)


async def _within(probe: Awaitable[_Server | None]) -> _Server | None:
    try:
        async with asyncio.timeout(PROBE_WITHIN):
            return await probe
    except (TimeoutError, ProviderError):
        return None


def _asker(client: httpx.AsyncClient) -> local.Ask:
    async def ask(url: str, body: Mapping[str, Any] | None = None) -> Any:
        """A JSON object; anything else is no model server's answer."""
        try:
            response = await (client.get(url) if body is None else client.post(url, json=body))
        except FOREIGN as error:
            raise translate(error) from error
        if not response.is_success:
            raise failures.classify(response.status_code, response.headers, response.content, 0.0)
        try:
            value = json.loads(response.content)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Malformed("not an API")
        return value

    return ask


def _roots(name: str, port: int, env: Mapping[str, str]) -> Sequence[str]:
    """Where to look: what the environment says, else this machine."""
    variable = {"llama": "LLAMA_BASE_URL", "ollama": "OLLAMA_HOST"}.get(name, "")
    said = env.get(variable, "").strip()
    if said and (root := _root_of(said, port)):
        return (root,)
    return (f"http://127.0.0.1:{port}", f"http://[::1]:{port}")


def _root_of(said: str, port: int) -> str:
    """A server's root from `host`, `host:port`, `:port` or a URL; "" where it is none of them.

    An address to listen on at all interfaces, as Ollama's own variable may hold, means this machine.
    """
    try:
        parts = urlsplit(said if "://" in said else f"http://{said}")
        host, given = parts.hostname or "127.0.0.1", parts.port
    except ValueError:
        return ""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- not bound to, but replaced
    if given is None:
        given = port if "://" not in said else {"https": 443}.get(parts.scheme, port)
    shown = f"[{host}]" if ":" in host else host
    return local.root_of(f"{parts.scheme}://{shown}:{given}{parts.path}")


def _as_found(server: _Server) -> FoundProvider:
    settings = ProviderSettings(api_base=f"{server.root}/v1")
    where = f"{_TITLES[server.name]} answers at {server.root}"
    if server.loading:
        return FoundProvider(server.name, settings, why=f"{where} and is loading its model", loading=True)
    first = server.models[0]
    window = f" (window of {first.context_window} tokens)" if first.context_window else ""
    return FoundProvider(server.name, settings, server.models, f"{where} with {first.id}{window}")
