"""HTTP to a provider: the client with its time limits, and httpx's errors translated, here and nowhere else."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import httpx

from providers.errors import (
    CutStream,
    Malformed,
    Misconfigured,
    ProviderError,
    ServerError,
    Stalled,
    Unreachable,
)
from providers.presets import is_local
from providers.settings import ProviderSettings

USER_AGENT = "nanobot"
_HEADERS = MappingProxyType({"User-Agent": USER_AGENT, "Accept": "text/event-stream, application/json"})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds: for the connection, for the first token of an answer, also of a model that thinks before
    it, and between two tokens.
    """

    connect: float
    first_token: float
    first_token_thinking: float
    between_tokens: float

    def first(self, *, thinks: bool) -> float:
        return self.first_token_thinking if thinks else self.first_token


CLOUD = Timeouts(connect=5.0, first_token=60.0, first_token_thinking=120.0, between_tokens=90.0)
LOCAL = Timeouts(connect=2.5, first_token=300.0, first_token_thinking=300.0, between_tokens=180.0)
"""A home machine computes a long prompt for minutes before its first token, and queues requests without a
word. A connection has time for a packet that is lost: it is sent again after a second (RFC 6298, 2.1).
"""

TRANSLATION: tuple[tuple[type[Exception], type[ProviderError], str], ...] = (
    (httpx.ConnectTimeout, Unreachable, "no connection in time"),
    (httpx.PoolTimeout, Unreachable, "all connections are busy"),
    (httpx.WriteTimeout, Unreachable, "took the request too slowly"),
    (httpx.ReadTimeout, Stalled, "sent nothing for too long"),
    (httpx.TimeoutException, Stalled, "took too long"),
    (httpx.ConnectError, Unreachable, "no connection"),
    (httpx.UnsupportedProtocol, Misconfigured, "api_base is no http address"),
    (httpx.InvalidURL, Misconfigured, "api_base is no valid address"),
    (httpx.LocalProtocolError, Misconfigured, "the key or address can't be sent"),
    (httpx.RemoteProtocolError, Unreachable, "hung up"),
    (httpx.ProxyError, Unreachable, "the proxy refused"),
    (httpx.NetworkError, Unreachable, "the connection broke"),
    (httpx.DecodingError, Malformed, "its compression is broken"),
    (httpx.TooManyRedirects, ServerError, "redirects in circles"),
    (httpx.StreamError, CutStream, "its answer can't be read any further"),
    (httpx.TransportError, Unreachable, "the connection failed"),
    (httpx.HTTPError, ServerError, "HTTP failed"),
    (httpx.CookieConflict, ServerError, "sent contradictory cookies"),
)
"""First match wins: the narrower classes stand before those that they belong to."""

FOREIGN: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
)
"""Everything that httpx raises; what to catch around its calls."""

DROPPED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)
"""How a kept-alive connection fails that the server had closed in the meantime."""


def translate(error: Exception, *, streaming: bool = False) -> ProviderError:
    """What one of httpx's errors means. `streaming` says that an answer had begun: then a lost connection cut
    it off.
    """
    if isinstance(error, httpx.ConnectError) and (reason := _certificate_problem(error)):
        return Misconfigured(f"its certificate is not trusted: {reason}")
    kind, text = next(
        ((k, t) for foreign, k, t in TRANSLATION if isinstance(error, foreign)), (ServerError, "failed")
    )
    if streaming and kind is Unreachable:
        kind, text = CutStream, "the connection broke in the middle of the answer"
    reason = _reason(error)
    return kind(f"{text}: {reason}" if reason else text)


def timeouts(settings: ProviderSettings) -> Timeouts:
    """The owner's limits, for the rest those of a local or a cloud provider."""
    usual = LOCAL if settings.api_base and is_local(settings.api_base) else CLOUD
    return Timeouts(
        settings.connect_timeout or usual.connect,
        settings.first_token_timeout or usual.first_token,
        settings.first_token_timeout or usual.first_token_thinking,
        settings.between_tokens_timeout or usual.between_tokens,
    )


def make_client(
    settings: ProviderSettings,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    keep_alive: bool = True,
    auth: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """The connection pool of one provider. Redirects are not followed: an API has none, and the key would go
    along.

    `auth` are the headers that show the key; None: as a bearer, in OpenAI's manner, where there is one.
    Proxies from the environment are used for cloud providers only.
    """
    limits = timeouts(settings)
    return httpx.AsyncClient(
        transport=transport,
        verify=_certificates(settings),
        headers={**_HEADERS, **(_bearer(settings) if auth is None else auth)},
        # The limits on tokens are stricter than `read` and kept by whoever reads the stream: heartbeats reset
        # this one.
        timeout=httpx.Timeout(
            limits.connect, read=max(limits.first_token_thinking, limits.between_tokens) + 5.0, write=30.0
        ),
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=10 if keep_alive else 0),
        follow_redirects=False,
        trust_env=not (settings.api_base and is_local(settings.api_base)),
    )


def _certificates(settings: ProviderSettings) -> ssl.SSLContext:
    """The usual authorities; none at all, which takes no time to load, where nothing is encrypted anyway."""
    if (settings.api_base or "").startswith("http://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context()


def _bearer(settings: ProviderSettings) -> dict[str, str]:
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return {"Authorization": f"Bearer {key}"} if key else {}


def _certificate_problem(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""


def _reason(error: Exception) -> str:
    """httpx's own words where they say something short and harmless."""
    text = str(error).strip().splitlines()
    return text[0][:100] if text and isinstance(error, httpx.ConnectError | httpx.ProxyError) else ""
