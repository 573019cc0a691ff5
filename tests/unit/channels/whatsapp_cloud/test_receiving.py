"""The webhook from outside: who is let in, what is answered and when, what is remembered."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from channels.adapters.whatsapp.cloud.channel import CloudChannel, Pace
from channels.adapters.whatsapp.settings import WhatsAppSettings
from channels.testing import host
from channels.types import Address, Media, Whose
from channels.webhook import listening
from tests.fakes import whatsapp_deliveries as made
from tests.fakes.whatsapp_cloud import APP_SECRET, VERIFY_TOKEN, WhatsAppFake
from tests.unit.channels.whatsapp_cloud.scene import ANN, scene

HELLO = made.message(ANN, "wamid.1", "text", {"body": "hello"})


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1158201444"}, 200),
        ({"hub.mode": "subscribe", "hub.verify_token": "wrong", "hub.challenge": "1158201444"}, 403),
        ({"hub.mode": "other", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1158201444"}, 403),
        ({"hub.verify_token": "ö"}, 403),
        ({}, 403),
    ],
)
async def test_the_challenge(asked: dict[str, str], status: int) -> None:
    async with scene() as s, httpx.AsyncClient() as http:
        response = await http.get(s.wa.hook, params=asked)
        assert response.status_code == status
        assert response.text == ("1158201444" if status == 200 else "")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha1=" + made.signature(made.encoded(HELLO), APP_SECRET).removeprefix("sha256="),
        made.signature(made.encoded(HELLO), "another"),
        made.signature(b"other bytes", APP_SECRET),
        made.signature(made.encoded(HELLO), APP_SECRET).upper(),
        "sha256=é",
    ],
    ids=[
        "none",
        "empty",
        "scheme only",
        "other scheme",
        "other secret",
        "other bytes",
        "upper case",
        "not ASCII",
    ],
)
async def test_what_meta_did_not_sign_is_refused_unread(header: str | None) -> None:
    async with scene() as s, httpx.AsyncClient() as http:
        headers = [] if header is None else [(b"X-Hub-Signature-256", header.encode())]
        response = await http.post(s.wa.hook, content=made.encoded(HELLO), headers=headers)
        assert response.status_code == 403
        assert not s.taken
        assert "app_secret" in s.channel.status.notes[0]


async def test_signed_nonsense_is_refused_for_good() -> None:
    async with scene() as s, httpx.AsyncClient() as http:
        for raw in (b"", b"{", b"[" * 100_000):
            headers = {"X-Hub-Signature-256": made.signature(raw, APP_SECRET)}
            assert (await http.post(s.wa.hook, content=raw, headers=headers)).status_code == 400
        for raw in (b"[]", b"null", b'{"object": "page"}'):
            headers = {"X-Hub-Signature-256": made.signature(raw, APP_SECRET)}
            assert (await http.post(s.wa.hook, content=raw, headers=headers)).status_code == 200
        assert s.channel.status.up


async def test_what_can_not_be_stored_is_asked_for_again_and_shown_meanwhile() -> None:
    async with scene() as s:
        s.refusals = [OSError("disk full")]
        s.wa.deliver(HELLO)
        await s.wa.until(lambda: s.wa.answers == [503] and "disk full" in s.channel.status.detail)
        await s.heard()
        assert s.wa.answers == [503, 200]
        assert s.channel.status.up


async def test_two_deliveries_at_once_are_stored_one_after_the_other() -> None:
    async with scene() as s, httpx.AsyncClient() as http:

        async def post(number: int) -> int:
            raw = made.encoded(made.message(ANN, f"wamid.{number}", "text", {"body": str(number)}))
            headers = {"X-Hub-Signature-256": made.signature(raw, APP_SECRET)}
            return (await http.post(s.wa.hook, content=raw, headers=headers)).status_code

        assert set(await asyncio.gather(*map(post, range(10)))) == {200}
        assert {one.text for one in s.taken} == set(map(str, range(10)))


async def test_deliveries_for_another_number_are_noted() -> None:
    async with scene() as s:
        s.wa.deliver(made.delivery(phone_number_id="987654321", messages=[]))
        await s.quiet()
        assert "987654321" in s.channel.status.notes[0]


async def test_a_changed_number_is_told_to_the_owner() -> None:
    system = {"body": "changed", "wa_id": "12195555358", "type": "user_changed_number"}
    body = {"from": ANN, "id": "wamid.1", "timestamp": "1", "type": "system", "system": system}
    async with scene() as s:
        s.wa.deliver(made.delivery(messages=[body]))
        await s.quiet()
        assert not s.taken
        assert "+16505551234 to +12195555358" in s.told[0]


async def test_who_begins_to_hide_the_number_stays_the_same_person() -> None:
    async with scene() as before:
        before.wa.says(ANN, "with number")
        await before.heard()
    async with scene(before.store) as s:
        body = {"from_user_id": made.user_id(ANN), "id": "wamid.2", "timestamp": "1", "type": "text"}
        s.wa.deliver(made.delivery(messages=[{**body, "text": {"body": "without"}}]))
        assert (await s.heard()).sender.id == ANN


async def test_what_was_said_is_known_to_a_reply_after_a_restart() -> None:
    async with scene() as before:
        ref = await before.send("Shall I buy milk?")
        photo = before.wa.sends_file(ANN, "image", b"picture", "image/jpeg", caption="the fridge")
        await before.heard()
    async with scene(before.store) as s:
        s.wa.says(ANN, "yes", context={"from": made.NUMBER, "id": ref})
        s.wa.says(ANN, "what is this?", context={"from": ANN, "id": photo})
        await s.heard(2)
        (first,), (second,) = s.taken[0].quotes, s.taken[1].quotes
        assert (first.text, first.whose, first.ref) == ("Shall I buy milk?", Whose.BOT, ref)
        assert (second.text, second.whose) == ("the fridge", Whose.SENDER)
        assert [one.kind for one in s.taken[1].attachments] == [Media.IMAGE]


async def test_groups_can_be_switched_off() -> None:
    async with scene(groups=False) as s:
        s.wa.says(ANN, "in the group", group_id="Y2FwaV9ncm91cDox")
        s.wa.says(ANN, "alone")
        await s.quiet()
        assert [one.text for one in s.taken] == ["alone"]


async def test_a_sign_of_typing_is_given_for_the_last_message_and_not_too_often() -> None:
    async with scene() as s:
        here = Address("whatsapp", ANN)
        await s.channel.working(here)
        ref = s.wa.says(ANN, "hello")
        await s.heard()
        for _ in range(3):
            await s.channel.working(here)
        s.clock.ahead += 21
        await s.channel.working(here)
        typing = [mark["message_id"] for mark in s.wa.marks if "typing_indicator" in mark]
        assert typing == [ref, ref]


async def test_a_port_that_is_taken_is_told_and_tried_again() -> None:
    told: list[str] = []
    tries = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        tries.set()
        await asyncio.sleep(0.01)

    async def app(*_: object) -> None:
        """Nobody calls."""

    async with WhatsAppFake() as wa:
        async with listening(app) as (_, port):
            settings = WhatsAppSettings.model_validate(wa.settings(webhook_listen=f"127.0.0.1:{port}"))
            channel = CloudChannel(settings, host(told=told), pace=Pace(sleep=sleep))

            async def never(_: object) -> None:
                pytest.fail("nothing comes")

            running = asyncio.create_task(channel.run(never, never))
            await tries.wait()
            assert not channel.status.up
            assert f"webhook_listen = 127.0.0.1:{port}" in channel.status.detail
            assert len(told) == 1
        await wa.until(lambda: channel.status.up)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await channel.aclose()


async def test_a_bad_token_is_noticed_before_anybody_is_answered() -> None:
    told: list[str] = []
    async with WhatsAppFake() as wa:
        wa.token = "another"
        settings = WhatsAppSettings.model_validate(wa.settings())
        channel = CloudChannel(settings, host(told=told), pace=Pace(look_again=0.01))

        async def never(_: object) -> None:
            pytest.fail("nothing comes")

        running = asyncio.create_task(channel.run(never, never))
        await wa.until(lambda: told and channel.listens_at)
        assert "access token" in channel.status.detail
        wa.token = "EAAtest-token"
        await wa.until(lambda: channel.status.up)
        assert len(told) == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await channel.aclose()
