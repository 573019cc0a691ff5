"""No error of httpx leaks: each class of it has its meaning."""

from __future__ import annotations

import ssl

import httpx
import pytest

from providers import errors, http
from providers.errors import ProviderError
from providers.settings import ProviderSettings

EVERY = [
    value
    for name in httpx.__all__
    if isinstance(value := getattr(httpx, name), type) and issubclass(value, Exception)
]


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("GET", "http://x")
        return kind("status", request=request, response=httpx.Response(500, request=request))
    if issubclass(
        kind, httpx.ResponseNotRead | httpx.RequestNotRead | httpx.StreamClosed | httpx.StreamConsumed
    ):
        return kind()
    return kind("something")


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_is_caught_and_mapped(kind: type[Exception]) -> None:
    assert issubclass(kind, http.FOREIGN)
    assert any(issubclass(kind, foreign) for foreign, _, _ in http.TRANSLATION)
    for streaming in (False, True):
        assert isinstance(http.translate(made(kind), streaming=streaming), ProviderError)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (httpx.ConnectError, errors.Unreachable),
        (httpx.ConnectTimeout, errors.Unreachable),
        (httpx.RemoteProtocolError, errors.Unreachable),
        (httpx.ReadTimeout, errors.Stalled),
        (httpx.UnsupportedProtocol, errors.Misconfigured),
        (httpx.LocalProtocolError, errors.Misconfigured),
    ],
)
def test_what_the_common_ones_mean(kind: type[Exception], expected: type[ProviderError]) -> None:
    assert type(http.translate(made(kind))) is expected


def test_a_connection_lost_in_the_middle_of_an_answer_cut_it_off() -> None:
    assert type(http.translate(httpx.ReadError("x"), streaming=True)) is errors.CutStream


def test_an_untrusted_certificate_is_a_matter_of_set_up() -> None:
    cause = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    cause.verify_message = "self-signed certificate"
    error = httpx.ConnectError("failed")
    error.__cause__ = cause

    translated = http.translate(error)

    assert type(translated) is errors.Misconfigured
    assert "self-signed certificate" in translated.detail


def test_local_servers_get_more_time_to_think_and_less_to_connect() -> None:
    local = http.timeouts(ProviderSettings(api_base="http://127.0.0.1:8080/v1"))
    cloud = http.timeouts(ProviderSettings(api_base="https://api.example.com/v1"))
    own = http.timeouts(ProviderSettings(api_base="https://api.example.com/v1", first_token_timeout=7))
    thinking = [limits.first(thinks=True) for limits in (local, cloud, own)]

    assert (local.connect, local.first_token, local.between_tokens) == (2.5, 300, 180)
    assert (cloud.connect, cloud.first_token, cloud.between_tokens) == (5, 60, 90)
    assert (own.connect, own.first_token) == (5, 7)
    assert thinking == [300, 120, 7]


def test_the_reason_is_told_without_brackets() -> None:
    assert (
        http.translate(httpx.ConnectError("[Errno 111] refused")).detail
        == "no connection: [Errno 111] refused"
    )


async def test_no_key_means_no_authorization_header() -> None:
    async with http.make_client(ProviderSettings(api_base="http://x/v1")) as client:
        assert "authorization" not in client.headers
    with_key = ProviderSettings.model_validate({"api_base": "http://x/v1", "api_key": "abc"})
    async with http.make_client(with_key) as client:
        assert client.headers["authorization"] == "Bearer abc"
