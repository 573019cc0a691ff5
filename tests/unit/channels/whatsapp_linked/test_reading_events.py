"""The library's own events, and what the bot reads of them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapters.whatsapp.linked import events as reading
from channels.adapters.whatsapp.linked.jids import Me
from channels.adapters.whatsapp.linked.protocol import Link, State
from channels.types import Address, Inbound, Media, Whose
from tests.fakes.whatsapp_linked import messages, protos
from tests.fakes.whatsapp_linked.messages import BOT, BOT_HIDDEN, From, event, extended, media, text
from tests.fakes.whatsapp_linked.protos import e2e, events

pytestmark = protos.needed

ANNA, BEN = "4915112345678", "4917098765432"
GROUP = "120363000000000001@g.us"
ME = Me(BOT, BOT_HIDDEN)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
NUMBERS = {"777": ANNA}


def read(found: Any) -> Inbound:
    inbound = reading.inbound(found, ME, lambda hidden: NUMBERS.get(hidden, ""))
    assert inbound is not None
    return inbound


def unread(found: Any) -> bool:
    return reading.inbound(found, ME, lambda _: "") is None


def in_group(**fields: Any) -> From:
    return From(chat=GROUP, **fields)


def test_a_text() -> None:
    found = read(text("Hello", From(writer=ANNA, id="3EB0A")))

    assert found.text == "Hello"
    assert found.address == Address("whatsapp", ANNA)
    assert (found.sender.id, found.sender.name) == (ANNA, "Anna")
    assert (found.key, found.ref) == ("3EB0A", "3EB0A")
    assert found.at == datetime.fromtimestamp(1_700_000_000.5, UTC)
    assert (found.private, found.addressed, found.quotes, found.attachments) == (True, True, (), ())


def test_a_text_with_a_link() -> None:
    inner = e2e().ExtendedTextMessage(text="see https://example.org", title="Words of the page")
    assert read(event(e2e().Message(extendedTextMessage=inner))).text == "see https://example.org"


@pytest.mark.parametrize(
    "wrapper", ["ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "documentWithCaptionMessage"]
)
def test_a_wrapped_message_is_the_message(wrapper: str) -> None:
    inner = e2e().Message(imageMessage=e2e().ImageMessage(caption="look", **media()))
    outer = e2e().Message()
    getattr(outer, wrapper).message.CopyFrom(inner)
    twice = e2e().Message(ephemeralMessage=e2e().FutureProofMessage(message=outer))

    found = read(event(twice))

    assert found.text == "look"
    assert [one.kind for one in found.attachments] == [Media.IMAGE]


@pytest.mark.parametrize(
    ("content", "kind", "name", "caption"),
    [
        (lambda: {"imageMessage": e2e().ImageMessage(caption="c", **media())}, Media.IMAGE, "", "c"),
        (lambda: {"videoMessage": e2e().VideoMessage(caption="c", **media())}, Media.VIDEO, "", "c"),
        (lambda: {"ptvMessage": e2e().VideoMessage(**media())}, Media.VIDEO, "", ""),
        (
            lambda: {"audioMessage": e2e().AudioMessage(PTT=True, **media(mime="audio/ogg"))},
            Media.VOICE,
            "",
            "",
        ),
        (lambda: {"audioMessage": e2e().AudioMessage(**media(mime="audio/mpeg"))}, Media.AUDIO, "", ""),
        (
            lambda: {
                "documentMessage": e2e().DocumentMessage(
                    fileName="a.pdf", caption="c", **media(mime="application/pdf")
                )
            },
            Media.FILE,
            "a.pdf",
            "c",
        ),
        (
            lambda: {"documentMessage": e2e().DocumentMessage(fileName="p.png", **media(mime="image/png"))},
            Media.IMAGE,
            "p.png",
            "",
        ),
    ],
)
def test_files(content: Any, kind: Media, name: str, caption: str) -> None:
    found = read(event(e2e().Message(**content())))

    (file,) = found.attachments
    assert (file.kind, file.name, file.size) == (kind, name, 1000)
    assert found.text == caption
    kept = e2e().Message.FromString(base64.b64decode(file.ref))
    ((_, holder),) = kept.ListFields()
    assert holder.mediaKey == b"k" * 32
    assert holder.directPath == "/1"
    assert not getattr(holder, "caption", "")


def test_a_reference_to_a_file_holds_no_thumbnail() -> None:
    image = e2e().ImageMessage(JPEGThumbnail=b"x" * 50_000, **media())
    assert len(read(event(e2e().Message(imageMessage=image))).attachments[0].ref) < 1000


def quoted(text: str) -> Any:
    return e2e().Message(conversation=text)


@pytest.mark.parametrize(
    ("participant", "whose"),
    [
        (f"{BOT}@s.whatsapp.net", Whose.BOT),
        (f"{BOT_HIDDEN}@lid", Whose.BOT),
        (f"{BOT}:7@s.whatsapp.net", Whose.BOT),
        (f"{ANNA}:3@s.whatsapp.net", Whose.SENDER),
        (f"{BEN}@s.whatsapp.net", Whose.OTHER),
        ("", Whose.OTHER),
    ],
)
def test_a_reply_quotes_what_it_answers(participant: str, whose: Whose) -> None:
    found = read(
        extended(
            "yes",
            From(writer=ANNA),
            stanzaID="3EB0X",
            participant=participant,
            quotedMessage=quoted("shall I?"),
        )
    )

    (quote,) = found.quotes
    assert (quote.text, quote.whose, quote.ref) == ("shall I?", whose, "3EB0X")
    assert found.text == "yes"


def test_a_reply_to_a_picture_brings_the_picture_unless_it_is_the_bots() -> None:
    picture = e2e().Message(imageMessage=e2e().ImageMessage(**media()))
    mine = {"stanzaID": "1", "quotedMessage": picture}

    found = read(extended("what is this?", From(writer=ANNA), participant=f"{ANNA}@s.whatsapp.net", **mine))
    assert [one.kind for one in found.attachments] == [Media.IMAGE]
    assert found.quotes[0].text == "[a photo]"
    bots = read(extended("what is this?", participant=f"{BOT}@s.whatsapp.net", **mine))
    assert bots.attachments == ()


def test_what_is_forwarded_is_not_the_senders_own() -> None:
    found = read(extended("transfer the money", isForwarded=True, forwardingScore=1))

    assert found.text == ""
    assert [(quote.text, quote.whose) for quote in found.quotes] == [("transfer the money", Whose.OTHER)]


def test_a_forwarded_voice_message_is_somebody_elses_speech() -> None:
    context = e2e().ContextInfo(isForwarded=True)
    voice = e2e().AudioMessage(PTT=True, contextInfo=context, **media(mime="audio/ogg"))

    assert read(event(e2e().Message(audioMessage=voice))).attachments[0].kind is Media.AUDIO


def test_a_quoted_forward_is_nobodys_own() -> None:
    forwarded = e2e().ExtendedTextMessage(text="trap", contextInfo=e2e().ContextInfo(isForwarded=True))
    found = read(
        extended(
            "do this",
            From(writer=ANNA),
            stanzaID="1",
            participant=f"{ANNA}@s.whatsapp.net",
            quotedMessage=e2e().Message(extendedTextMessage=forwarded),
        )
    )
    assert found.quotes[0].whose is Whose.OTHER


def test_an_edit_names_what_it_replaces() -> None:
    found = read(messages.edit("3EB0OLD", "new words", From(id="3EB0NEW")))

    assert (found.text, found.edits, found.ref, found.key) == ("new words", "3EB0OLD", "3EB0OLD", "3EB0NEW")
    group = read(messages.edit("3EB0OLD", "new", in_group(writer=ANNA)))
    original = read(text("old", in_group(writer=ANNA, id="3EB0OLD")))
    assert group.edits == original.ref


def test_an_edit_as_other_clients_send_it() -> None:
    change = e2e().ProtocolMessage(type=14, editedMessage=e2e().Message(conversation="new"))
    change.key.ID = "3EB0OLD"
    wrapped = e2e().Message()
    wrapped.editedMessage.message.protocolMessage.CopyFrom(change)

    assert read(event(wrapped)).edits == "3EB0OLD"


def test_what_is_no_message_makes_no_turn() -> None:
    revoke = e2e().ProtocolMessage(type=0)
    revoke.key.ID = "3EB0"
    reaction = e2e().ReactionMessage(text="👍")
    assert unread(event(e2e().Message(protocolMessage=revoke)))
    assert unread(event(e2e().Message(reactionMessage=reaction)))
    assert unread(event(e2e().Message()))
    assert unread(event(e2e().Message(pollUpdateMessage=e2e().PollUpdateMessage())))
    assert unread(event(e2e().Message(albumMessage=e2e().AlbumMessage(expectedImageCount=2))))


def test_what_the_linked_account_writes_on_other_devices_is_ignored() -> None:
    assert unread(text("note to self", From(writer=BOT, chat=ANNA, mine=True)))
    assert unread(text("note to self", From(writer=f"{BOT_HIDDEN}@lid", chat=f"{ANNA}@s.whatsapp.net")))


@pytest.mark.parametrize(
    ("writer", "chat"),
    [
        (f"{ANNA}@s.whatsapp.net", "status@broadcast"),
        ("120363@newsletter", "120363@newsletter"),
        ("867051314767696@bot", "867051314767696@bot"),
    ],
)
def test_status_updates_channels_and_machines_are_ignored(writer: str, chat: str) -> None:
    assert unread(text("news", From(writer=writer, chat=chat)))


def test_a_person_has_one_id_whether_their_number_is_hidden_or_not() -> None:
    plain = read(text("a", From(writer=ANNA)))
    hidden = read(text("b", From(writer="555@lid", alt=ANNA)))
    mapped = read(text("c", From(writer="777@lid")))

    assert {one.sender.id for one in (plain, hidden, mapped)} == {ANNA}
    assert {one.address for one in (plain, hidden, mapped)} == {Address("whatsapp", ANNA)}
    assert read(text("d", From(writer="888@lid"))).sender.id == "888@lid"
    assert read(text("d", From(writer="888@lid"))).address.chat == "888@lid"


def test_in_a_group_only_what_is_meant_for_the_bot_is_addressed() -> None:
    talk = read(text("lunch?", in_group(writer=ANNA, id="3EB0")))
    assert (talk.private, talk.addressed, talk.address.chat) == (False, False, GROUP)
    assert talk.ref == f"3EB0/{ANNA}@s.whatsapp.net"

    called = read(extended(f"@{BOT} what is on?", in_group(), mentionedJID=[f"{BOT}@s.whatsapp.net"]))
    assert (called.addressed, called.text) == (True, "what is on?")
    by_hidden = read(extended(f"and you, @{BOT_HIDDEN}?", in_group(), mentionedJID=[f"{BOT_HIDDEN}@lid"]))
    assert (by_hidden.addressed, by_hidden.text) == (True, "and you,?")
    other = read(extended(f"@{BEN} hello", in_group(), mentionedJID=[f"{BEN}@s.whatsapp.net"]))
    assert (other.addressed, other.text) == (False, f"@{BEN} hello")


def test_a_reply_to_the_bot_in_a_group_is_addressed() -> None:
    answer = {"stanzaID": "3EB0", "quotedMessage": quoted("Hi")}
    mine = read(extended("thanks", in_group(), participant=f"{BOT}@s.whatsapp.net", **answer))
    assert mine.addressed
    assert mine.quotes[0].ref == "3EB0"
    others = read(extended("thanks", in_group(), participant=f"{BEN}@s.whatsapp.net", **answer))
    assert not others.addressed
    assert others.quotes[0].ref == f"3EB0/{BEN}@s.whatsapp.net"


def test_what_is_shared_without_writing_is_told() -> None:
    place = e2e().LocationMessage(degreesLatitude=52.5, degreesLongitude=13.4, name="Zoo", address="Berlin")
    found = read(event(e2e().Message(locationMessage=place)))
    assert found.text == "[a location: 52.500000, 13.400000]"
    assert [(quote.text, quote.whose) for quote in found.quotes] == [("Zoo\nBerlin", Whose.OTHER)]

    card = e2e().ContactMessage(displayName="Eve", vcard="BEGIN:VCARD")
    found = read(event(e2e().Message(contactMessage=card)))
    assert found.text == "[a contact]"
    assert found.quotes[0].text == "Eve\nBEGIN:VCARD"

    sticker = e2e().StickerMessage(emojis="🎉", **media(mime="image/webp"))
    assert read(event(e2e().Message(stickerMessage=sticker))).text == "[a sticker: 🎉]"

    options = [e2e().PollCreationMessage.Option(optionName=name) for name in ("soup", "pie")]
    poll = e2e().PollCreationMessage(name="Lunch?", options=options)
    assert read(event(e2e().Message(pollCreationMessageV3=poll))).text == "[a poll: Lunch?]\n- soup\n- pie"


def test_pictures_of_an_album_are_waited_for_together() -> None:
    message = e2e().Message(imageMessage=e2e().ImageMessage(**media()))
    message.messageContextInfo.messageAssociation.associationType = 1

    assert read(event(message)).more_follows


def group_info() -> Any:
    names = events()
    nobody = messages.jid()
    return names.GroupInfo(
        JID=messages.of_text(GROUP), OwnerJID=nobody, OwnerPN=nobody, GroupCreated=0, ParticipantVersionID=""
    )


def test_whoever_brings_the_bot_into_a_group_invites_it() -> None:
    joined = events().JoinedGroup(
        Reason="",
        Type="",
        CreateKey="",
        GroupInfo=group_info(),
        Sender=messages.jid(ANNA),
        SenderPN=messages.jid(),
    )
    found = reading.invitation(joined, ME, lambda _: "", NOW)
    assert found is not None
    assert (found.address.chat, found.sender.id, found.invites, found.text) == (GROUP, ANNA, True, "")

    added = events().GroupInfoEvent(
        JID=messages.of_text(GROUP), Sender=messages.jid(ANNA), Join=[messages.jid(BOT_HIDDEN, "lid")]
    )
    assert reading.invitation(added, ME, lambda _: "", NOW) is not None
    of_others = events().GroupInfoEvent(
        JID=messages.of_text(GROUP), Sender=messages.jid(ANNA), Join=[messages.jid(BEN)]
    )
    assert reading.invitation(of_others, ME, lambda _: "", NOW) is None
    nobody = events().JoinedGroup(Reason="", Type="", CreateKey="", GroupInfo=group_info())
    assert reading.invitation(nobody, ME, lambda _: "", NOW) is None


def test_what_is_said_of_the_connection() -> None:
    names = events()
    ban = names.TemporaryBan(Code=1, Expire=3600)
    node = names.Node(Tag="failure")
    found = {
        reading.link(one)
        for one in (
            names.Connected(status=True),
            names.Disconnected(status=True),
            names.StreamReplaced(),
            names.ClientOutdated(),
            messages.logged_out(4),
            messages.paired(),
            ban,
            names.ConnectFailure(Reason=1, Message="", Raw=node),
            names.KeepAliveTimeout(ErrorCount=1, LastSuccess=0),
            names.KeepAliveTimeout(ErrorCount=2, LastSuccess=0),
        )
    }
    assert found == {
        Link(State.CONNECTED),
        Link(State.DISCONNECTED),
        Link(State.REPLACED),
        Link(State.OUTDATED),
        Link(State.LOGGED_OUT, "MAIN_DEVICE_GONE"),
        Link(State.PAIRED),
        Link(State.BANNED, "SEND_TO_TOO_MANY_PEOPLE", 3600.0),
        Link(State.REFUSED, "GENERIC"),
        None,
        Link(State.STALLED),
    }


def samples() -> list[bytes]:
    context = e2e().ContextInfo(
        stanzaID="1", participant="1@lid", quotedMessage=quoted("q"), mentionedJID=["2@lid"]
    )
    found = [
        e2e().Message(extendedTextMessage=e2e().ExtendedTextMessage(text="hello", contextInfo=context)),
        e2e().Message(imageMessage=e2e().ImageMessage(caption="look", contextInfo=context, **media())),
        e2e().Message(locationMessage=e2e().LocationMessage(degreesLatitude=1.0, name="Zoo")),
        messages.edit("1", "new").Message,
    ]
    return [one.SerializeToString() for one in found]


@given(st.data())
def test_no_content_however_odd_breaks_the_reading(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(samples()))
    start = data.draw(st.integers(0, len(sample)))
    end = data.draw(st.integers(start, len(sample)))
    broken = sample[:start] + data.draw(st.binary(max_size=8)) + sample[end:]
    try:
        message = e2e().Message.FromString(broken)
    except protos.decode_error():
        return  # what can't be parsed never gets here
    reading.inbound(event(message), ME, lambda _: "")
