"""The library as a linked device: its events to the parent, the parent's orders to it. Runs in the child only."""

from __future__ import annotations

import base64
import binascii
import itertools
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from channels.adapters.whatsapp.linked import compose, events
from channels.adapters.whatsapp.linked.failures import outcome
from channels.adapters.whatsapp.linked.jids import HIDDEN, Jid, Me, of_chat, referred
from channels.adapters.whatsapp.linked.library import Library
from channels.adapters.whatsapp.linked.protocol import (
    Arrived,
    Code,
    Done,
    Failed,
    Fetch,
    Link,
    Order,
    Outcome,
    Pair,
    React,
    Send,
    State,
    Taken,
    Told,
    Typing,
)
from channels.adapters.whatsapp.linked.spool import Origin, Spool
from channels.types import Inbound, Media

log = logging.getLogger(__name__)

_SHOWN_AS = "nanobot"
"""Under Linked devices on the phone."""
_CONNECTION = (
    "PairStatusEv",
    "ConnectedEv",
    "KeepAliveTimeoutEv",
    "KeepAliveRestoredEv",
    "LoggedOutEv",
    "StreamReplacedEv",
    "TemporaryBanEv",
    "ConnectFailureEv",
    "ClientOutdatedEv",
    "StreamErrorEv",
    "DisconnectedEv",
)
_UPLOADED_AS = {
    Media.IMAGE: "MediaImage",
    Media.VIDEO: "MediaVideo",
    Media.VOICE: "MediaAudio",
    Media.AUDIO: "MediaAudio",
    Media.FILE: "MediaDocument",
}
_GROUPS = ("JoinedGroupEv", "GroupInfoEv")
_UNWRITTEN = 2**52
"""From here on numbers are those of messages that the spool doesn't hold; no two processes give the same."""


class _Refused(Exception):
    """An order that can't be carried out, ever."""


class Device:
    """`tell` may be called from any thread. With `linking` a phone may be linked; else that is left alone."""

    def __init__(
        self, library: Library, folder: Path, tell: Callable[[Told], None], *, linking: bool
    ) -> None:
        self._library = library
        self._store = str(folder / "session.db")
        self._tell = tell
        self._linking = linking
        self._spool = Spool(folder / "spool.db")
        self._inbound = TypeAdapter(Inbound)
        self._numbers: dict[str, str] = {}
        self._me = Me()
        self._pairing = ""
        self._coded = False
        self._replayed = False
        self._offering = threading.Lock()
        self._unwritten = itertools.count(_UNWRITTEN + time.time_ns() // 1_000_000)
        self._sending = ThreadPoolExecutor(4, "send")
        self._fetching = ThreadPoolExecutor(2, "fetch")
        self._asides = ThreadPoolExecutor(1, "aside")
        props = library.props(os=_SHOWN_AS, platformType=library.props.CHROME)
        self._client = library.client.NewClient(self._store, props=props, uuid=_SHOWN_AS)
        for kind in _CONNECTION:
            self._client.event(getattr(library.events, kind))(self._on_connection)
        for kind in _GROUPS:
            self._client.event(getattr(library.events, kind))(self._on_group)
        self._client.event(library.events.MessageEv)(self._on_message)
        self._client.event.qr(self._on_qr)

    def begin(self) -> None:
        """Connect; to link, only once a `Pair` comes."""
        if not self._linking:
            self._connect()

    def _is_ready(self) -> bool:
        """Whether the library may be asked anything: before it has said who it is, a call makes its Go part crash."""
        return self._client.me is not None

    def is_up(self) -> bool:
        """Asks the library itself: if it hangs, so does the asker, and that is noticed."""
        return bool(self._is_ready() and self._client.is_connected)

    def obey(self, order: Order) -> None:
        match order:
            case Send():
                self._sending.submit(self._answer, order.call, lambda: self._send(order))
            case Fetch():
                self._fetching.submit(self._answer, order.call, lambda: self._fetch(order))
            case Pair():
                self._pairing = order.number
                self._connect()
            case Taken():
                self._take(order)
            case Typing() if self._is_ready():
                self._aside(lambda: self._typing(order.chat))
            case React() if self._is_ready():
                self._aside(lambda: self._react(order))

    def close(self) -> None:
        self._client.stop()

    # From the library, in its own threads

    def _connect(self) -> None:
        threading.Thread(target=self._connected, name="connect", daemon=True).start()

    def _connected(self) -> None:
        """Hold the connection for as long as the library does."""
        try:
            if not self._linking and not self._library.client.ClientFactory.get_all_devices_from_db(
                self._store
            ):
                self._tell(Link(State.UNLINKED))
                return
            self._client.connect()
        except (self._library.failure, OSError, ValueError) as error:
            state = State.STOPPED if self._client.me is not None else State.UNREACHABLE
            self._tell(Link(state, " ".join(str(error).split())[:160]))
        else:
            self._tell(Link(State.STOPPED, "it ended"))

    def _on_qr(self, _client: Any, code: bytes) -> None:
        if not self._linking:
            self._tell(Link(State.UNLINKED))
        elif not self._pairing:
            self._tell(Code(code.decode()))
        elif not self._coded:
            self._coded = True
            self._aside(self._pair)

    def _pair(self) -> None:
        try:
            self._tell(Code(self._client.PairPhone(self._pairing, show_push_notification=True), typed=True))
        except self._library.failure as error:
            self._tell(Link(State.PAIRING_FAILED, " ".join(str(error).split())[:160]))

    def _on_connection(self, _client: Any, event: Any) -> None:
        found = events.link(event)
        if found is None:
            return
        self._tell(found)
        if found.state is State.CONNECTED:
            with self._offering:
                self._replay()
            self._aside(self._appear)

    def _appear(self) -> None:
        """Typing is shown only of those who are there."""
        self._client.send_presence(self._library.enums.Presence.AVAILABLE)

    def _on_message(self, _client: Any, event: Any) -> None:
        try:
            found = events.inbound(event, self._whoami(), self._number)
        except Exception:
            log.exception("a message can't be read and is left out")
            return
        if found is not None:
            source = event.Info.MessageSource
            chat, writer = (Jid(one.User, one.Server) for one in (source.Chat, source.Sender))
            self._offer(found, Origin(found.key, str(chat), str(writer)))

    def _on_group(self, _client: Any, event: Any) -> None:
        found = events.invitation(event, self._whoami(), self._number, datetime.now(UTC))
        if found is not None:
            self._offer(found, Origin(found.key, "", ""))

    def _offer(self, message: Inbound, origin: Origin) -> None:
        """First onto the disk; WhatsApp's servers have forgotten it or are about to."""
        with self._offering:
            self._replay()
            try:
                seq = self._spool.add(origin, self._inbound.dump_json(message).decode())
            except sqlite3.Error as error:
                log.error("a message can't be written down, so that only the memory has it: %s", error)
                seq = next(self._unwritten)
            if seq:
                self._tell(Arrived(seq, message))

    def _replay(self) -> None:
        """Before anything new, what an earlier process left; not sooner, since taking it makes calls."""
        if not self._replayed:
            self._replayed = True
            for seq, message in self._spool.waiting():
                self._tell(Arrived(seq, self._inbound.validate_json(message)))

    def _whoami(self) -> Me:
        """The hidden number is told some time after the other."""
        me = self._client.me
        if me is not None and not (self._me.phone and self._me.hidden):
            if not me.LID.User:
                me = self._client.get_me()
            self._me = Me(me.JID.User, me.LID.User)
        return self._me

    def _jid(self, of: Jid) -> Any:
        return compose.jid(self._library.protos, of)

    def _number(self, hidden: str) -> str:
        if hidden not in self._numbers:
            try:
                found = self._client.get_pn_from_lid(self._jid(Jid(hidden, HIDDEN)))
            except self._library.failure:
                return ""
            if not found.User:
                return ""
            self._numbers[hidden] = found.User
        return self._numbers[hidden]

    # Orders

    def _answer(self, call: int, run: Callable[[], str]) -> None:
        """Say what became of a call, whatever that was."""
        if not self._is_ready():
            self._tell(Failed(call, Outcome.NOT_SENT, "not connected to WhatsApp yet"))
            return
        try:
            found: Told = Done(call, run())
        except _Refused as error:
            found = Failed(call, Outcome.REFUSED, str(error))
        except self._library.failure as error:
            found = Failed(call, *outcome(str(error)))
        except Exception as error:
            log.exception("an order failed")
            found = Failed(call, Outcome.UNKNOWN, f"a fault in WhatsApp's process: {type(error).__name__}")
        self._tell(found)

    def _aside(self, run: Callable[[], None]) -> None:
        """What may fail without harm."""
        self._asides.submit(self._tried, run)

    def _tried(self, run: Callable[[], None]) -> None:
        try:
            run()
        except self._library.failure as error:
            log.info("%s", error)
        except Exception:
            log.exception("an aside failed")

    def _send(self, order: Send) -> str:
        if ref := self._spool.sent(order.key):
            return ref
        to = self._jid(of_chat(order.chat))
        if order.edits:
            self._client.edit_message(to, order.edits, self._library.e2e.Message(conversation=order.text))
            return order.edits
        if order.file is not None:
            ref = self._send_file(order, to)
        else:
            message = compose.text_message(self._library.e2e, order.text, order.chat, order.answers)
            ref = str(self._client.send_message(to, message).ID)
        self._spool.remember(order.key, ref)
        return ref

    def _send_file(self, order: Send, to: Any) -> str:
        file = order.file
        assert file is not None  # noqa: S101 -- asked for files only
        try:
            content = Path(file.path).read_bytes()
        except OSError as error:
            raise _Refused(f"the file can't be read: {error.strerror}") from error
        e2e = self._library.e2e
        media = compose.shown_as(file, len(content))
        alone = f"{order.key}/file"
        ref = self._spool.sent(alone)
        if not ref:
            upload = self._client.upload(content, self._library.enums.MediaType[_UPLOADED_AS[media]])
            message = compose.media_message(e2e, media, compose.Loaded(file, content), upload, order.text)
            message = compose.answering(e2e, message, order.chat, order.answers)
            ref = str(self._client.send_message(to, message).ID)
            self._spool.remember(alone, ref)
        if order.text and not compose.has_caption(media):
            self._client.send_message(to, compose.text_message(e2e, order.text, order.chat, None))
        return ref

    def _fetch(self, order: Fetch) -> str:
        try:
            message = self._library.e2e.Message.FromString(base64.b64decode(order.ref, validate=True))
        except (binascii.Error, self._library.unreadable) as error:
            raise _Refused("this is no file of WhatsApp's") from error
        sizes = [value.fileLength for _, value in message.ListFields()]
        if not sizes or sizes[0] > order.most:
            raise _Refused("the file is too large" if sizes else "this is no file of WhatsApp's")
        content = self._client.download_any(message)
        if content is None or len(content) > order.most:
            raise _Refused("the file is too large")
        Path(order.to).write_bytes(content)
        return ""

    def _take(self, order: Taken) -> None:
        origins = self._spool.taken(order.seqs)
        for origin in origins if order.read else ():
            if origin.chat:
                self._aside(lambda origin=origin: self._read(origin))  # type: ignore[misc]

    def _read(self, origin: Origin) -> None:
        chat, writer = (self._jid(Jid.parse(one)) for one in (origin.chat, origin.writer))
        how = self._library.enums.ReceiptType.READ
        self._client.mark_read(origin.key, chat=chat, sender=writer, receipt=how)

    def _typing(self, chat: str) -> None:
        enums = self._library.enums
        state = enums.ChatPresence.CHAT_PRESENCE_COMPOSING
        media = enums.ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT
        self._client.send_chat_presence(self._jid(of_chat(chat)), state, media)

    def _react(self, order: React) -> None:
        chat = of_chat(order.chat)
        message_id, writer = referred(order.ref, chat)
        to = self._jid(chat)
        self._client.send_message(
            to, self._client.build_reaction(to, self._jid(writer), message_id, order.emoji)
        )
