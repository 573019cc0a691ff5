"""Events as the library makes them, with all that its protobufs require."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.whatsapp_linked.protos import e2e, events

PHONE, HIDDEN, GROUP = "s.whatsapp.net", "lid", "g.us"
BOT, BOT_HIDDEN = "15550001", "900000000000001"
_numbers = itertools.count(1)


def jid(user: str = "", server: str = PHONE, device: int = 0) -> Any:
    return events().JID(
        User=user, Server=server if user else "", Device=device, RawAgent=0, Integrator=0, IsEmpty=not user
    )


def of_text(text: str) -> Any:
    user, _, server = text.partition("@")
    return jid(user, server or PHONE)


@dataclass(frozen=True, kw_only=True)
class From:
    """Who wrote, and where. `alt` is the same person's other address."""

    writer: str = "4915112345678"
    alt: str = ""
    chat: str = ""
    name: str = "Anna"
    at: float = 1_700_000_000.5
    mine: bool = False
    id: str = field(default_factory=lambda: f"3EB0{next(_numbers):016X}")


def event(message: Any, origin: From | None = None) -> Any:
    """`MessageEv` for a message of `waE2E`."""
    origin = origin or From()
    chat = of_text(origin.chat or origin.writer)
    source = events().MessageSource(
        Chat=chat,
        Sender=of_text(origin.writer),
        IsFromMe=origin.mine,
        IsGroup=chat.Server == GROUP,
        SenderAlt=of_text(origin.alt) if origin.alt else jid(),
        RecipientAlt=jid(),
        BroadcastListOwner=jid(),
    )
    info = events().MessageInfo(
        MessageSource=source,
        ID=origin.id,
        ServerID=0,
        Type="text",
        Pushname=origin.name,
        Timestamp=int(origin.at * 1000),
        Category="",
        Multicast=False,
        MediaType="",
        Edit="",
    )
    flags = dict.fromkeys(
        (
            "IsEphemeral",
            "IsViewOnce",
            "IsViewOnceV2",
            "IsViewOnceV2Extension",
            "IsDocumentWithCaption",
            "IsLottieSticker",
            "IsEdit",
        ),
        False,
    )
    found = events().Message(
        Info=info, Message=message, UnavailableRequestID="", RetryCount=0, Raw=message, **flags
    )
    assert found.IsInitialized(), found.FindInitializationErrors()
    return found


def text(words: str, origin: From | None = None) -> Any:
    return event(e2e().Message(conversation=words), origin)


def extended(words: str, origin: From | None = None, **context: Any) -> Any:
    """A text with circumstances, such as `mentionedJID` or `stanzaID`."""
    inner = e2e().ExtendedTextMessage(text=words, contextInfo=e2e().ContextInfo(**context))
    return event(e2e().Message(extendedTextMessage=inner), origin)


def media(path: str = "/1", size: int = 1000, mime: str = "image/jpeg") -> dict[str, Any]:
    """The fields that every file has."""
    return {
        "URL": f"https://mmg.whatsapp.net{path}",
        "directPath": path,
        "mediaKey": b"k" * 32,
        "fileEncSHA256": b"e" * 32,
        "fileSHA256": b"s" * 32,
        "fileLength": size,
        "mimetype": mime,
    }


def edit(message_id: str, words: str, origin: From | None = None) -> Any:
    """As the library hands it over: out of its `editedMessage`, still a `protocolMessage`."""
    change = e2e().ProtocolMessage(type=14, editedMessage=e2e().Message(conversation=words))
    change.key.ID = message_id
    change.key.fromMe = True
    return event(e2e().Message(protocolMessage=change), origin)


def device() -> Any:
    return events().Device(
        JID=jid(BOT, device=7),
        LID=jid(BOT_HIDDEN, HIDDEN),
        Platform="",
        BussinessName="",
        PushName="nanobot",
        Initialized=True,
    )


def logged_out(reason: int = 2) -> Any:
    return events().LoggedOut(OnConnect=False, Reason=reason)


def paired() -> Any:
    return events().PairStatus(ID=jid(BOT), BusinessName="", Platform="", Status=2, Error="")
