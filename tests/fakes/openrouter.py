"""OpenRouter on loopback: chat as `LLMFake` does it, and around it what makes it OpenRouter.

The list of models with its query and ETag, a key's account with its free calls a day, the sign-in (browser page, code,
exchange by PKCE), free models whose time is over. Shapes after its documentation of November 2026.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.fakes.llm.http11 import Connection, Request, whole
from tests.fakes.llm.peers import Answer, Setup
from tests.fakes.llm.server import LLMFake, bearer

PREFIX = "/api/v1"
_DAY_OVER = (
    "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"
)


def entry(id_: str, window: int | None = 262_144, **changes: Any) -> dict[str, Any]:
    """One model of the list; free if its id says so. `changes` replace whole keys of it."""
    fee = ("0", "0") if id_.endswith(":free") else ("0.0000003", "0.0000025")
    return {
        "id": id_,
        "canonical_slug": id_.removesuffix(":free"),
        "name": id_,
        "created": 1_760_000_000,
        "context_length": window,
        "architecture": {
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {"prompt": fee[0], "completion": fee[1], "request": "0", "image": "0"},
        "top_provider": {"context_length": window, "max_completion_tokens": None, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "temperature", "tools", "tool_choice"],
        "expiration_date": None,
        **changes,
    }


MODELS: tuple[Mapping[str, Any], ...] = (
    entry("nvidia/nemotron-3-super-120b-a12b:free"),
    entry("nvidia/nemotron-3.5-lightning:free", 1_000_000),
    entry("google/gemma-4-31b-it:free"),
    entry("google/gemma-4-26b-a4b-it:free"),
    entry("minimax/minimax-m3.1-flash:free", 1_000_000),
    entry("liquid/lfm-3-1.7b:free"),
    entry("nvidia/nemotron-3.5-content-safety:free"),
    entry("google/gemma-4-31b-it"),
    entry("openrouter/free", 200_000, pricing={"prompt": "0", "completion": "0"}),
    entry("openrouter/auto", 2_000_000, pricing={"prompt": "-1", "completion": "-1"}),
)


@dataclass
class Account:
    """What stands behind one key."""

    used: int = 0
    limit: int = 50


@dataclass
class _Waiting:
    """A code that was given out and not exchanged yet."""

    challenge: str
    key: str = field(default_factory=lambda: f"sk-or-v1-{secrets.token_hex(16)}")


class OpenRouterFake(LLMFake):
    """`key` works from the start; signing in makes more. `ended` maps free ids to the code of their 404."""

    def __init__(self, models: Sequence[Mapping[str, Any]] = MODELS, *, key: str = "sk-or-v1-test") -> None:
        ids = tuple(str(model["id"]) for model in models)
        super().__init__(setup=Setup(kind="openrouter", models=ids, prefix=PREFIX, key=key))
        self.models = list(models)
        self.accounts = {key: Account()}
        self.ended: dict[str, str] = {}
        self._waiting: dict[str, _Waiting] = {}
        self.listed = 0
        """How often the list was sent whole."""
        self.unchanged = 0

    def wait_for(self, challenge: str) -> str:
        """A code as the page gives it to somebody who signs in with this challenge."""
        code = secrets.token_urlsafe(16)
        self._waiting[code] = _Waiting(challenge)
        return code

    async def _handle(self, request: Request, connection: Connection) -> None:
        match (request.method, request.path):
            case ("GET", "/api/v1/models"):
                self._record(request, chat=False)
                await connection.write(self._list(request))
            case ("GET", "/auth"):
                self._record(request, chat=False)
                await connection.write(self._page(request))
            case ("GET", "/api/v1/key"):
                self._record(request, chat=False)
                await self._send(connection, self._key(request))
            case ("POST", "/api/v1/auth/keys"):
                self._record(request, chat=False)
                await self._send(connection, self._exchange(request))
            case ("POST", "/api/v1/chat/completions"):
                refusal = self._refused(request)
                if refusal is None:
                    await super()._handle(request, connection)
                    return
                self._record(request, chat=True).outcome = "done"
                await connection.write(refusal)
            case _:
                await super()._handle(request, connection)

    def _list(self, request: Request) -> bytes:
        shown = [m for m in self.models if _wanted(m, request.query)]
        body = json.dumps({"data": shown, "total_count": len(shown), "links": {"next": None}}).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            self.unchanged += 1
            return b"HTTP/1.1 304 Not Modified\r\netag: " + etag.encode() + b"\r\n\r\n"
        self.listed += 1
        return whole(200, "application/json", body, {"etag": etag})

    def _page(self, request: Request) -> bytes:
        """The sign-in page of somebody who says yes at once."""
        code = self.wait_for(request.query["code_challenge"])
        back = request.query.get("callback_url")
        if back is None:
            return whole(200, "text/html", f"<p>Paste this code: <b>{code}</b></p>".encode())
        location = f"{back}{'&' if '?' in back else '?'}{urlencode({'code': code})}"
        return whole(302, "text/html", b"", {"location": location})

    def _exchange(self, request: Request) -> Answer:
        asked = json.loads(request.body)
        waiting = self._waiting.pop(asked.get("code"), None)
        if waiting is None or asked.get("code_challenge_method") != "S256":
            return Answer(403, {"error": {"code": 403, "message": "Invalid code or code_verifier"}})
        digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != waiting.challenge:
            return Answer(403, {"error": {"code": 403, "message": "Invalid code or code_verifier"}})
        self.accounts[waiting.key] = Account()
        return Answer(200, {"key": waiting.key, "user_id": "user_1"})

    def _key(self, request: Request) -> Answer:
        account = self.accounts.get(bearer(request.headers))
        if account is None:
            return Answer(401, {"error": {"message": "Missing Authentication header", "code": 401}})
        data = {
            "label": "sk-or-v1-tes...est",
            "limit": None,
            "limit_remaining": None,
            "usage": 0,
            "is_free_tier": account.limit == 50,
            "free_model_daily_requests": {
                "used": account.used,
                "limit": account.limit,
                "remaining": max(0, account.limit - account.used),
            },
        }
        return Answer(200, {"data": data})

    def _refused(self, request: Request) -> bytes | None:
        """What OpenRouter itself says to a chat request before any model sees it; None where one does."""
        account = self.accounts.get(bearer(request.headers))
        model = str(json.loads(request.body).get("model"))
        if account is None:
            return None
        if code := self.ended.get(model):
            twin = model.removesuffix(":free")
            error = {
                "code": 404,
                "message": f"No endpoints found for {model}."
                if code == "no_endpoints"
                else f"{model} has ended.",
                "availability": {"code": code, "retryable": False, "fallback_models": [twin]},
            }
            return _error(404, error)
        if model.endswith(":free") or model == "openrouter/free":
            account.used += 1  # failed ones count, too
            if account.used > account.limit:
                return self._day_over(account)
        return None

    def _day_over(self, account: Account) -> bytes:
        headers = {
            "X-RateLimit-Limit": str(account.limit),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "1795392000000",
        }
        metadata = {"headers": headers, "limit_source": "openrouter_free_tier_daily"}
        return _error(429, {"code": 429, "message": _DAY_OVER, "metadata": metadata}, headers)

    def _refusal(self, request: Request, recorded: Any, *, chat: bool) -> Answer | None:
        """Any account's key opens what the first one's does."""
        if bearer(request.headers) in self.accounts:
            request = Request(
                request.method,
                request.path,
                request.query,
                {**request.headers, "authorization": f"Bearer {self.setup.key}"},
                request.body,
                request.connection,
            )
        return super()._refusal(request, recorded, chat=chat)


def _wanted(model: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    parameter, modality = query.get("supported_parameters"), query.get("output_modalities")
    return (parameter is None or parameter in model["supported_parameters"]) and (
        modality is None or modality in model["architecture"]["output_modalities"]
    )


def _error(status: int, error: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    body = json.dumps({"error": error, "user_id": "user_1"}).encode()
    return whole(status, "application/json", body, headers)
