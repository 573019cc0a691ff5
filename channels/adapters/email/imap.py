"""One connection to a mailbox: every command has its own time-out, and a lost connection is noticed by our own means.

The library (aioimaplib 2.0) tells nobody when a connection breaks: a wait goes on for ever. It also drops a new mail's
announcement that comes with the answer to a command, after which IDLE says nothing of that mail. So our own `_Wire`
hears both.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from aioimaplib import aioimaplib

from channels.adapters.email.folder import folder_name
from channels.adapters.email.settings import EmailSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 30.0
_FETCH_SECONDS = 600.0
"""For a whole mail over a slow line; the library ends it earlier when nothing more comes for `COMMAND_SECONDS`."""
_GOODBYE_SECONDS = 0.5
_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]", re.IGNORECASE)
_NEXT = re.compile(rb"\[UIDNEXT (\d+)\]", re.IGNORECASE)
_FACTS = re.compile(rb"FETCH \((.*)\)", re.IGNORECASE | re.DOTALL)
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
_DATE = re.compile(rb'INTERNALDATE "([^"]+)"', re.IGNORECASE)
_SILENCES = (TimeoutError, aioimaplib.CommandTimeout)
_FAULTS = (aioimaplib.AioImapException, OSError, AttributeError, LookupError, ValueError)
"""What the library raises where the server or the connection misbehaves."""
_SILENT = "the mail server does not answer"
_ANNOUNCED = re.compile(rb"\* \d+ EXISTS\r\n", re.IGNORECASE)
_OVERLAP = 24
"""Bytes of what came before that are looked at again: an announcement may come in two pieces."""
_CHUNK = 100
"""Mails asked about at once: the library takes one level of recursion for each line of an answer."""
_TEMPORARY = (b"[UNAVAILABLE]", b"[INUSE]", b"[LIMIT]", b"[SERVERBUG]")
"""Refusals of a log-in that say nothing of the password (RFC 5530)."""


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


class _Wire(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]  # the library ships no types
    """What the library reads from, and besides: whether the connection is lost, and whether mail was announced."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.lost = asyncio.Event()
        self.announced = asyncio.Event()
        self.why = "the connection to the mail server broke"
        self._before = b""

    async def welcome(self, command: bytes) -> None:
        # The library's own task, in which nobody would hear of a refusal.
        try:
            await super().welcome(command)
        except aioimaplib.Error:
            self.why = f"the mail server lets nobody in now ({_words([command])})"
            self.lost.set()

    def data_received(self, d: bytes) -> None:
        heard = self._before + d
        if _ANNOUNCED.search(heard):
            # A mail that has such a line in it costs one search more.
            self.announced.set()
        self._before = heard[-_OVERLAP:]
        super().data_received(d)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        super().connection_lost(exc)


class _Client(aioimaplib.IMAP4):  # type: ignore[misc]  # as above
    """Speaks over a connection that we made: the library would keep to itself why it couldn't make one."""

    def __init__(self, wire: _Wire) -> None:
        self._made = wire
        super().__init__(timeout=COMMAND_SECONDS)

    def create_client(self, *_connection: object, **_more: object) -> None:
        self.protocol = self._made


class Mailbox:
    """Made by `open`. `validity` and `following` are the folder's UIDVALIDITY and its next UID at that time."""

    def __init__(self, wire: _Wire) -> None:
        self.validity = 0
        self.following = 0
        self._wire = wire
        self._client: Any = _Client(wire)

    @classmethod
    async def open(cls, settings: EmailSettings, context: ssl.SSLContext) -> Mailbox:
        """Connect, log in and open the folder. Raises Lost, Denied."""
        host, port = settings.imap_at
        mailbox = cls(await _connected(host, port, context if settings.imap_security == "tls" else None))
        try:
            await mailbox._guarded(mailbox._wire.wait("AUTH|NONAUTH"), CONNECT_SECONDS)
            await mailbox._log_in(settings)
            await mailbox._open_folder(settings)
        except BaseException:
            await mailbox.close()
            raise
        return mailbox

    async def _log_in(self, settings: EmailSettings) -> None:
        login = self._client.login(aioimaplib.quoted(settings.login), settings.password.get_secret_value())
        said = await self._guarded(login)
        if said.result != "OK":
            words = _words(said.lines)
            if any(code in words.upper().encode() for code in _TEMPORARY):
                raise Lost(f"{settings.imap_host} lets nobody in now ({words})")
            raise Denied(
                f"{settings.imap_host} refuses to log {settings.login} in ({words}); check `username` and "
                "`password` in [channels.email]: many providers want an app password"
            )
        # Some servers tell only now, and only if asked, that they can announce mail.
        await self._guarded(self._wire.capability())

    async def _open_folder(self, settings: EmailSettings) -> None:
        opened = await self._guarded(self._client.select(aioimaplib.quoted(folder_name(settings.folder))))
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
        """The UIDs of mails above this one, in order. What arrives from now on ends the next `wait`."""
        self._wire.announced.clear()
        # "N:*" names the last mail even if its UID is below N (RFC 3501, 6.4.8).
        return [found for found in await self._search(f"UID {uid + 1}:*") if found > uid]

    async def since(self, at: datetime) -> list[int]:
        """The UIDs of mails that arrived on this day or later, in order; the day is the server's own."""
        return await self._search(f"SINCE {at:%d-%b-%Y}")

    async def _search(self, criteria: str) -> list[int]:
        said = await self._ok(self._client.uid_search(criteria, charset=None), "search")
        return sorted(int(word) for line in said[:-1] for word in bytes(line).split() if word.isdigit())

    async def facts(self, uids: Sequence[int]) -> list[Known]:
        """Size and time of these mails; those that are gone are left out."""
        found: dict[int, Known] = {}
        for start in range(0, len(uids), _CHUNK):
            chunk = uids[start : start + _CHUNK]
            asked = self._client.uid("fetch", _set_of(chunk), "(UID RFC822.SIZE INTERNALDATE)")
            for line in await self._ok(asked, "fetch"):
                # A server may tell of other mails in between, whose flags somebody changed.
                if (known := _known(bytes(line))) and known.uid in chunk:
                    found[known.uid] = known
        return [found[uid] for uid in sorted(found)]

    async def raw(self, uid: int, *, head_only: bool = False) -> bytes:
        """A mail's bytes, or those of its head; b"" where it is gone. It stays unseen."""
        what = "BODY.PEEK[HEADER]" if head_only else "BODY.PEEK[]"
        said = await self._ok(self._client.uid("fetch", str(uid), f"({what})"), "fetch", _FETCH_SECONDS)
        # A literal comes as a bytearray among lines of bytes.
        return next((bytes(line) for line in said if isinstance(line, bytearray)), b"")

    async def mark_seen(self, uids: Sequence[int]) -> None:
        """Where a folder can only be read the mails stay as they are."""
        if uids:
            stored = self._client.uid("store", _set_of(uids), "+FLAGS.SILENT", "(\\Seen)")
            said = await self._guarded(stored)
            if said.result != "OK":
                log.info("email: the mail server refuses to mark mails as read: %s", _words(said.lines))

    @property
    def announces(self) -> bool:
        """Whether the server says by itself that mail arrived."""
        return bool(self._client.has_capability("IDLE"))

    async def wait(self, seconds: float) -> None:
        """Until the server announces mail, at most so long; one that can't announce any is asked whether it is still
        there.
        """
        if self._wire.announced.is_set():
            return
        if not self.announces:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._guarded(self._wire.announced.wait(), None)
            await self._ok(self._client.noop(), "NOOP")
            return
        idle = await self._guarded(self._client.idle_start(timeout=seconds + COMMAND_SECONDS))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._guarded(self._wire.announced.wait(), None)
        finally:
            self._client.idle_done()
        await self._guarded(idle)

    async def close(self) -> None:
        """Leave politely if the server is there, and close in any case."""
        # A connection that is left while it begins to idle would not hear us.
        if not self._wire.lost.is_set() and not self._client.has_pending_idle():
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._client.logout()
        for task in (*self._client.tasks, *self._wire.tasks):
            task.cancel()
        self._wire.transport.abort()

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
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- coroutines run in tasks
        before = task.cancelling()
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                watcher = group.create_task(self._until_lost())
                result = await command
                watcher.cancel()
        except ExceptionGroup as several:
            error = several.exceptions[0]
            if isinstance(error, Lost):
                raise error from None
            if isinstance(error, _SILENCES):
                raise Lost(_SILENT) from None
            if isinstance(error, _FAULTS):
                raise Lost(f"the mail server: {str(error) or type(error).__name__}") from error
            raise error from None
        except TimeoutError:
            raise Lost(_SILENT) from None
        finally:
            # Until Python 3.12 the library's `wait_for` keeps a cancellation to itself that comes with an answer.
            if task.cancelling() > before:
                raise asyncio.CancelledError
        return result

    async def _until_lost(self) -> None:
        await self._wire.lost.wait()
        raise Lost(self._wire.why)


async def _connected(host: str, port: int, context: ssl.SSLContext | None) -> _Wire:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, wire = await loop.create_connection(lambda: _Wire(loop), host, port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        raise Lost(
            f"{host} shows a certificate that can't be trusted ({error.verify_message}); name your own authority's "
            "file in `ca_file`, or correct `imap_host`"
        ) from None
    except TimeoutError:
        raise Lost(f"{host}:{port} does not answer") from None
    except OSError as error:
        raise Lost(f"{host}:{port} can't be reached ({error.strerror or error})") from None
    return wire


def _set_of(uids: Iterable[int]) -> str:
    return ",".join(map(str, uids))


def _known(line: bytes) -> Known | None:
    uid, size, date = _UID.search(line), _SIZE.search(line), _DATE.search(line)
    if not (_FACTS.search(line) and uid and size):
        return None
    at = datetime.now(UTC)
    if date is not None:
        with contextlib.suppress(ValueError):
            at = datetime.strptime(date[1].decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    return Known(int(uid[1]), int(size[1]), at)


def _words(lines: Sequence[bytes | bytearray]) -> str:
    return " ".join(bytes(lines[-1]).decode("utf-8", "replace").split())[:120] if lines else "no reason given"
