"""Hands a mail to the server, and says what became of it: what was refused before the end of its data was not sent, and
what broke off after that nobody knows.
"""

from __future__ import annotations

import contextlib
import ssl

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPResponseException,
)

from channels.adapters.email.domains import domain_of
from channels.adapters.email.settings import EmailSettings
from channels.errors import NotSent, Refused, Unknown

_SECONDS = 30.0
_DATA_SECONDS = 600.0
"""To send a large mail over a slow line, and for the server to think (RFC 5321, 4.5.3.2.6)."""
_PERMANENT = 500
"""Codes from here on are final (RFC 5321, 4.2.1)."""
_RETRY = 60.0
_SPENT = ("5.4.5", "5.1.90")
"""With these final codes Gmail and Exchange say that enough was sent today."""
_TOMORROW = 3600.0
_GOODBYE_SECONDS = 2.0


class LoginRefused(NotSent):
    """The server doesn't take our credentials: only the owner can mend that."""


async def connected(settings: EmailSettings, context: ssl.SSLContext) -> aiosmtplib.SMTP:
    """A connection that is logged in. Raises NotSent, LoginRefused."""
    host, port = settings.smtp_at
    client = aiosmtplib.SMTP(
        hostname=host,
        port=port,
        local_hostname=domain_of(settings.address),
        timeout=_SECONDS,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
        tls_context=context if settings.smtp_security != "none" else None,
    )
    try:
        await client.connect()
        await client.login(settings.login, settings.password.get_secret_value())
    except SMTPAuthenticationError as error:
        client.close()
        if error.code < _PERMANENT:
            raise NotSent(f"{host} lets nobody in now: {_said(error)}", retry_after=_RETRY) from error
        raise LoginRefused(
            f"{host} refuses to log {settings.login} in ({error.code}); check `username` and `password` in "
            "[channels.email]: many providers want an app password",
            retry_after=300.0,
        ) from error
    except (SMTPException, OSError, ValueError) as error:
        client.close()
        raise NotSent(f"the mail server {host}:{port} can't be used: {_why(error)}") from error
    return client


async def leave(client: aiosmtplib.SMTP) -> None:
    """Say good-bye, which some servers want to hear before they pass a mail on."""
    try:
        with contextlib.suppress(SMTPException, OSError):
            await client.quit(timeout=_GOODBYE_SECONDS)
    finally:
        client.close()


def room(client: aiosmtplib.SMTP, ours: int) -> int:
    """Most bytes of a mail: ours, or what the server says it takes (RFC 1870)."""
    said = client.esmtp_extensions.get("size", "")
    return min(ours, int(said)) if said.isdigit() and int(said) else ours


async def send(client: aiosmtplib.SMTP, sender: str, to: str, message: bytes) -> None:
    """Raises NotSent, Refused, Unknown."""
    try:
        await client.mail(
            sender, options=[f"SIZE={len(message)}"] if client.supports_extension("size") else []
        )
        await client.rcpt(to)
    except SMTPResponseException as error:
        raise _refusal(error) from error
    except (SMTPException, OSError) as error:
        raise NotSent(f"the mail server broke off: {_why(error)}") from error
    try:
        await client.data(message, timeout=_DATA_SECONDS)
    except SMTPResponseException as error:
        raise _refusal(error) from error
    except (SMTPException, OSError) as error:
        raise Unknown(f"the mail server did not say whether it took the mail: {_why(error)}") from error


def _refusal(error: SMTPResponseException) -> NotSent | Refused:
    said = _said(error)
    if any(code in said for code in _SPENT):
        return NotSent(f"the mail server takes no more today: {said}", retry_after=_TOMORROW)
    if error.code >= _PERMANENT:
        return Refused(f"the mail server refuses it: {said}")
    return NotSent(f"the mail server can't take it now: {said}", retry_after=_RETRY)


def _said(error: SMTPResponseException) -> str:
    return f"{error.code} {' '.join(error.message.split())[:200]}"


def _why(error: Exception) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate can't be trusted ({cause.verify_message}); see `ca_file`"
    if isinstance(error, SMTPConnectError) and isinstance(error.__cause__, OSError):
        return error.__cause__.strerror or str(error.__cause__)
    return " ".join(str(error).split())[:150] or type(error).__name__
