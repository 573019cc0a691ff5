"""`neonize.client` without its Go part: the same names and signatures, spoken to a stand-in for WhatsApp's servers.

Events take the way they take in the library: as bytes, through its own `Event.execute`, in a thread of its own. As
there, a message is confirmed to the servers without asking anybody; here once its handler has returned.
"""

from __future__ import annotations

import base64
import ctypes
import itertools
import json
import os
import queue
import socket
import threading
from pathlib import Path
from typing import Any

from neonize.builder import build_edit
from neonize.events import Event
from neonize.exc import (
    DownloadError,
    GetJIDFromStoreError,
    MarkReadError,
    NeonizeError,
    PairPhoneError,
    SendMessageError,
    SendPresenceError,
    UploadError,
)
from neonize.proto.Neonize_pb2 import JID, Device, SendResponse, UploadResponse
from neonize.proto.waCommon.WACommon_pb2 import MessageKey
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import Message, ReactionMessage
from neonize.utils.enum import (
    ChatPresence,
    ChatPresenceMedia,
    ClientName,
    ClientType,
    MediaType,
    Presence,
    ReceiptType,
)

PORT = "FAKE_WHATSAPP_PORT"
_PAIRED = "paired"
_CALL_SECONDS = 75.0


class ClientFactory:
    @staticmethod
    def get_all_devices_from_db(db: str) -> list[Device]:
        return [_device("15550001")] if _is_linked(db) else []


class NewClient:
    def __init__(
        self,
        name: str,
        jid: JID | None = None,
        props: Any = None,
        uuid: str | None = None,
        new_device: bool = False,
    ) -> None:
        self.name = name
        self.event = Event(self)
        self.qr = self.event.qr
        self.connected = False
        self.me: Device | None = None
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._socket: socket.socket | None = None
        self._writing = threading.Lock()
        self._stopped = threading.Event()

    # The connection

    def connect(self, proxy_settings: Any = None) -> None:
        print("Press Ctrl+C to exit")  # as the library does, on what must not be the protocol's pipe
        os.write(1, b"and so does its Go part\n")
        threading.Thread(target=self._dispatch, daemon=True).start()
        while not self._stopped.is_set():
            self._once(linked=_is_linked(self.name))
            if self._stopped.wait(0.02):
                return

    def _once(self, *, linked: bool) -> None:
        try:
            self._socket = socket.create_connection(("127.0.0.1", int(os.environ[PORT])), 5.0)
        except OSError as error:
            if self.me is None:
                raise NeonizeError("failed to dial whatsapp web websocket") from error
            return
        self._socket.settimeout(None)
        self._write({"op": "hello", "linked": linked})
        with self._socket, self._socket.makefile("rb") as lines:
            for line in lines:
                self._take(json.loads(line))
        self.connected = False

    def _take(self, frame: dict[str, Any]) -> None:
        if "answer" in frame:
            self._answers[frame["answer"]].put(frame)
        else:
            self._events.put(frame)

    def _dispatch(self) -> None:
        while frame := self._events.get():
            if "qr" in frame:
                self.event._qr(self, frame["qr"].encode())
                continue
            if frame.get("was") == _PAIRED:
                Path(self.name).write_text(_PAIRED)
            if frame.get("was") == "logged out":  # the library forgets its session by itself
                Path(self.name).unlink(missing_ok=True)
            data = base64.b64decode(frame["data"])
            held = ctypes.create_string_buffer(data, len(data))
            self.event.execute(0, ctypes.addressof(held), len(data), frame["code"])
            self._write({"op": "ack", "n": frame["n"]})

    def stop(self) -> None:
        self._stopped.set()
        if self._socket is not None:
            self._socket.close()

    @property
    def is_connected(self) -> bool:
        return self.connected

    # Calls

    def send_message(  # noqa: PLR0917 -- the library's own parameters
        self,
        to: JID | str,
        message: Message | str,
        link_preview: bool = False,
        ghost_mentions: str | None = None,
        mentions_are_lids: bool = False,
        add_msg_secret: bool = False,
    ) -> SendResponse:
        assert isinstance(to, JID)
        assert isinstance(message, Message)
        said = {
            "to": f"{to.User}@{to.Server}",
            "data": base64.b64encode(message.SerializeToString()).decode(),
        }
        found = self._call("send", SendMessageError, **said)
        response = SendResponse()
        response.ID = found["id"]
        return response

    def edit_message(self, chat: JID, message_id: str, new_message: Message) -> SendResponse:
        return self.send_message(chat, build_edit(chat, message_id, new_message))

    def build_reaction(self, chat: JID, sender: JID, message_id: str, reaction: str) -> Message:
        key = MessageKey(ID=message_id, remoteJID=f"{chat.User}@{chat.Server}", fromMe=False)
        if chat.Server == "g.us":
            key.participant = f"{sender.User}@{sender.Server}"
        return Message(reactionMessage=ReactionMessage(key=key, text=reaction))

    def upload(self, binary: bytes, media_type: MediaType | None = None) -> UploadResponse:
        assert media_type is not None
        found = self._call(
            "upload", UploadError, content=base64.b64encode(binary).decode(), kind=media_type.name
        )
        return UploadResponse(
            url=f"https://mmg.whatsapp.net/{found['id']}",
            DirectPath=f"/{found['id']}",
            Handle="",
            MediaKey=b"k" * 32,
            FileEncSHA256=b"e" * 32,
            FileSHA256=b"s" * 32,
            FileLength=len(binary),
        )

    def download_any(self, message: Message, path: str | None = None) -> bytes | None:
        ((_, media),) = message.ListFields()
        return base64.b64decode(self._call("download", DownloadError, path=media.directPath)["content"])

    def mark_read(
        self, *message_ids: str, chat: JID, sender: JID, receipt: ReceiptType, timestamp: int | None = None
    ) -> None:
        ids = list(message_ids)
        self._call("read", MarkReadError, ids=ids, chat=f"{chat.User}@{chat.Server}", how=receipt.name)

    def send_chat_presence(self, jid: JID, state: ChatPresence, media: ChatPresenceMedia) -> None:
        self._call("typing", SendPresenceError, chat=f"{jid.User}@{jid.Server}", state=state.name)

    def send_presence(self, presence: Presence) -> None:
        self._call("presence", SendPresenceError, presence=presence.name)

    def get_pn_from_lid(self, jid: JID) -> JID:
        found = self._call("number", GetJIDFromStoreError, lid=jid.User)
        return _jid(found["user"], "s.whatsapp.net")

    def get_me(self) -> Device:
        assert self.me is not None
        return self.me

    def PairPhone(  # noqa: N802 -- the library's own name
        self,
        phone: str,
        show_push_notification: bool,
        client_name: ClientName = ClientName.LINUX,
        client_type: ClientType | None = None,
    ) -> str:
        return str(self._call("pair", PairPhoneError, phone=phone)["code"])

    def _call(self, op: str, failure: type[NeonizeError], **fields: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer: queue.Queue[dict[str, Any]] = queue.Queue()
        self._answers[number] = answer
        try:
            self._write({"op": op, "call": number, **fields})
            found = answer.get(timeout=_CALL_SECONDS)
        except OSError as error:
            raise failure("websocket not connected") from error
        except queue.Empty:
            raise failure("timed out waiting for message send response") from None
        if "error" in found:
            raise failure(found["error"])
        return found

    def _write(self, frame: dict[str, Any]) -> None:
        if self._socket is None:
            raise OSError("not connected")
        with self._writing:
            self._socket.sendall(json.dumps(frame).encode() + b"\n")


def _is_linked(store: str) -> bool:
    path = Path(store)
    return path.exists() and path.read_text() == _PAIRED


def _jid(user: str, server: str) -> JID:
    return JID(User=user, Server=server, Device=0, RawAgent=0, Integrator=0, IsEmpty=not user)


def _device(user: str) -> Device:
    return Device(
        JID=_jid(user, "s.whatsapp.net"), Platform="", BussinessName="", PushName="", Initialized=True
    )
