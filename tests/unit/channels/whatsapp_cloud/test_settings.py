"""[channels.whatsapp], the doctor, and how a person is known."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from channels.adapters.whatsapp import SPEC
from channels.adapters.whatsapp.settings import PERSON, WhatsAppSettings
from channels.base import Examined
from channels.errors import ChannelError
from channels.testing import host
from tests.fakes.whatsapp_cloud import WhatsAppFake
from tests.unit.channels.whatsapp_cloud.scene import scene

CLOUD = {
    "mode": "cloud",
    "phone_number_id": "106540352242922",
    "token": "EAA",
    "app_secret": "s",
    "verify_token": "v",
}


@pytest.mark.parametrize(
    ("given", "known_as"),
    [
        ("+49 151 12345678", "4915112345678"),
        ("0049-151-12345678", "4915112345678"),
        (4915112345678, "4915112345678"),
        ("+1 (650) 555.1234", "16505551234"),
        ("123456789012@lid", "123456789012@lid"),
        ("US.1349183461", "US.1349183461"),
    ],
)
def test_a_person_is_known_by_the_digits_of_the_number(given: Any, known_as: str) -> None:
    assert PERSON.normalise(given) == known_as


@pytest.mark.parametrize(
    "given", ["0151 12345678", "12345", "+49", "anna", True, "٤٩١٥١١٢٣٤٥", "1" * 16, "us.7"]
)
def test_what_is_no_number_is_refused_with_an_example(given: Any) -> None:
    with pytest.raises(ValueError, match="country code"):
        PERSON.normalise(given)


@pytest.mark.parametrize("missing", ["phone_number_id", "token", "app_secret", "verify_token"])
def test_the_cloud_needs_all_of_its_keys(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        WhatsAppSettings.model_validate({key: value for key, value in CLOUD.items() if key != missing})
    assert WhatsAppSettings.model_validate({"mode": "linked"}).groups


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "web"},
        {"phone_number_id": "+1 650 555 1234"},
        {"webhook_listen": "8444"},
        {"webhook_listen": "127.0.0.1:99999"},
        {"webhook_path": "whatsapp"},
        {"webhook_path": "/{x}"},
        {"webhook_url": "http://bot.example.org/whatsapp"},
        {"base_url": "graph.facebook.com"},
        {"version": "23"},
        {"template": {"name": "Hello World", "language": "en_US"}},
        {"template": {"name": "hello"}},
        {"strangers": True},
    ],
)
def test_what_can_not_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WhatsAppSettings.model_validate({**CLOUD, **wrong})


def test_secrets_are_not_shown() -> None:
    settings = WhatsAppSettings.model_validate({**CLOUD, "token": "EAAsecret"})
    assert "EAAsecret" not in f"{settings!r}{settings}"


def test_an_address_for_deliveries_may_be_of_the_newer_kind() -> None:
    settings = WhatsAppSettings.model_validate({**CLOUD, "webhook_listen": "[::1]:8444"})
    assert settings.listen == ("::1", 8444)


async def examined(settings: WhatsAppSettings) -> list[Examined]:
    assert SPEC.examine is not None
    return [found async for found in SPEC.examine(settings, host())]


async def test_the_doctor_tries_the_token_and_says_where_deliveries_are_expected() -> None:
    async with WhatsAppFake() as wa:
        number, webhook = await examined(WhatsAppSettings.model_validate(wa.settings()))
        assert (number.level, webhook.level) == ("ok", "warning")
        assert "+1 555-078-3881" in number.text
        wa.token = "another"
        number, _ = await examined(WhatsAppSettings.model_validate(wa.settings()))
        assert number.level == "error"
        assert "business.facebook.com" in number.fix
        wa.token = "EAAtest-token"
        wa.fails(100, path="line")
        number, _ = await examined(WhatsAppSettings.model_validate(wa.settings()))
        assert "phone_number_id" in number.fix
    number, _ = await examined(WhatsAppSettings.model_validate(wa.settings()))
    assert "can't be reached" in number.text


async def test_the_doctor_knocks_at_the_door_as_meta_does() -> None:
    from channels.adapters.whatsapp.cloud.examine import _door  # noqa: PLC0415 -- its public way needs https

    async with scene() as s, httpx.AsyncClient() as http:
        plain = WhatsAppSettings.model_validate(s.wa.settings())
        for url, expected in ((s.wa.hook, "ok"), (s.wa.base_url, "error"), ("http://127.0.0.1:9/", "error")):
            found = await _door(http, plain.model_copy(update={"webhook_url": url}))
            assert found.level == expected
            assert bool(found.fix) == (expected == "error")


async def test_the_cloud_has_nothing_to_link() -> None:
    assert SPEC.login is not None
    with pytest.raises(ChannelError, match="nothing to link"):
        await SPEC.login(WhatsAppSettings.model_validate(CLOUD), host(), print, "")
