"""What `[channels.telegram]` may say, and how a person is known on Telegram."""

from __future__ import annotations

import hashlib
import hmac
import re
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from channels.base import PersonKey

_API = "https://api.telegram.org/bot"
_PROXIES = ("http", "https", "socks5", "socks5h")
_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")


class TelegramSettings(BaseModel):
    """One bot. With nothing but a token it is Telegram's own server, asked by long polling, groups included."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    token: SecretStr
    """What @BotFather gave; better "env:NAME", "file:PATH" or "credential:NAME" than the token itself."""
    base_url: str = Field(default=_API)
    """A Bot API server of one's own, such as "http://127.0.0.1:8081/bot"."""
    base_file_url: str = Field(default="")
    """Where that server hands out files. Default: `base_url` with /file before the last part."""
    groups: bool | Literal["mention", "all"] = True
    """Whether the bot answers in groups: where it is mentioned or replied to (true, or "mention"), or "all"."""
    streaming: bool = True
    """Whether an answer is shown while it is being made."""
    webhook_url: str = Field(default="")
    """Where Telegram shall deliver, from outside: "https://bot.example.org/telegram". Default: the bot asks."""
    webhook_listen: str = Field(default="127.0.0.1:8443")
    """Where that arrives on this machine: the address and port that a reverse proxy or tunnel passes on to."""
    proxy: SecretStr | None = None
    """The way out to Telegram, such as "http://user:password@proxy:3128" or "socks5://127.0.0.1:1080"."""

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

    @field_validator("webhook_listen")
    @classmethod
    def _an_address_and_a_port(cls, listen: str) -> str:
        found = _LISTEN.fullmatch(listen.strip())
        if found is None or int(found["port"]) > 65535:
            raise ValueError("is no address with a port; expected one such as 127.0.0.1:8443")
        return listen.strip()

    @field_validator("proxy")
    @classmethod
    def _a_proxy(cls, proxy: SecretStr | None) -> SecretStr | None:
        if proxy is None or not proxy.get_secret_value():
            return None
        parts = urlsplit(proxy.get_secret_value())
        if parts.scheme not in _PROXIES or not parts.hostname:
            raise ValueError(
                f"is no proxy; expected an address that begins with one of {', '.join(_PROXIES)}"
            )
        if parts.scheme.startswith("socks") and find_spec("socksio") is None:
            raise ValueError("a SOCKS proxy needs one more package: pip install 'nanobot-daemon[socks]'")
        return proxy

    @field_validator("webhook_url")
    @classmethod
    def _delivered_to(cls, url: str, info: ValidationInfo) -> str:
        """Telegram delivers by https only, a server of one's own by http too:
        https://core.telegram.org/bots/api#setwebhook
        """
        schemes = {"https"} if _official(info.data.get("base_url", _API)) else {"http", "https"}
        parts = urlsplit(url)
        if url and (parts.scheme not in schemes or not parts.hostname or parts.fragment):
            raise ValueError("can't be delivered to; expected one such as https://bot.example.org/telegram")
        return url

    @property
    def files_url(self) -> str:
        head, slash, last = self.base_url.rpartition("/bot")
        return self.base_file_url or f"{head}/file{slash}{last}"

    @property
    def official(self) -> bool:
        """Whether it is Telegram's own server, with its lower limits on files."""
        return _official(self.base_url)

    @property
    def listen(self) -> tuple[str, int]:
        """The host and port of `webhook_listen`."""
        host, _, port = self.webhook_listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def webhook_path(self) -> str:
        return urlsplit(self.webhook_url).path or "/"

    @property
    def webhook_secret(self) -> str:
        """What Telegram shows with each delivery; made of the token, so that it needs to be kept nowhere."""
        key = self.token.get_secret_value().encode()
        return hmac.new(key, b"webhook of a nanobot", hashlib.sha256).hexdigest()


def _official(base_url: str) -> bool:
    return urlsplit(base_url).hostname == urlsplit(_API).hostname


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
