"""One connection to a mailbox: every command has its own time-out, and a lost connection is noticed by our own means.

The library tells nobody when a connection breaks (a wait goes on for ever), so that its callback ends every wait here.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from aioimaplib import aioimaplib

from channels.adapters.email.settings import EmailSettings

T = TypeVar("T")

CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 30.0
_FETCH_SECONDS = 180.0
_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]", re.IGNORECASE)
_NEXT = re.compile(rb"\[UIDNEXT (\d+)\]", re.IGNORECASE)
_FACTS = re.compile(rb"FETCH \((.*)\)", re.IGNORECASE | re.DOTALL)
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
_DATE = re.compile(rb'INTERNALDATE "([^"]+)"', re.IGNORECASE)
_FAULTS = (aioimaplib.Abort, aioimaplib.Error, TimeoutError, OSError, AttributeError)
"""What the library raises where the server or the connection misbehaves."""
_PUSHES = (b"EXISTS", b"RECENT")


class Lost(Exception):
    """The connection is gone or was never made; one line that names the fix where there is one."""


class Denied(Exception):
    """The server refuses the log-in or the folder; one line."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a mailbox says of one mail before it is fetched: `size` in bytes, `at` when it arrived (UTC)."""

    uid: int
    size: int
    at: datetime


class Mailbox:
    """Made by `open`. `validity` and `following` are the folder's UIDVALIDITY and its next UID at that time."""

    def __init__(self, client: aioimaplib.IMAP4, lost: asyncio.Event) -> None:
        self.validity = 0
        self.following = 0
        self._client = client
        self._lost = lost

    @classmethod
    async def open(cls, settings: EmailSettings, context: ssl.SSLContext) -> Mailbox:
        """Connect, log in and open the folder. Raises Lost, Denied."""
        host, port = settings.imap_at
        await _reachable(host, port, context if settings.imap_security == "tls" else None)
        lost = asyncio.Event()
        if settings.imap_security == "tls":
            client: Any = aioimaplib.IMAP4_SSL(host, port, timeout=COMMAND_SECONDS, ssl_context=context)
        else:
            client = aioimaplib.IMAP4(host, port, timeout=COMMAND_SECONDS)
        client.protocol.conn_lost_cb = lambda _error: lost.set()
        mailbox = cls(client, lost)
        try:
            await mailbox._guarded(client.wait_hello_from_server(), CONNECT_SECONDS)
            await mailbox._log_in(settings)
        except BaseException:
            await mailbox.close()
            raise
        return mailbox

    async def _log_in(self, settings: EmailSettings) -> None:
        said = await self._guarded(self._client.login(settings.login, settings.password.get_secret_value()))
        if said.result != "OK":
            raise Denied(
                f"{settings.imap_host} refuses to log {settings.login} in ({_words(said.lines)}); check `username` and "
                "`password` in [channels.email]: many providers want an app password"
            )
        opened = await self._guarded(self._client.select(f'"{settings.folder}"'))
        if opened.result != "OK":
            raise Denied(f"{settings.imap_host} has no folder {settings.folder!r} ({_words(opened.lines)})")
        lines = b"\n".join(bytes(line) for line in opened.lines)
        validity, following = _VALIDITY.search(lines), _NEXT.search(lines)
        if validity is None:
            raise Lost(f"{settings.imap_host} doesn't number its mails (no UIDVALIDITY)")
        self.validity = int(validity[1])
        self.following = int(following[1]) if following else await self._last() + 1

    async def _last(self) -> int:
        return max(await self._search("ALL"), default=0)

    async def after(self, uid: int) -> list[int]:
        """The UIDs of mails above this one, in order."""
        # "N:*" names the last mail even if its UID is below N (RFC 3501, 6.4.8).
        return [found for found in await self._search(f"UID {uid + 1}:*") if found > uid]

    async def since(self, at: datetime) -> list[int]:
        """The UIDs of mails that arrived on this day or later, in order."""
        return await self._search(f"SINCE {at:%d-%b-%Y}")

    async def _search(self, criteria: str) -> list[int]:
        said = await self._ok(self._client.uid_search(criteria, charset=None), "search")
        return sorted(int(word) for line in said[:-1] for word in bytes(line).split() if word.isdigit())

    async def facts(self, uids: Sequence[int]) -> list[Known]:
        """Size and time of these mails; those that are gone are left out."""
        if not uids:
            return []
        said = await self._ok(
            self._client.uid("fetch", _set_of(uids), "(UID RFC822.SIZE INTERNALDATE)"), "fetch"
        )
        return sorted((known for line in said if (known := _known(bytes(line)))), key=lambda one: one.uid)

    async def raw(self, uid: int, *, head_only: bool = False) -> bytes:
        """A mail's bytes, or those of its head; b"" where it is gone. It stays unseen."""
        what = "BODY.PEEK[HEADER]" if head_only else "BODY.PEEK[]"
        said = await self._ok(self._client.uid("fetch", str(uid), f"({what})"), "fetch", _FETCH_SECONDS)
        # A literal comes as a bytearray among lines of bytes.
        return next((bytes(line) for line in said if isinstance(line, bytearray)), b"")

    async def mark_seen(self, uids: Sequence[int]) -> None:
        if uids:
            await self._ok(
                self._client.uid("store", _set_of(uids), "+FLAGS.SILENT", "(\\Seen)"), "mark as read"
            )

    @property
    def announces(self) -> bool:
        """Whether the server says by itself that mail arrived."""
        return bool(self._client.has_capability("IDLE"))

    async def wait(self, seconds: float) -> None:
        """Until the server announces mail, at most so long; a server that can't is asked whether it is still there."""
        if not self.announces:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._lost.wait()
            await self._ok(self._client.noop(), "NOOP")
            return
        idle = await self._guarded(self._client.idle_start(timeout=seconds + COMMAND_SECONDS))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._announced()
        finally:
            self._client.idle_done()
        await self._guarded(idle)

    async def _announced(self) -> None:
        while True:
            pushed = await self._guarded(self._client.wait_server_push(), None)
            lines = pushed if isinstance(pushed, list) else [pushed]
            if any(word in bytes(line).upper() for line in lines for word in _PUSHES):
                return
            if any(bytes(line).upper().startswith(b"BYE") for line in lines):
                raise Lost("the mail server says good-bye")

    async def close(self) -> None:
        """Leave politely if the server is there, and close in any case."""
        if not self._lost.is_set():
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2.0):
                    await self._client.logout()
        transport = getattr(self._client.protocol, "transport", None)
        if transport is not None:
            transport.abort()

    async def _ok(
        self, command: Awaitable[Any], what: str, seconds: float = COMMAND_SECONDS
    ) -> Sequence[bytes | bytearray]:
        said = await self._guarded(command, seconds)
        if said.result != "OK":
            raise Lost(f"the mail server refuses to {what}: {_words(said.lines)}")
        lines: Sequence[bytes | bytearray] = said.lines
        return lines

    async def _guarded(self, command: Awaitable[T], seconds: float | None = COMMAND_SECONDS) -> T:
        """What a command returns; ends with Lost when its time or the connection is over."""
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                watcher = group.create_task(self._until_lost())
                result = await command
                watcher.cancel()
        except ExceptionGroup as several:
            error = several.exceptions[0]
            if isinstance(error, Lost):
                raise error from None
            if isinstance(error, _FAULTS):
                raise Lost(f"the mail server: {str(error) or type(error).__name__}") from error
            raise error from None
        except TimeoutError:
            raise Lost("the mail server does not answer") from None
        return result

    async def _until_lost(self) -> None:
        await self._lost.wait()
        raise Lost("the connection to the mail server broke")


async def _reachable(host: str, port: int, context: ssl.SSLContext | None) -> None:
    """Connect once beforehand: the library keeps to itself why it can't."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
    except ssl.SSLCertVerificationError as error:
        raise Lost(
            f"{host} shows a certificate that can't be trusted ({error.verify_message}); name your own authority's "
            "file in `ca_file`, or correct `imap_host`"
        ) from None
    except TimeoutError:
        raise Lost(f"{host}:{port} does not answer") from None
    except OSError as error:
        raise Lost(f"{host}:{port} can't be reached ({error.strerror or error})") from None


def _set_of(uids: Iterable[int]) -> str:
    return ",".join(map(str, uids))


def _known(line: bytes) -> Known | None:
    if not (_FACTS.search(line) and (uid := _UID.search(line))):
        return None
    size, date = _SIZE.search(line), _DATE.search(line)
    at = datetime.now(UTC)
    if date is not None:
        with contextlib.suppress(ValueError):
            at = datetime.strptime(date[1].decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    return Known(int(uid[1]), int(size[1]) if size else 0, at)


def _words(lines: Sequence[bytes | bytearray]) -> str:
    return " ".join(bytes(lines[-1]).decode("utf-8", "replace").split())[:120] if lines else "no reason given"
