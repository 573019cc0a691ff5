"""PKCE as RFC 7636 has it, and the addresses and requests of a sign-in."""

from __future__ import annotations

import string
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.errors import Denied, Malformed, ProviderError
from providers.openrouter import OpenRouter, Pkce, sign_in_url, site
from providers.settings import ProviderSettings
from tests.fakes.openrouter import MODELS, OpenRouterFake

BASE = "https://openrouter.ai/api/v1"


def settings(fake: OpenRouterFake, key: str = "") -> ProviderSettings:
    return ProviderSettings.model_validate({"api_base": fake.base_url, **({"api_key": key} if key else {})})


def test_the_challenge_is_that_of_the_rfcs_example() -> None:
    # RFC 7636, appendix B
    pkce = Pkce("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert pkce.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_new_verifier_is_long_secret_and_of_allowed_characters() -> None:
    made = {Pkce.new().verifier for _ in range(20)}
    assert len(made) == 20
    for verifier in made:
        assert 43 <= len(verifier) <= 128
        assert set(verifier) <= set(string.ascii_letters + string.digits + "-._~")


def test_the_address_says_where_to_come_back_or_how_to_call_the_key() -> None:
    pkce = Pkce("x" * 43)
    url = urlsplit(sign_in_url(BASE, pkce, "http://localhost:3000/s3cret"))
    assert (url.scheme, url.netloc, url.path) == ("https", "openrouter.ai", "/auth")
    assert parse_qs(url.query) == {
        "callback_url": ["http://localhost:3000/s3cret"],
        "code_challenge": [pkce.challenge],
        "code_challenge_method": ["S256"],
    }
    headless = parse_qs(urlsplit(sign_in_url(BASE, pkce)).query)
    assert "callback_url" not in headless
    assert headless["key_label"] == ["nanobot"]
    assert "x" * 43 not in sign_in_url(BASE, pkce)


@pytest.mark.parametrize("base", [BASE, BASE + "/", "https://openrouter.ai/api", "https://openrouter.ai"])
def test_the_site_of_an_address(base: str) -> None:
    assert site(base) == "https://openrouter.ai"


async def test_a_code_is_exchanged_once_and_only_with_its_verifier() -> None:
    async with OpenRouterFake() as fake:
        gateway = OpenRouter(settings(fake))
        pkce = Pkce.new()
        first, second = fake.wait_for(pkce.challenge), fake.wait_for(pkce.challenge)
        key = await gateway.exchange(first, pkce)
        assert key in fake.accounts
        with pytest.raises(ProviderError):
            await gateway.exchange(first, pkce)
        with pytest.raises(ProviderError):
            await gateway.exchange(second, Pkce.new())
        await gateway.aclose()
        assert all("authorization" not in probe.headers for probe in fake.probes)


async def test_a_key_tells_the_days_free_calls_and_a_wrong_one_is_denied() -> None:
    async with OpenRouterFake(key="sk-or-v1-good") as fake:
        fake.accounts["sk-or-v1-good"].used = 3
        good, bad = OpenRouter(settings(fake, "sk-or-v1-good")), OpenRouter(settings(fake, "sk-or-v1-bad"))
        calls = await good.free_calls()
        assert calls is not None
        assert (calls.used, calls.limit) == (3, 50)
        with pytest.raises(Denied):
            await bad.free_calls()
        await good.aclose()
        await bad.aclose()


async def test_a_list_that_did_not_change_is_not_sent_again() -> None:
    async with OpenRouterFake() as fake:
        gateway = OpenRouter(settings(fake))
        first = await gateway.models()
        assert first is not None
        assert len(first.models) == len(MODELS)
        assert await gateway.models(first.etag) is None
        assert (fake.listed, fake.unchanged) == (1, 1)
        fake.models.pop()
        changed = await gateway.models(first.etag)
        assert changed is not None
        assert changed.etag != first.etag
        fake.models.clear()
        with pytest.raises(Malformed):
            await gateway.models(first.etag)
        await gateway.aclose()
