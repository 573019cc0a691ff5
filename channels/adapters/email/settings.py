"""What `[channels.email]` may say, and how a person is known by mail."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from channels.adapters.email.addresses import is_address
from channels.base import PersonKey

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class EmailSettings(BaseModel):
    """One mailbox, and the server that takes its mail. Ports follow from the security where none is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    address: str
    """The assistant's own address. It answers whoever writes to it, so it should have a mailbox of its own."""
    name: str = Field(default="nanobot", max_length=80)
    """What readers see beside the address."""
    username: str = ""
    """For both servers. Default: the address."""
    password: SecretStr
    """Mostly an app password; better "env:NAME", "file:PATH" or "credential:NAME" than the password itself."""
    imap_host: str
    imap_port: int = Field(default=0, ge=0, le=65_535)
    imap_security: Literal["tls", "none"] = "tls"
    """"none" only for a server on this machine."""
    smtp_host: str
    smtp_port: int = Field(default=0, ge=0, le=65_535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """"none" only for a server on this machine."""
    folder: str = Field(default="INBOX", min_length=1)
    authserv_id: str = ""
    """The name with which your mail server stamps what it checked, "*.example.org" for one with many names.
    Default: learned from the mailbox.
    """
    ca_file: str | None = Field(default=None, min_length=1)
    """Certificates to trust besides, for a mail server of one's own."""
    poll: float = Field(default=60.0, ge=5.0, le=600.0)
    """Seconds between two looks at a server that can't announce mail (no IDLE)."""
    max_mail: int = Field(default=25, ge=1, le=100)
    """MiB; of a larger mail only the head is read."""
    per_hour: int = Field(default=20, ge=1)
    """Most mails of one correspondent that are answered within an hour."""

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        address = address.strip().lower()
        if not is_address(address):
            raise ValueError("is no mail address; expected one such as assistant@example.org")
        return address

    @model_validator(mode="after")
    def _secure(self) -> EmailSettings:
        for kind, security, host in (
            ("imap", self.imap_security, self.imap_host),
            ("smtp", self.smtp_security, self.smtp_host),
        ):
            if security == "none" and host not in _LOOPBACK:
                raise ValueError(
                    f'{kind}_security = "none" would send the password in the clear; it is for 127.0.0.1 only'
                )
        return self

    @property
    def login(self) -> str:
        return self.username or self.address

    @property
    def imap_at(self) -> tuple[str, int]:
        return self.imap_host, self.imap_port or (993 if self.imap_security == "tls" else 143)

    @property
    def smtp_at(self) -> tuple[str, int]:
        return self.smtp_host, self.smtp_port or {"starttls": 587, "tls": 465, "none": 25}[self.smtp_security]


def _address(value: Any) -> str:
    address = value.strip().lower() if isinstance(value, str) else ""
    if not is_address(address):
        raise ValueError(PERSON.expected)
    return address


PERSON = PersonKey(
    name="email", normalise=_address, expected="a mail address such as anna@example.org, or a list of several"
)
