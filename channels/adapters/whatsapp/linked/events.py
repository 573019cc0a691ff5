"""What the library tells of, in the channel's own words. Pure.

The events: https://pkg.go.dev/go.mau.fi/whatsmeow/types/events. They are told apart by their names, so that the library
need not be imported here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from channels.adapters.whatsapp.linked import content
from channels.adapters.whatsapp.linked.jids import (
    GROUP,
    HIDDEN,
    PHONE,
    Jid,
    Me,
    NumberOf,
    person_id,
    reference,
)
from channels.adapters.whatsapp.linked.protocol import Link, State
from channels.types import Address, Inbound, Quote, Sender, Whose

_EDIT = 14
"""`ProtocolMessage.Type`."""
_STALLED_AFTER = 2
"""Pings in a row without an answer; one may be lost."""
_STATES = {
    "Connected": State.CONNECTED,
    "KeepAliveRestored": State.CONNECTED,
    "Disconnected": State.DISCONNECTED,
    "StreamReplaced": State.REPLACED,
    "ClientOutdated": State.OUTDATED,
}


def link(event: Any) -> Link | None:
    """What an event says of the connection; None where that is nothing."""
    name = event.DESCRIPTOR.name
    if name in _STATES:
        return Link(_STATES[name])
    match name:
        case "LoggedOut" | "ConnectFailure":
            return Link(State.LOGGED_OUT if name == "LoggedOut" else State.REFUSED, _name(event, "Reason"))
        case "TemporaryBan":
            return Link(State.BANNED, _name(event, "Code"), max(0.0, float(event.Expire)))
        case "KeepAliveTimeout":
            return Link(State.STALLED) if event.ErrorCount >= _STALLED_AFTER else None
        case "StreamError":
            return Link(State.DISCONNECTED, event.Code)
        case "PairStatus":
            paired = _name(event, "Status") == "SUCCESS"
            return (
                Link(State.PAIRED) if paired else Link(State.PAIRING_FAILED, event.Error or "no reason given")
            )
        case _:
            return None


def invitation(event: Any, me: Me, number_of: NumberOf, now: datetime) -> Inbound | None:
    """Somebody brought the bot into a group; None for everything else and where nobody says who it was."""
    match event.DESCRIPTOR.name:
        case "JoinedGroup" if event.HasField("Sender"):
            group, second = _jid(event.GroupInfo.JID), _jid(event.SenderPN)
        case "GroupInfoEvent" if event.HasField("Sender") and any(me.is_(_jid(one)) for one in event.Join):
            group, second = _jid(event.JID), Jid("", "")
        case _:
            return None
    inviter = _jid(event.Sender)
    if me.is_(inviter) or inviter.server not in (PHONE, HIDDEN):
        return None
    return Inbound(
        key=f"{group}:invited:{now.timestamp():.0f}",
        address=Address("whatsapp", str(group)),
        sender=Sender(person_id(inviter, second, number_of)),
        text="",
        at=now,
        private=False,
        invites=True,
    )


def inbound(event: Any, me: Me, number_of: NumberOf) -> Inbound | None:
    """A message as the bot reads it; None for what nobody wrote to be read.

    What the linked account itself wrote, here or on another of its devices, is none; neither are status updates,
    channels, reactions and deletions.
    """
    source = event.Info.MessageSource
    chat, writer = _jid(source.Chat), _jid(source.Sender)
    if source.IsFromMe or me.is_(writer) or not event.HasField("Message"):
        return None
    if chat.server not in (PHONE, HIDDEN, GROUP) or writer.server not in (PHONE, HIDDEN):
        return None
    return _Reading(event, me, number_of).inbound()


class _Reading:
    """One message being read."""

    def __init__(self, event: Any, me: Me, number_of: NumberOf) -> None:
        self.info = event.Info
        self.me = me
        source = event.Info.MessageSource
        self.chat, self.writer = _jid(source.Chat), _jid(source.Sender)
        self.group = self.chat.server == GROUP
        self.sender = person_id(self.writer, _jid(source.SenderAlt), number_of)
        self.message, self.edits = self._version(content.unwrapped(event.Message))
        self.context = content.context(self.message)
        self.forwarded = self.context is not None and bool(self.context.isForwarded)

    def _version(self, message: Any) -> tuple[Any, str]:
        """The message, or the new version of an earlier one and that one's reference."""
        if not content.has(message, "protocolMessage"):
            return message, ""
        change = message.protocolMessage
        if change.type != _EDIT or not change.HasField("editedMessage"):
            return type(message)(), ""
        return content.unwrapped(change.editedMessage), self._ref(content.string(change.key.ID))

    def inbound(self) -> Inbound | None:
        written = content.words(self.message)
        attached = content.files(self.message, spoken=not self.forwarded)
        told = content.told(self.message)
        quotes = tuple(self._quotes(written))
        if not (written or attached or told or (quotes and self.forwarded)):
            return None
        text, mentioned = self._without_calls("" if self.forwarded else written)
        return Inbound(
            key=content.string(self.info.ID),
            address=Address("whatsapp", str(self.chat) if self.group else self.sender),
            sender=Sender(self.sender, content.string(self.info.Pushname)),
            text="\n\n".join(filter(None, (text, told))),
            at=datetime.fromtimestamp(self.info.Timestamp / 1000, UTC),
            private=not self.group,
            addressed=not self.group or mentioned or self._answers_bot(),
            more_follows=content.in_album(self.message) and not self.edits,
            ref=self.edits or self._ref(content.string(self.info.ID)),
            attachments=attached + self._answered_files(),
            quotes=quotes,
            edits=self.edits,
        )

    def _ref(self, message_id: str) -> str:
        return reference(message_id, self.writer if self.group else None)

    def _answered(self) -> Any | None:
        """The message that this one answers, where WhatsApp tells it."""
        if self.context is None or not self.context.stanzaID or not self.context.HasField("quotedMessage"):
            return None
        return content.unwrapped(self.context.quotedMessage)

    def _answered_writer(self) -> Jid:
        return (
            Jid.parse(content.string(self.context.participant)) if self.context is not None else Jid("", "")
        )

    def _answers_bot(self) -> bool:
        return (
            self.context is not None and bool(self.context.stanzaID) and self.me.is_(self._answered_writer())
        )

    def _answered_files(self) -> tuple[Any, ...]:
        """The file of the message that this one answers: what "what is this?" asks about."""
        answered = self._answered()
        return () if answered is None or self._answers_bot() else content.files(answered)

    def _quotes(self, written: str) -> Iterator[Quote]:
        answered = self._answered()
        if answered is not None and self.context is not None:
            yield self._answered_quote(answered, self.context)
        if written and self.forwarded:
            yield Quote(written, "a forwarded message")
        yield from content.passed_on(self.message)

    def _answered_quote(self, answered: Any, context: Any) -> Quote:
        text = content.words(answered) or content.told(answered) or content.described(answered)
        writer = self._answered_writer()
        inner = content.context(answered)
        if inner is not None and inner.isForwarded:
            whose, owner = Whose.OTHER, "a forwarded message"
        elif self.me.is_(writer):
            whose, owner = Whose.BOT, "the bot's own message"
        elif writer.user == self.writer.user:
            whose, owner = Whose.SENDER, "their own earlier message"
        else:
            whose, owner = Whose.OTHER, "somebody else's message"
        mine = whose is Whose.BOT or not self.group
        ref = reference(content.string(context.stanzaID), None if mine else writer)
        return Quote(text, f"{owner}, which this answers", whose, ref)

    def _without_calls(self, text: str) -> tuple[str, bool]:
        """The text without the bot's number where it is called by it, and whether it is."""
        mentioned = self.context.mentionedJID if self.context is not None else ()
        called = [Jid.parse(content.string(one)).user for one in mentioned]
        mine = [user for user in called if user and user in (self.me.phone, self.me.hidden)]
        if not mine or not self.group:
            return text, bool(mine)
        names = "|".join(map(re.escape, mine))
        bare = re.sub(rf"^\s*@(?:{names})\b[\s,:]*|\s*@(?:{names})\b", "", text).strip()
        return bare or text, True


def _jid(found: Any) -> Jid:
    return Jid(found.User, found.Server)


def _name(event: Any, field: str) -> str:
    """An enumeration's value in the library's words."""
    values = event.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    value = values.get(getattr(event, field))
    return "" if value is None else str(value.name)
