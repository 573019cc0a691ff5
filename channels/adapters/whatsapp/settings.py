"""What `[channels.whatsapp]` may say, and how a person is known on WhatsApp."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from channels.base import PersonKey

_GRAPH = "https://graph.facebook.com"
_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")
_CLOUD_NEEDS = ("phone_number_id", "token", "app_secret", "verify_token")

_NUMBER = re.compile(r"[1-9]\d{6,14}")
"""ITU-T E.164: at most fifteen digits, and no country code begins with 0."""
_HIDDEN = re.compile(r"\d{5,20}@lid|[A-Z]{2}\.[A-Za-z0-9]{3,128}")
"""Of people who hide their number: as a linked device sees them, and as Meta tells a business."""


class Template(BaseModel):
    """A message without variables that Meta approved, written to people who have not written for a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_]{1,512}$")
    language: str = Field(pattern=r"^[a-z]{2,3}(_[A-Za-z]{2,4})?$")


class WhatsAppSettings(BaseModel):
    """One WhatsApp number: `cloud` by Meta's Cloud API, `linked` as one more linked device of a phone."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    mode: Literal["cloud", "linked"]

    phone_number_id: str = ""
    """Cloud: Meta's id of the number, which is not the number itself."""
    token: SecretStr | None = None
    """Cloud: a system user's access token; better "env:NAME", "file:PATH" or "credential:NAME" than itself."""
    app_secret: SecretStr | None = None
    """Cloud: the app's secret, by which Meta signs what it delivers."""
    verify_token: SecretStr | None = None
    """Cloud: words of one's own, the same as typed at Meta, by which it finds out that the webhook is ours."""
    webhook_listen: str = "127.0.0.1:8444"
    """Cloud: where deliveries arrive on this machine, from a reverse proxy or tunnel."""
    webhook_path: str = "/whatsapp"
    webhook_url: str = ""
    """Cloud: the webhook's public address, as typed at Meta; `nanobot doctor` tries it."""
    template: Template | None = None
    """Cloud: what to write to people who have not written for a day, so that they may be written to again."""
    version: str = Field(default="v23.0", pattern=r"^v\d{2}\.\d$")
    """Cloud: of the Graph API."""
    base_url: str = _GRAPH
    """Cloud: another server than Meta's, for tests."""

    groups: bool = True
    """Whether the bot answers in groups, where it is mentioned or replied to."""
    streaming: bool = False
    """Linked: whether an answer is shown while it is being made, by an edit every three seconds, which looks like no
    person and gets numbers banned."""

    @field_validator("phone_number_id")
    @classmethod
    def _is_an_id(cls, given: str) -> str:
        given = given.strip()
        if given and not re.fullmatch(r"\d{5,20}", given):
            raise ValueError(
                "is no phone number id; expected the long number shown beside the phone number at Meta"
            )
        return given

    @field_validator("webhook_listen")
    @classmethod
    def _an_address_and_a_port(cls, listen: str) -> str:
        found = _LISTEN.fullmatch(listen.strip())
        if found is None or int(found["port"]) > 65535:
            raise ValueError("is no address with a port; expected one such as 127.0.0.1:8444")
        return listen.strip()

    @field_validator("webhook_path")
    @classmethod
    def _a_path(cls, path: str) -> str:
        if not re.fullmatch(r"/[A-Za-z0-9_./-]*", path):
            raise ValueError("is no path; expected one such as /whatsapp")
        return path

    @field_validator("webhook_url")
    @classmethod
    def _delivered_to(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("can't be delivered to; expected one such as https://bot.example.org/whatsapp")
        return url

    @field_validator("base_url")
    @classmethod
    def _a_server(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("is no address; expected one such as https://graph.facebook.com")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _complete(self) -> WhatsAppSettings:
        if self.mode == "cloud":
            missing = [name for name in _CLOUD_NEEDS if not _said(getattr(self, name))]
            if missing:
                raise ValueError(
                    f'mode = "cloud" needs {", ".join(missing)} as well; docs/WHATSAPP.md says where to find it'
                )
        return self

    @property
    def listen(self) -> tuple[str, int]:
        """The host and port of `webhook_listen`."""
        host, _, port = self.webhook_listen.rpartition(":")
        return host.strip("[]"), int(port)


def _said(value: str | SecretStr | None) -> bool:
    return bool(value.get_secret_value().strip() if isinstance(value, SecretStr) else value)


def secret(value: SecretStr | None) -> str:
    """The words themselves; "" where there are none."""
    return value.get_secret_value().strip() if value is not None else ""


def _person(value: Any) -> str:
    """A number's digits, with its country code; what stands for a hidden number as it is."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if _HIDDEN.fullmatch(text):
        return text
    digits = re.sub(r"[\s().\-/\u00a0]", "", text).removeprefix("+").removeprefix("00")
    if not _NUMBER.fullmatch(digits) or not digits.isascii():
        raise ValueError(PERSON.expected)
    return digits


PERSON = PersonKey(
    name="whatsapp",
    normalise=_person,
    expected='a WhatsApp number with its country code, such as "+49 151 12345678", or a list of several',
)
