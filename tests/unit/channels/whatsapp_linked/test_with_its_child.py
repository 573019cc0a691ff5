"""Messages both ways through the real child process; only WhatsApp itself is a stand-in."""

from __future__ import annotations

import base64
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from channels.adapters.whatsapp.linked.keeper import Pace
from channels.adapters.whatsapp.linked.spool import Spool
from channels.errors import NotSent, Refused, Unknown
from channels.types import Address, File, Media, Outbound
from tests.fakes.whatsapp_linked import protos
from tests.fakes.whatsapp_linked.messages import From, event, media, text
from tests.fakes.whatsapp_linked.protos import e2e
from tests.unit.channels.whatsapp_linked.running import ANNA, HER_CHAT, HER_JID, Settings, linked, out

pytestmark = protos.needed


async def test_a_message_is_taken_then_its_writer_sees_that_it_was_read(tmp_path: Path) -> None:
    async with linked(tmp_path) as here, here.running():
        here.refusals.append(OSError("disk full"))
        here.wa.say(text("hello", From(id="3EB0A")))
        await here.wa.until(lambda: here.wa.read)

    assert here.texts == ["hello"]
    assert here.wa.read == ["3EB0A"]


async def test_a_message_for_which_the_disk_has_no_room_is_handed_over_all_the_same(tmp_path: Path) -> None:
    with closing(Spool(tmp_path / "spool.db")), closing(sqlite3.connect(tmp_path / "spool.db")) as file:
        file.execute(
            "CREATE TRIGGER full BEFORE INSERT ON arrived BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    async with linked(tmp_path) as here, here.running():
        here.wa.say(text("first"))
        here.wa.say(text("second"))
        await here.wa.until(lambda: here.texts == ["first", "second"])


async def test_the_folder_is_the_owners_alone(tmp_path: Path) -> None:
    async with linked(tmp_path / "deep" / "whatsapp", phone=False) as here, here.running():
        await here.wa.until(lambda: here.told)

    assert stat.S_IMODE(here.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) & 0o077 for file in here.folder.iterdir()} == {0}


async def test_without_a_linked_phone_the_owner_is_told_once_how_to_link_one(tmp_path: Path) -> None:
    async with linked(tmp_path, phone=False, pace=Pace(look=0.05)) as here, here.running():
        await here.wa.until(lambda: here.told)
        assert "nanobot login whatsapp" in here.channel.status.detail
        with pytest.raises(NotSent, match="login whatsapp"):
            await here.channel.send(out(1, "hello"))

    assert len(here.told) == 1
    assert here.wa.connections == 0


async def test_text_goes_out_with_whatsapps_own_marks(tmp_path: Path) -> None:
    async with linked(tmp_path) as here:
        receipt = await here.channel.send(out(1, "**bold** and `code`"))

    (shown,) = here.wa.shown
    assert (shown.text, shown.to, shown.id) == ("*bold* and `code`", HER_JID, receipt.ref)


async def test_a_send_that_is_tried_again_with_a_known_result_is_not_repeated(tmp_path: Path) -> None:
    async with linked(tmp_path) as here:
        first = await here.channel.send(out(7, "hello"))
        again = await here.channel.send(out(7, "🔁 (maybe sent twice)\nhello"))
        other = await here.channel.send(out(8, "hello"))

    assert again == first
    assert other != first
    assert here.wa.texts() == ["hello", "hello"]


async def test_an_answer_is_quoted_where_something_newer_stands_between(tmp_path: Path) -> None:
    async with linked(tmp_path) as here, here.running():
        here.wa.say(text("first", From(id="A1")))
        here.wa.say(text("second", From(id="A2")))
        await here.wa.until(lambda: len(here.taken) == 2)
        await here.channel.send(out(1, "to the second", reply_to="A2"))
        await here.channel.send(out(2, "to the first", reply_to="A1"))

    plain, quoting = (shown.message for shown in here.wa.shown)
    assert plain.conversation == "to the second"
    context = quoting.extendedTextMessage.contextInfo
    assert (context.stanzaID, context.participant) == ("A1", HER_JID)
    assert context.quotedMessage.conversation == "first"


async def test_in_a_group_the_writer_is_quoted_and_reacted_to(tmp_path: Path) -> None:
    group = "120363000000000001@g.us"
    async with linked(tmp_path) as here, here.running():
        here.wa.say(text("hi", From(writer="777@lid", alt=ANNA, chat=group, id="A1")))
        await here.wa.until(lambda: here.taken)
        (message,) = here.taken
        await here.channel.send(Outbound(1, message.address, "hello", reply_to=message.ref))
        await here.channel.acknowledge(message.address, message.ref)
        await here.wa.until(lambda: here.wa.reactions)

    assert message.sender.id == ANNA
    assert here.wa.shown[0].to == group
    assert here.wa.shown[0].message.extendedTextMessage.contextInfo.participant == "777@lid"
    assert here.wa.reactions == [(group, "A1", "👀")]


async def test_groups_can_be_left_out(tmp_path: Path) -> None:
    async with linked(tmp_path, settings=Settings(groups=False)) as here, here.running():
        here.wa.say(text("in a group", From(chat="120363000000000001@g.us")))
        here.wa.say(text("in private", From(id="A1")))
        await here.wa.until(lambda: here.wa.read)

    assert (here.texts, here.wa.read) == (["in private"], ["A1"])
    assert Spool(tmp_path / "spool.db").waiting() == []


async def test_talk_among_others_is_not_shown_as_read(tmp_path: Path) -> None:
    async with linked(tmp_path) as here, here.running():
        here.wa.say(text("lunch?", From(chat="120363000000000001@g.us")))
        here.wa.say(text("hello", From(id="A1")))
        await here.wa.until(lambda: here.wa.read)

    assert (here.texts, here.wa.read) == (["lunch?", "hello"], ["A1"])


async def test_an_edit_replaces_and_one_that_comes_too_late_is_sent_anew(tmp_path: Path) -> None:
    async with linked(tmp_path, settings=Settings(streaming=True)) as here:
        ref = await here.channel.preview(HER_CHAT, "Hel", "")
        await here.channel.preview(HER_CHAT, "Hello", ref)
        assert (await here.channel.send(out(1, "Hello there", ref))).ref == ref
        assert (here.wa.texts(), here.wa.shown[0].edits) == (["Hello there"], 2)

        here.wa.fail("server returned error 479")
        assert (await here.channel.send(out(2, "Later", ref))).ref != ref
    assert here.wa.texts() == ["Hello there", "Later"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("websocket not connected", NotSent),
        ("timed out waiting for message send response", Unknown),
        ("server returned error 463", Refused),
    ],
)
async def test_a_failed_send_counts_as_what_it_is(tmp_path: Path, words: str, kind: type[Exception]) -> None:
    async with linked(tmp_path) as here:
        here.wa.fail(words)
        with pytest.raises(kind):
            await here.channel.send(out(1, "hello"))
        assert (await here.channel.send(out(1, "hello"))).ref

    assert here.wa.texts() == ["hello"]


async def test_no_answer_in_time_leaves_it_unknown(tmp_path: Path) -> None:
    async with linked(tmp_path, pace=Pace(call=0.3)) as here:
        await here.channel.send(out(1, "first"))
        here.wa.mute = True
        with pytest.raises(Unknown):
            await here.channel.send(out(2, "second"))


async def test_a_received_file_is_fetched_by_its_reference_alone(tmp_path: Path) -> None:
    picture = e2e().ImageMessage(caption="look", **media("/photo", 4))
    async with linked(tmp_path / "w") as here, here.running():
        here.wa.files["/photo"] = b"JPEG"
        here.wa.say(event(e2e().Message(imageMessage=picture)))
        await here.wa.until(lambda: here.taken)
        (file,) = here.taken[0].attachments
        await here.channel.fetch(file, tmp_path / "photo.jpg", 1000)
        assert (tmp_path / "photo.jpg").read_bytes() == b"JPEG"
        with pytest.raises(Refused, match="too large"):
            await here.channel.fetch(file, tmp_path / "no.jpg", 3)
        here.wa.files.clear()
        with pytest.raises(Refused, match="no longer"):
            await here.channel.fetch(file, tmp_path / "no.jpg", 1000)
    assert not (tmp_path / "no.jpg").exists()


@pytest.mark.parametrize(
    ("kind", "mime", "holder", "uploaded"),
    [
        (Media.IMAGE, "image/png", "imageMessage", "MediaImage"),
        (Media.IMAGE, "image/webp", "documentMessage", "MediaDocument"),
        (Media.VIDEO, "video/mp4", "videoMessage", "MediaVideo"),
        (Media.FILE, "application/pdf", "documentMessage", "MediaDocument"),
    ],
)
async def test_a_file_goes_out_with_its_caption(
    tmp_path: Path, kind: Media, mime: str, holder: str, uploaded: str
) -> None:
    path = tmp_path / "f.bin"
    path.write_bytes(b"bytes")
    async with linked(tmp_path / "w") as here:
        file = File(path, "f.bin", mime, kind)
        await here.channel.send(Outbound(1, HER_CHAT, "**look**", file=file))

    (shown,) = here.wa.shown
    sent = getattr(shown.message, holder)
    assert (sent.caption, sent.mimetype, sent.fileLength) == ("*look*", mime, 5)
    assert here.wa.uploads[sent.directPath] == (uploaded, b"bytes")


# The head of an Ogg page at position 96,000: two seconds of Opus.
_OGG = b"OggS\x00\x04" + (96_000).to_bytes(8, "little") + b"\x00" * 14


async def test_a_voice_message_says_how_long_it_is_and_its_text_follows(tmp_path: Path) -> None:
    path = tmp_path / "v.ogg"
    path.write_bytes(_OGG)
    async with linked(tmp_path / "w") as here:
        file = File(path, "v.ogg", "audio/ogg", Media.VOICE)
        await here.channel.send(Outbound(1, HER_CHAT, "what I said", file=file))

    voice, words = here.wa.shown
    assert (voice.message.audioMessage.PTT, voice.message.audioMessage.seconds) == (True, 2)
    assert words.text == "what I said"


async def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    async with linked(tmp_path / "w") as here:
        file = File(tmp_path / "no.pdf", "no.pdf", "application/pdf")
        with pytest.raises(Refused, match="can't be read"):
            await here.channel.send(Outbound(1, HER_CHAT, "", file=file))


async def test_a_foreign_reference_is_no_file(tmp_path: Path) -> None:
    from channels.types import Attachment  # noqa: PLC0415

    async with linked(tmp_path / "w") as here:
        for ref in ("", "%%%", base64.b64encode(b"\xff\xff").decode()):
            with pytest.raises(Refused):
                await here.channel.fetch(Attachment(Media.FILE, ref=ref), tmp_path / "f", 10)


async def test_typing_is_shown_now_and_then(tmp_path: Path) -> None:
    async with linked(tmp_path) as here, here.running():
        await here.up()
        for _ in range(3):
            await here.channel.working(Address("whatsapp", ANNA))
        await here.channel.working(Address("whatsapp", "4917000000000"))
        await here.wa.until(lambda: len(here.wa.typing) == 2)

    assert here.wa.typing == [HER_JID, "4917000000000@s.whatsapp.net"]


async def test_an_event_that_makes_no_sense_stops_nothing(tmp_path: Path) -> None:
    odd = text("odd")
    odd.Info.Timestamp = 2**62
    async with linked(tmp_path) as here, here.running():
        here.wa.say(odd)
        here.wa.say(text("fine"))
        await here.wa.until(lambda: here.taken)

    assert here.texts == ["fine"]
