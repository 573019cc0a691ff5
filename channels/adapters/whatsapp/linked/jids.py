"""WhatsApp's own addresses, and what the rest of the bot calls people and chats by. Pure.

A JID is `user@server`; a device's has `user:device@server`. The servers: `s.whatsapp.net` for phone numbers, `lid` for
people whose number is hidden, `g.us` for groups: https://pkg.go.dev/go.mau.fi/whatsmeow/types#pkg-constants
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PHONE, HIDDEN, GROUP = "s.whatsapp.net", "lid", "g.us"

NumberOf = Callable[[str], str]
"""The phone number (digits) that belongs to a hidden user's number; "" where it is not known."""


@dataclass(frozen=True, slots=True)
class Jid:
    user: str
    server: str

    def __str__(self) -> str:
        return f"{self.user}@{self.server}"

    @classmethod
    def parse(cls, text: str) -> Jid:
        """Of a text, without its device."""
        user, _, server = text.partition("@")
        return cls(user.partition(":")[0].partition(".")[0], server)


@dataclass(frozen=True, slots=True)
class Me:
    """The linked account: its phone number and its hidden number, "" where not known."""

    phone: str = ""
    hidden: str = ""

    def is_(self, jid: Jid) -> bool:
        return bool(jid.user) and jid.user in (self.phone, self.hidden)


def person_id(jid: Jid, other: Jid, number_of: NumberOf) -> str:
    """By what a person is known here: the digits of the phone number, or `<number>@lid` where that is hidden.

    `other` is the same person's second address, where WhatsApp told it.
    """
    for one in (jid, other):
        if one.server == PHONE and one.user:
            return one.user
    for one in (jid, other):
        if one.server == HIDDEN and (number := number_of(one.user)):
            return number
    return str(jid)


def of_chat(chat: str) -> Jid:
    """Where to send what goes to a chat, given as in its `Address`."""
    return Jid.parse(chat) if "@" in chat else Jid(chat, PHONE)


def reference(message_id: str, writer: Jid | None) -> str:
    """A message's reference: in groups its writer is needed too, to react to it or to quote it."""
    return f"{message_id}/{writer}" if writer is not None else message_id


def referred(ref: str, chat: Jid) -> tuple[str, Jid]:
    """A message's id and its writer, of its reference in this chat."""
    message_id, _, writer = ref.partition("/")
    return message_id, Jid.parse(writer) if writer else chat
