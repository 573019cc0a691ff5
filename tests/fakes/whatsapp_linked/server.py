"""What stands for WhatsApp's servers and the phones behind them, across the lives of any number of children.

    async with LinkedFake() as wa:
        channel = LinkedChannel(settings, host(folder), command=wa.command)
        wa.link(folder)
        wa.say(text("hello"))
        await wa.until(lambda: wa.texts("4915112345678@s.whatsapp.net"))

A message is offered until the child's library confirms it, which it does by itself. Nothing is known of repeats: a
message that is sent twice is shown twice, since the library gives each an id of its own.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from channels.adapters.whatsapp.linked import content
from tests.fakes.whatsapp_linked import messages
from tests.fakes.whatsapp_linked.protos import SITE, e2e, events

_CODES = {
    "QR": 1,
    "PairStatus": 2,
    "Connected": 3,
    "KeepAliveTimeout": 4,
    "KeepAliveRestored": 5,
    "LoggedOut": 6,
    "StreamReplaced": 7,
    "TemporaryBan": 8,
    "ConnectFailure": 9,
    "ClientOutdated": 10,
    "Disconnected": 12,
    "Message": 17,
    "JoinedGroup": 21,
    "GroupInfoEvent": 22,
}
"""The library's numbers: `neonize.events.EVENT_TO_INT`."""

_KEPT = {"Message", "JoinedGroup", "GroupInfoEvent"}
"""What servers offer again; what is said of a connection ends with it."""


@dataclass(slots=True)
class Shown:
    """A message of the bot as its reader sees it now."""

    id: str
    to: str
    message: Any
    edits: int = 0

    @property
    def text(self) -> str:
        return content.words(self.message)


@dataclass(slots=True)
class _Offered:
    event: Any
    was: str = ""


@dataclass(slots=True)
class _Fault:
    """What the next send meets: these words of the library, or none at all; `took_effect` shows it all the same."""

    words: str
    took_effect: bool = False


@dataclass
class LinkedFake:
    shown: list[Shown] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    reactions: list[tuple[str, str, str]] = field(default_factory=list)
    """The chat, the message's id, the emoji."""
    typing: list[str] = field(default_factory=list)
    uploads: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """What can be downloaded, by path."""
    numbers: dict[str, str] = field(default_factory=dict)
    """The phone numbers of hidden ones, as far as the library knows them."""
    connections: int = 0
    mute: bool = False
    """Sends get no answer."""
    delay: float = 0.0
    """Seconds before a send takes effect, and again before its answer."""
    _offered: dict[int, _Offered] = field(default_factory=dict)
    _faults: deque[_Fault] = field(default_factory=deque)
    _distracted: bool = False
    _writer: asyncio.StreamWriter | None = None
    _server: asyncio.Server | None = None
    _numbered: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.disconnect()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which a child finds this in place of the library's Go part."""
        path = os.pathsep.join((str(SITE), *filter(None, sys.path)))
        return {"FAKE_WHATSAPP_PORT": str(self.port), "PYTHONPATH": path}

    @property
    def command(self) -> tuple[str, ...]:
        """Starts the real child in that environment."""
        settings = (f"{name}={value}" for name, value in self.settings.items())
        return ("env", *settings, sys.executable, "-m", "channels.adapters.whatsapp.linked.child")

    def link(self, folder: Path) -> None:
        """A phone was linked earlier."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "session.db").write_text("paired")

    # What happens

    def say(self, event: Any, was: str = "") -> None:
        """Any event; one that nobody confirmed is offered again with the next connection."""
        number = next(self._numbered)
        self._offered[number] = _Offered(event, was)
        self._write(self._frame(number))

    def show_code(self, code: str) -> None:
        self._write({"qr": code})

    def scanned(self) -> None:
        """The phone took the code: the device is linked, and the connection made anew."""
        self.say(messages.paired(), "paired")

    def log_out(self, reason: int = 2) -> None:
        self.say(messages.logged_out(reason), "logged out")

    def disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def fail(self, words: str = "", *, took_effect: bool = False) -> None:
        """The next send fails with these words of the library's."""
        self._faults.append(_Fault(words, took_effect))

    def distract(self) -> None:
        """The next sign of typing fails."""
        self._distracted = True

    def texts(self, to: str = "") -> list[str]:
        return [one.text for one in self.shown if not to or one.to == to]

    @property
    def unconfirmed(self) -> int:
        return len(self._offered)

    async def until(self, predicate: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until this is true. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not predicate():
                await asyncio.sleep(0.005)

    # The wire

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for line in reader:
                await self._take(json.loads(line), writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _take(self, frame: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        match frame["op"]:
            case "hello":
                self._welcome(writer, linked=frame["linked"])
            case "ack":
                done = self._offered.pop(frame["n"], None)
                if done is not None and done.was == "paired":
                    self.disconnect()
            case op:
                answer = await self._answer(op, frame)
                if answer is not None:
                    writer.write(json.dumps({"answer": frame["call"], **answer}).encode() + b"\n")

    def _welcome(self, writer: asyncio.StreamWriter, *, linked: bool) -> None:
        self.connections += 1
        self._writer = writer
        if not linked:
            return
        self._offered = {n: one for n, one in self._offered.items() if one.event.DESCRIPTOR.name in _KEPT}
        for event, code in ((messages.device(), 0), (events().Connected(status=True), 3)):
            data = base64.b64encode(event.SerializeToString()).decode()
            self._write({"n": 0, "code": code, "data": data})
        for number in sorted(self._offered):
            self._write(self._frame(number))

    def _frame(self, number: int) -> dict[str, Any]:
        offered = self._offered[number]
        data = base64.b64encode(offered.event.SerializeToString()).decode()
        return {"n": number, "code": _CODES[offered.event.DESCRIPTOR.name], "data": data, "was": offered.was}

    def _write(self, frame: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(frame).encode() + b"\n")

    async def _answer(self, op: str, frame: dict[str, Any]) -> dict[str, Any] | None:
        match op:
            case "send":
                return await self._send(frame)
            case "upload":
                number = f"file{next(self._numbered)}"
                self.uploads[f"/{number}"] = (frame["kind"], base64.b64decode(frame["content"]))
                return {"id": number}
            case "download":
                found = self.files.get(frame["path"])
                if found is None:
                    return {"error": "download failed with status code 404"}
                return {"content": base64.b64encode(found).decode()}
            case "read":
                self.read += frame["ids"]
            case "typing" if self._distracted:
                self._distracted = False
                return {"error": "websocket not connected"}
            case "typing":
                self.typing.append(frame["chat"])
            case "number":
                return {"user": self.numbers.get(frame["lid"], "")}
            case "pair":
                return {"code": "ABCD-1234"}
        return {}

    async def _send(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        await asyncio.sleep(self.delay)
        fault = self._faults.popleft() if self._faults else None
        if fault is not None and not fault.took_effect:
            return {"error": fault.words}
        found = self._show(frame["to"], e2e().Message.FromString(base64.b64decode(frame["data"])))
        if fault is not None:
            return {"error": fault.words}
        await asyncio.sleep(self.delay)
        return None if self.mute else {"id": found}

    def _show(self, to: str, message: Any) -> str:
        number = f"3EB0B{next(self._numbered):015X}"
        if message.HasField("reactionMessage"):
            reaction = message.reactionMessage
            self.reactions.append((to, reaction.key.ID, reaction.text))
        elif message.HasField("editedMessage"):
            change = message.editedMessage.message.protocolMessage
            for one in self.shown:
                if one.id == change.key.ID:
                    one.message, one.edits = change.editedMessage, one.edits + 1
        else:
            self.shown.append(Shown(number, to, message))
        return number
