"""Files to people and from them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.adapters.telegram.channel import TelegramChannel
from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.testing import MemoryStore
from channels.types import Address, Attachment, Choice, File, Media, Outbound
from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.media import MAX_DOWNLOAD
from tests.unit.channels.telegram.running import channel_for

ME = Address("telegram", "42")
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
ENOUGH = 1_000_000


@pytest.fixture
async def channel(tg: TelegramFake) -> AsyncIterator[TelegramChannel]:
    tg.add_chat(42)
    channel = channel_for(tg)
    yield channel
    await channel.aclose()


def file(folder: Path, name: str, mime: str, kind: Media, data: bytes = PNG) -> File:
    path = folder / "stored"
    path.write_bytes(data)
    return File(path, name, mime, kind)


def piece(file: File, text: str = "", **more: Any) -> Outbound:
    return Outbound(5, ME, text, file=file, **more)


@pytest.mark.parametrize(
    ("name", "mime", "kind", "shown"),
    [
        ("a.png", "image/png", Media.IMAGE, "photo"),
        ("a.svg", "image/svg+xml", Media.IMAGE, "document"),
        ("a.png", "image/png", Media.FILE, "document"),
        ("a.ogg", "audio/ogg; codecs=opus", Media.VOICE, "voice"),
        ("a.wav", "audio/wav", Media.VOICE, "document"),
        ("a.mp3", "audio/mpeg", Media.AUDIO, "audio"),
        ("a.flac", "audio/flac", Media.AUDIO, "document"),
        ("a.mp4", "video/mp4", Media.VIDEO, "video"),
        ("a.mkv", "video/x-matroska", Media.VIDEO, "document"),
        ("résumé 🚀.pdf", "application/pdf", Media.FILE, "document"),
    ],
)
async def test_each_kind_is_sent_as_what_it_is_if_telegram_takes_it_so(  # noqa: PLR0917 -- fixtures and cases
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path, name: str, mime: str, kind: Media, shown: str
) -> None:
    receipt = await channel.send(piece(file(tmp_path, name, mime, kind), "**See** <this>"))

    (message,) = tg.answers(42)
    assert (message.kind, message.text) == (shown, "See <this>")
    assert message.entities[0]["type"] == "bold"
    assert receipt.ref == str(message.message_id)
    media = message.media[-1] if shown == "photo" else message.media
    assert tg.world.files[media["file_id"]].data == PNG
    if shown == "document":
        assert media["file_name"] == name


async def test_a_picture_that_telegram_refuses_goes_as_a_document(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    await channel.send(piece(file(tmp_path, "a.png", "image/png", Media.IMAGE, b"not a picture"), "see"))

    (message,) = tg.answers(42)
    assert (message.kind, message.text) == ("document", "see")


async def test_a_reader_who_wants_no_voice_messages_gets_a_document(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    tg.faults.error("sendVoice", 400, "Bad Request: VOICE_MESSAGES_FORBIDDEN")
    await channel.send(piece(file(tmp_path, "a.ogg", "audio/ogg", Media.VOICE)))

    assert [message.kind for message in tg.answers(42)] == ["document"]


async def test_a_picture_too_heavy_for_one_goes_as_a_document(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    await channel.send(piece(file(tmp_path, "a.png", "image/png", Media.IMAGE, PNG + bytes(10_000_000))))

    assert [message.kind for message in tg.answers(42)] == ["document"]
    assert not tg.calls("sendPhoto")


async def test_a_caption_that_telegram_can_not_read_goes_plain(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    tg.faults.error("sendPhoto", 400, "Bad Request: can't parse entities: Unsupported start tag")
    await channel.send(piece(file(tmp_path, "a.png", "image/png", Media.IMAGE), "**See**"))

    (message,) = tg.answers(42)
    assert (message.kind, message.text, message.entities) == ("photo", "See", [])


async def test_a_text_too_long_for_a_caption_follows_with_the_buttons(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    choices = (Choice("Yes", "/yes"),)
    picture = file(tmp_path, "a.png", "image/png", Media.IMAGE)
    await channel.send(piece(picture, "x" * 1024, choices=choices))
    await channel.send(piece(picture, "🚀" * 513, choices=choices))

    assert [(message.kind, len(message.text)) for message in tg.answers(42)] == [
        ("photo", 1024),
        ("photo", 0),
        ("text", 513),
    ]
    assert [bool(message.reply_markup) for message in tg.answers(42)] == [True, False, True]


async def test_a_long_text_that_fails_does_not_bring_its_file_twice(tg: TelegramFake, tmp_path: Path) -> None:
    tg.add_chat(42)
    out = piece(file(tmp_path, "a.png", "image/png", Media.IMAGE), "x" * 2000)
    store = MemoryStore()
    for _ in range(2):  # a restart lies between
        channel = channel_for(tg, store=store)
        tg.faults.error("sendMessage", 429, retry_after=3)
        with pytest.raises(NotSent):
            await channel.send(out)
        await channel.aclose()
    channel = channel_for(tg, store=store)
    await channel.send(out)
    await channel.aclose()

    assert [message.kind for message in tg.answers(42)] == ["photo", "text"]
    assert not [key for key in store.values if key.startswith("file")]


async def test_a_file_in_a_topic_answers_there(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    tg.add_topic(-100, 7)
    asked = tg.user_says(-100, "@fake_bot show", thread_id=7).message_id
    out = Outbound(
        1,
        Address("telegram", "-100", "7"),
        "here",
        reply_to=str(asked),
        file=file(tmp_path, "a.png", "image/png", Media.IMAGE),
    )
    await channel.send(out)

    (message,) = tg.answers(-100, 7)
    assert message.reply_to == asked


@pytest.mark.parametrize(
    ("size", "words"), [(0, "is empty"), (51_000_000, "has 51 MB, and Telegram takes at most 50 MB")]
)
async def test_what_can_not_be_sent_is_refused_in_clear_words(
    tg: TelegramFake, tmp_path: Path, size: int, words: str
) -> None:
    channel = channel_for(tg, base_url="https://api.telegram.org/bot")
    large = file(tmp_path, "a.bin", "", Media.FILE, b"")
    with large.path.open("wb") as handle:
        handle.truncate(size)
    with pytest.raises(Refused, match=words):
        await channel.send(piece(large))
    await channel.aclose()


async def test_a_file_that_is_gone_is_refused(channel: TelegramChannel, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="can't be read"):
        await channel.send(piece(File(tmp_path / "gone", "a.txt", "text/plain")))


async def test_what_the_server_finds_too_large_is_refused(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    tg.faults.error("sendDocument", 413)
    with pytest.raises(Refused, match="larger than the server takes"):
        await channel.send(piece(file(tmp_path, "a.bin", "", Media.FILE)))


@pytest.mark.parametrize(
    ("kind", "expected"), [("drop", Unknown), ("html", Unknown), ("flood", NotSent), ("blocked", Refused)]
)
async def test_failures_of_files_count_as_those_of_texts(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path, kind: str, expected: type[DeliveryError]
) -> None:
    if kind == "flood":
        tg.faults.error("sendDocument", 429, retry_after=3)
    elif kind == "blocked":
        tg.refuse(42, "blocked")
    else:
        getattr(tg.faults, kind)("sendDocument")
    with pytest.raises(DeliveryError) as caught:
        await channel.send(piece(file(tmp_path, "a.bin", "", Media.FILE)))
    assert type(caught.value) is expected


def test_limits_are_those_of_the_server(tg: TelegramFake) -> None:
    assert channel_for(tg, base_url="https://api.telegram.org/bot").file_limit == 50_000_000
    assert channel_for(tg).file_limit == 2_000_000_000


# From people


def sent(tg: TelegramFake, data: bytes = PNG * 9000) -> Attachment:
    said = tg.user_sends(42, "document", data, name="a.bin")
    media = tg.world.chats[42].messages[said.message_id].media
    return Attachment(Media.FILE, "a.bin", ref=media["file_id"], size=len(data))


async def test_a_file_is_brought_to_its_place(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    await channel.fetch(sent(tg), tmp_path / "x", ENOUGH)

    assert (tmp_path / "x").read_bytes() == PNG * 9000


async def test_no_more_than_was_asked_for(tg: TelegramFake, channel: TelegramChannel, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"larger than 0\.1 MB"):
        await channel.fetch(sent(tg), tmp_path / "x", 100_000)
    assert (tmp_path / "x").stat().st_size <= 100_000


async def test_what_telegram_finds_too_big_is_explained(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    big = tg.world.store_file(b"", "documents", ".bin", size=MAX_DOWNLOAD + 1)
    with pytest.raises(Refused, match="at most 20 MB"):
        await channel.fetch(Attachment(Media.FILE, ref=big.file_id), tmp_path / "x", ENOUGH)


async def test_what_telegram_no_longer_has_is_refused(channel: TelegramChannel, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no longer has"):
        await channel.fetch(Attachment(Media.FILE, ref="gone"), tmp_path / "x", ENOUGH)


@pytest.mark.parametrize("fault", ["unavailable", "drop", "html", "flood"])
async def test_what_may_work_later_is_tried_later(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path, fault: str
) -> None:
    attachment = sent(tg)
    if fault == "unavailable":
        tg.faults.error("getFile", 400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    elif fault == "flood":
        tg.faults.error("getFile", 429, retry_after=3)
    else:
        getattr(tg.faults, fault)("getFile")
    with pytest.raises(NotSent) as caught:
        await channel.fetch(attachment, tmp_path / "x", ENOUGH)
    assert caught.value.retry_after == (3 if fault == "flood" else None)
    await channel.fetch(attachment, tmp_path / "x", ENOUGH)
    assert (tmp_path / "x").stat().st_size == len(PNG * 9000)


async def test_a_server_with_its_files_on_this_disk(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    tg.media.local = tmp_path / "server"
    tg.media.local.mkdir()
    attachment = sent(tg)
    await channel.fetch(attachment, tmp_path / "x", ENOUGH)
    assert (tmp_path / "x").read_bytes() == PNG * 9000
    with pytest.raises(Refused, match="larger than"):
        await channel.fetch(attachment, tmp_path / "y", 1000)
    assert not list(tmp_path.glob("server/*.part"))


async def test_a_server_with_its_files_out_of_reach_is_explained(
    tg: TelegramFake, channel: TelegramChannel, tmp_path: Path
) -> None:
    attachment = sent(tg)
    tg.world.files[attachment.ref].path = "/var/lib/telegram-bot-api/documents/file_1"
    with pytest.raises(Refused, match="runs with --local"):
        await channel.fetch(attachment, tmp_path / "x", ENOUGH)


async def test_a_server_whose_files_another_program_hands_out(tg: TelegramFake, tmp_path: Path) -> None:
    channel = channel_for(tg, base_file_url=tg.base_file_url)
    attachment = sent(tg)
    tg.world.files[attachment.ref].path = "/var/lib/telegram-bot-api/documents/file_1"
    await channel.fetch(attachment, tmp_path / "x", ENOUGH)
    await channel.aclose()
    assert (tmp_path / "x").stat().st_size == len(PNG * 9000)


async def test_telegrams_own_server_can_not_name_files_of_this_disk(tg: TelegramFake, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    channel = channel_for(tg, base_url="http://api.telegram.org/bot", proxy=tg.url)
    attachment = sent(tg)
    tg.world.files[attachment.ref].path = str(secret)
    await channel.fetch(attachment, tmp_path / "x", ENOUGH)
    await channel.aclose()
    assert (tmp_path / "x").read_bytes() == PNG * 9000, "what the server hands out, not what lies here"


async def test_all_goes_through_the_proxy(tg: TelegramFake, tmp_path: Path) -> None:
    tg.add_chat(42)
    attachment = sent(tg)
    channel = channel_for(tg, base_url="http://telegram.invalid/bot", proxy=tg.url)
    await channel.send(Outbound(1, ME, "hello"))
    await channel.fetch(attachment, tmp_path / "x", ENOUGH)
    await channel.aclose()

    assert [message.text for message in tg.answers(42)] == ["hello"]
    assert (tmp_path / "x").stat().st_size == len(PNG * 9000)
