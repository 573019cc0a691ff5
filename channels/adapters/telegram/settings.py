"""What `[channels.telegram]` may say, and how a person is known on Telegram."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from channels.base import PersonKey

_API = "https://api.telegram.org/bot"


class TelegramSettings(BaseModel):
    """One bot. Without the last four keys it is Telegram's own server, groups and streaming included."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    token: SecretStr
    """What @BotFather gave; better "env:NAME", "file:PATH" or "credential:NAME" than the token itself."""
    base_url: str = Field(default=_API)
    """A Bot API server of one's own, such as "http://127.0.0.1:8081/bot"."""
    base_file_url: str = Field(default="")
    """Where that server hands out files. Default: `base_url` with /file before the last part."""
    groups: bool = True
    """Whether the bot answers in groups, where it is mentioned or replied to."""
    streaming: bool = True
    """Whether an answer is shown while it is being made."""

    @field_validator("token")
    @classmethod
    def _looks_like_a_token(cls, token: SecretStr) -> SecretStr:
        number, colon, secret = token.get_secret_value().strip().partition(":")
        if not (number.isdecimal() and colon and secret and not any(char.isspace() for char in secret)):
            raise ValueError("is no bot token; expected what @BotFather gave, such as 123456789:AAE...")
        return SecretStr(f"{number}:{secret}")

    @field_validator("base_url", "base_file_url")
    @classmethod
    def _complete(cls, url: str) -> str:
        """The library appends the token, so that the part before it may not be forgotten."""
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("is no address; expected one such as http://127.0.0.1:8081/bot")
        return url if url.endswith("/bot") or "{token}" in url else f"{url.rstrip('/')}/bot"

    @property
    def files_url(self) -> str:
        head, slash, last = self.base_url.rpartition("/bot")
        return self.base_file_url or f"{head}/file{slash}{last}"


def _user_id(value: Any) -> str:
    digits = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (digits.isascii() and digits.isdecimal() and int(digits)):
        raise ValueError(PERSON.expected)
    return str(int(digits))


PERSON = PersonKey(
    name="telegram",
    normalise=_user_id,
    expected="a Telegram user's number, such as 123456789 (@userinfobot tells it; names can change hands)",
)
