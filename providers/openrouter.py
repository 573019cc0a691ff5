"""OpenRouter's own interface beside chat: its list of models, what a key may do, and signing in without a key.

Signing in is OAuth's authorization code with PKCE (RFC 7636), for which OpenRouter asks for no client id:
https://openrouter.ai/docs/use-cases/oauth-pkce
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from providers import catalogue, quota
from providers.endpoint import Endpoint
from providers.errors import Malformed
from providers.quota import FreeCalls
from providers.settings import ProviderSettings

KEY_LABEL = "nanobot"
CODE_VALID = 600.0
"""Seconds for which the code that a person brings back can be exchanged, once."""
_METHOD = "S256"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A list of models as `catalogue.keep` keeps it, and its ETag."""

    models: list[dict[str, Any]]
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Pkce:
    """One sign-in: the secret stays here, its challenge goes to the browser."""

    verifier: str

    @classmethod
    def new(cls) -> Pkce:
        return cls(secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """RFC 7636, section 4.2: BASE64URL(SHA256(ASCII(verifier))), without padding."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def sign_in_url(api_base: str, pkce: Pkce, callback_url: str = "") -> str:
    """Where a person signs in. Without a callback the page shows a code to paste."""
    query = {"code_challenge": pkce.challenge, "code_challenge_method": _METHOD}
    query |= {"callback_url": callback_url} if callback_url else {"key_label": KEY_LABEL}
    return f"{site(api_base)}/auth?{urlencode(query, quote_via=quote)}"


def site(api_base: str) -> str:
    """The web site that belongs to an API's base address."""
    return api_base.rstrip("/").removesuffix("/v1").removesuffix("/api")


class OpenRouter:
    """One gateway that lists as OpenRouter does. `settings` are completed; their key is shown to that address only.

    Its methods raise `ProviderError`.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = (settings.api_base or "").rstrip("/")
        self._endpoint = Endpoint(settings, transport, clock)

    async def models(self, etag: str = "") -> Fetched | None:
        """Everything on offer; None where the list is still what `etag` stands for.

        A list without one usable entry is an error: it must not replace a good one.
        """
        answer = await self._endpoint.changed(f"{self._base}/models", etag)
        if answer is None:
            return None
        models = catalogue.keep(answer[0])
        if not models:
            raise Malformed("lists no models")
        return Fetched(models, answer[1])

    async def free_calls(self) -> FreeCalls | None:
        """How many calls of free models the key's account made today, of how many. Raises `Denied` for a wrong key."""
        return quota.free_calls(await self._endpoint.json(f"{self._base}/key"))

    async def exchange(self, code: str, pkce: Pkce) -> str:
        """The key for the code that the person brought back."""
        body = {"code": code, "code_verifier": pkce.verifier, "code_challenge_method": _METHOD}
        answer = await self._endpoint.json(f"{self._base}/auth/keys", body)
        key = answer.get("key") if isinstance(answer, Mapping) else None
        if not isinstance(key, str) or not key:
            raise Malformed("gave no key for the code")
        return key

    async def aclose(self) -> None:
        await self._endpoint.aclose()
