"""A mailbox in this process that speaks as much IMAP as a client needs who reads new mail (RFC 3501, RFC 2177).

async with ImapFake() as server:
    server.deliver(raw)
    server.renumber()
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

_SET = re.compile(r"(\d+)(?::(\d+|\*))?")


@dataclass(slots=True)
class Stored:
    uid: int
    raw: bytes
    at: datetime
    flags: set[str] = field(default_factory=set)


class ImapFake:
    """The user "bot" logs in with "sesame". `idle`: whether it can announce mail."""

    def __init__(self, *, idle: bool = True) -> None:
        self.port = 0
        self.mails: list[Stored] = []
        self.validity = 1
        self.logins = 0
        self.password = "sesame"
        self.idle = idle
        self.commands: list[str] = []
        self.refusal = ""
        """What a log-in is answered with, if not by the password."""
        self.broken: set[int] = set()
        """UIDs of mails at whose text the connection breaks."""
        self.read_only = False
        """Flags can't be changed."""
        self.meanwhile = b""
        """Arrives once, between a search and the end of its answer."""
        self._next = 1
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    def deliver(self, raw: bytes) -> int:
        mail = Stored(self._next, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), datetime.now(UTC))
        self._next += 1
        self.mails.append(mail)
        self._arrived.set()
        return mail.uid

    def seen(self) -> int:
        return sum("\\Seen" in mail.flags for mail in self.mails)

    def renumber(self) -> None:
        """As after a restore: other UIDs, another UIDVALIDITY; whoever is connected has to come back."""
        self.validity += 1
        for number, mail in enumerate(self.mails, start=1):
            mail.uid = number
        self._next = len(self.mails) + 1
        self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await _Session(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _Session:
    def __init__(self, server: ImapFake, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._known = 0

    async def run(self) -> None:
        self._say(f"* OK [CAPABILITY {self._capabilities}] ready")
        while line := (await self._reader.readline()).decode().strip():
            tag, _, command = line.partition(" ")
            self._server.commands.append(re.sub(r"^(LOGIN \S+) .*", r"\1 ...", command, flags=re.IGNORECASE))
            name, _, rest = command.partition(" ")
            name = name.upper()
            if name == "UID":
                name, _, rest = rest.partition(" ")
                name = f"UID_{name.upper()}"
            await getattr(self, f"_{name.lower()}", self._unknown)(tag, rest)
            await self._writer.drain()
            if name == "LOGOUT":
                return

    @property
    def _capabilities(self) -> str:
        return "IMAP4rev1 IDLE" if self._server.idle else "IMAP4rev1"

    def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())

    async def _unknown(self, tag: str, _rest: str) -> None:
        self._say(f"{tag} BAD unknown command")

    async def _capability(self, tag: str, _rest: str) -> None:
        self._say(f"* CAPABILITY {self._capabilities}")
        self._say(f"{tag} OK done")

    async def _login(self, tag: str, rest: str) -> None:
        self._server.logins += 1
        word = rest.rsplit(maxsplit=1)[-1].strip('"')
        good = word == self._server.password
        refusal = self._server.refusal or ("" if good else "[AUTHENTICATIONFAILED] wrong password")
        self._say(f"{tag} NO {refusal}" if refusal else f"{tag} OK logged in")

    async def _select(self, tag: str, _rest: str) -> None:
        mails = self._server.mails
        self._known = len(mails)
        following = self._server._next
        self._say(f"* {len(mails)} EXISTS")
        self._say("* FLAGS (\\Seen)")
        self._say(f"* OK [UIDVALIDITY {self._server.validity}] valid")
        self._say(f"* OK [UIDNEXT {following}] next")
        self._say(f"{tag} OK [READ-WRITE] selected")

    async def _uid_search(self, tag: str, rest: str) -> None:
        words = rest.upper().split()
        found = [mail.uid for mail in self._server.mails]
        if words[0] == "UID":
            found = self._chosen(words[1])
        elif words[0] == "SINCE":
            day = datetime.strptime(words[1], "%d-%b-%Y").replace(tzinfo=UTC).date()
            found = [mail.uid for mail in self._server.mails if mail.at.date() >= day]
        meanwhile, self._server.meanwhile = self._server.meanwhile, b""
        if meanwhile:
            self._server.deliver(meanwhile)
        self._say(f"* SEARCH {' '.join(map(str, found))}".rstrip())
        self._announce()
        self._say(f"{tag} OK found")

    async def _uid_fetch(self, tag: str, rest: str) -> None:
        which, _, what = rest.partition(" ")
        chosen = set(self._chosen(which))
        for number, mail in enumerate(self._server.mails, start=1):
            if mail.uid not in chosen:
                continue
            if "[]" in what and mail.uid in self._server.broken:
                self._writer.transport.abort()
                return
            if "BODY" in what.upper():
                data = mail.raw if "HEADER" not in what.upper() else mail.raw.partition(b"\r\n\r\n")[0]
                name = what.strip("()").replace(".PEEK", "")
                self._writer.write(f"* {number} FETCH (UID {mail.uid} {name} {{{len(data)}}}\r\n".encode())
                self._writer.write(data)
                self._say(")")
            else:
                at = mail.at.strftime("%d-%b-%Y %H:%M:%S +0000")
                facts = f'UID {mail.uid} RFC822.SIZE {len(mail.raw)} INTERNALDATE "{at}"'
                self._say(f"* {number} FETCH ({facts})")
        self._say(f"{tag} OK fetched")

    async def _uid_store(self, tag: str, rest: str) -> None:
        if self._server.read_only:
            self._say(f"{tag} NO [NOPERM] the folder can only be read")
            return
        which, _, change = rest.partition(" ")
        chosen = set(self._chosen(which))
        flags = re.findall(r"\\\w+", change)
        for mail in self._server.mails:
            if mail.uid in chosen:
                mail.flags |= set(flags)
        self._say(f"{tag} OK stored")

    async def _noop(self, tag: str, _rest: str) -> None:
        self._announce()
        self._say(f"{tag} OK here")

    async def _idle(self, tag: str, _rest: str) -> None:
        self._say("+ idling")
        done = asyncio.create_task(self._reader.readline())
        try:
            while not done.done():
                self._server._arrived.clear()
                self._announce()
                await self._writer.drain()
                arrived = asyncio.create_task(self._server._arrived.wait())
                await asyncio.wait({done, arrived}, return_when=asyncio.FIRST_COMPLETED)
                arrived.cancel()
        finally:
            done.cancel()
        self._say(f"{tag} OK idle is over")

    async def _logout(self, tag: str, _rest: str) -> None:
        self._say("* BYE good-bye")
        self._say(f"{tag} OK")

    def _announce(self) -> None:
        if len(self._server.mails) != self._known:
            self._known = len(self._server.mails)
            self._say(f"* {self._known} EXISTS")

    def _chosen(self, text: str) -> list[int]:
        """The UIDs of a sequence set; a range that ends with * always holds the last mail."""
        uids = [mail.uid for mail in self._server.mails]
        last = max(uids, default=0)
        found: set[int] = set()
        for first, end in _SET.findall(text):
            low = int(first)
            high = last if end == "*" else int(end or first)
            found |= {uid for uid in uids if min(low, high) <= uid <= max(low, high)}
        return sorted(found)
