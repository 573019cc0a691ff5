"""The server that takes the bot's mail, on loopback: STARTTLS or TLS, log-in, and what it took.

async with Submission(certificates) as server:
    server.port; server.taken; server.refuse("550 5.1.1 no such user")
"""

from __future__ import annotations

import asyncio
import email
import ssl
import warnings
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.fakes.certificates import Certificates

Relay = Callable[[str, list[str], bytes], Awaitable[str]]
"""Passes a mail on; returns the answer to its sender."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that was accepted, with its envelope."""

    sender: str
    to: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        found = email.message_from_bytes(self.raw, policy=default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())


class Submission:
    """`password` is what the user "bot" logs in with; without certificates it is in the clear."""

    def __init__(
        self,
        certificates: Certificates | None = None,
        *,
        implicit: bool = False,
        password: str = "sesame",
        relay: Relay | None = None,
    ) -> None:
        self.taken: list[Taken] = []
        self.logins = 0
        self.port = 0
        self._certificates = certificates
        self._implicit = implicit
        self._password = password
        self._relay = relay
        self._refusals: deque[tuple[str, str]] = deque()
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()

    def refuse(self, answer: str, at: str = "DATA") -> None:
        """Answer the next mail so at RCPT or DATA; "drop" at DATA breaks off after taking it."""
        self._refusals.append((at, answer))

    async def until(self, predicate: Callable[[], object], seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: bool(predicate()))

    async def __aenter__(self) -> Self:
        context = None
        if self._certificates is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self._certificates.certificate, self._certificates.key)
        secure = context is not None

        def made() -> SMTP:
            with warnings.catch_warnings():
                # It warns of passwords in the clear, which on loopback are nobody's.
                warnings.simplefilter("ignore", UserWarning)
                return SMTP(
                    self,
                    hostname="mail.home.example",
                    tls_context=None if self._implicit else context,
                    authenticator=self._authenticate,
                    auth_required=True,
                    auth_require_tls=secure and not self._implicit,
                    data_size_limit=40 * 2**20,
                    enable_SMTPUTF8=True,
                )

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(made, "127.0.0.1", 0, ssl=context if self._implicit else None)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        self.logins += 1
        if data.password.decode() == self._password:
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message="535 5.7.8 wrong password")

    # What aiosmtpd calls

    async def handle_RCPT(  # noqa: N802 -- its name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._refusals and self._refusals[0][0] == "RCPT":
            return self._refusals.popleft()[1]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self._refusals.popleft()[1] if self._refusals else ""
        if answer and answer != "drop":
            return answer
        raw = envelope.content
        assert isinstance(raw, bytes)
        taken = Taken(envelope.mail_from or "", list(envelope.rcpt_tos), raw)
        self.taken.append(taken)
        async with self._changed:
            self._changed.notify_all()
        if answer == "drop":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 nobody hears this"
        if self._relay is not None:
            return await self._relay(taken.sender, taken.to, taken.raw)
        return "250 2.0.0 taken"
