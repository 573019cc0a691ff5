"""Files in both directions."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from telegram import Bot
from telegram.error import BadRequest, NetworkError

from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.media import MAX_DOWNLOAD, MAX_UPLOAD

from .conftest import CHAT


async def test_an_uploaded_document_can_be_downloaded_and_sent_again(tg: TelegramFake, bot: Bot) -> None:
    sent = await bot.send_document(
        CHAT, io.BytesIO(b"%PDF-1.4 \r\n--x--"), filename="a.pdf", caption="<i>see</i>", parse_mode="HTML"
    )
    assert sent.document is not None
    assert (sent.document.file_name, sent.document.mime_type) == ("a.pdf", "application/pdf")
    assert (sent.caption, sent.caption_html) == ("see", "<i>see</i>")
    file = await bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"%PDF-1.4 \r\n--x--"
    again = await bot.send_document(CHAT, sent.document.file_id)
    assert again.document is not None
    assert again.document.file_unique_id == sent.document.file_unique_id
    assert [message.kind for message in tg.chat(CHAT)] == ["document", "document"]


async def test_voice_audio_photo_and_video(tg: TelegramFake, bot: Bot) -> None:
    voice = await bot.send_voice(CHAT, io.BytesIO(b"OggS"), duration=7)
    audio = await bot.send_audio(CHAT, io.BytesIO(b"ID3"), title="Song", filename="song.mp3")
    photo = await bot.send_photo(CHAT, io.BytesIO(b"\x89PNG"))
    video = await bot.send_video(CHAT, io.BytesIO(b"mp4"), duration=3)
    assert voice.voice is not None
    assert (voice.voice.duration, voice.voice.mime_type) == (timedelta(seconds=7), "audio/ogg")
    assert audio.audio is not None
    assert audio.audio.title == "Song"
    assert photo.photo[-1].width > photo.photo[0].width
    assert video.video is not None
    assert [message.kind for message in tg.chat(CHAT)] == ["voice", "audio", "photo", "video"]


async def test_a_persons_voice_message(tg: TelegramFake, bot: Bot) -> None:
    tg.user_sends(CHAT, "voice", b"OggS...", caption="listen")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.voice is not None
    assert update.message.caption == "listen"
    file = await bot.get_file(update.message.voice.file_id)
    assert bytes(await file.download_as_bytearray()) == b"OggS..."


async def test_captions_have_their_own_limit(tg: TelegramFake, bot: Bot) -> None:
    await bot.send_document(CHAT, io.BytesIO(b"x"), caption="c" * 1024)
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await bot.send_document(CHAT, io.BytesIO(b"x"), caption="c" * 1025)


async def test_a_caption_can_be_edited_a_text_not(bot: Bot) -> None:
    sent = await bot.send_document(CHAT, io.BytesIO(b"x"), caption="one")
    edited = await bot.edit_message_caption(CHAT, sent.message_id, caption="two")
    assert not isinstance(edited, bool)
    assert edited.caption == "two"
    with pytest.raises(BadRequest, match="There is no text in the message to edit"):
        await bot.edit_message_text("x", CHAT, sent.message_id)


async def test_what_is_too_big_or_empty(tg: TelegramFake, bot: Bot) -> None:
    with pytest.raises(BadRequest, match="File must be non-empty"):
        await bot.send_document(CHAT, io.BytesIO(b""))
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        await bot.send_document(CHAT, b"x" * (MAX_UPLOAD + 1))
    big = tg.world.store_file(b"", "documents", ".bin", size=MAX_DOWNLOAD + 1)
    with pytest.raises(BadRequest, match="File is too big"):
        await bot.get_file(big.file_id)
    lost = tg.world.store_file(b"", "documents", ".bin", size=10)
    with pytest.raises(BadRequest, match="Wrong file_id or the file is temporarily unavailable"):
        await bot.get_file(lost.file_id)
    with pytest.raises(BadRequest, match="Wrong file identifier/http url specified"):
        await bot.send_document(CHAT, "no such id")
