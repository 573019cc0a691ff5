"""The channels of both formats as sections of config.toml, as far as this version's channels have such settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.config.report import dotted
from bot.legacy.made import Maker
from bot.legacy.notes import Fate
from bot.legacy.people import Guests, spec

_OFF = "it was switched off there; its token stays in the old file"
_BRIDGE = "was for a program beside the old one; `nanobot login whatsapp` links this one"
_ALWAYS_PROVEN = "a mail's sender always has to be proven here (docs/EMAIL.md)"


@dataclass(frozen=True, slots=True)
class _Row:
    """One setting: what it was called, what it is, and what it may be called here."""

    old: str
    kind: Literal["secret", "text", "number", "flag"]
    new: tuple[str, ...]


_MAIL_SERVERS = (
    _Row("imapHost", "text", ("imap_host",)),
    _Row("imapPort", "number", ("imap_port",)),
    _Row("smtpHost", "text", ("smtp_host",)),
    _Row("smtpPort", "number", ("smtp_port",)),
)
_MAIL_OF_RUST = (
    *_MAIL_SERVERS,
    _Row("username", "text", ("username",)),
    _Row("password", "secret", ("password",)),
)
_MAIL_OF_PYTHON = (
    *_MAIL_SERVERS,
    _Row("imapUsername", "text", ("username",)),
    _Row("imapPassword", "secret", ("password",)),
    _Row("fromAddress", "text", ("address",)),
    _Row("imapMailbox", "text", ("folder",)),
)


def is_public(host: str) -> bool:
    """Whether a server that listens there can be reached from other machines."""
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host != "localhost"


def telegram_of_rust(maker: Maker, guests: Guests) -> None:
    old, at = maker.old, ("channels", "telegram")
    old.about(Fate.IDLE, (*at, "proxy"), "was ignored there; [channels.telegram] proxy sets one here")
    if _switched_on(maker, "telegram", at):
        _carry(maker, "telegram", at, (_Row("token", "secret", ("token",)),))
        guests.allow("telegram", (*at, "allowFrom"), empty_is_open=True)


def whatsapp_of_rust(maker: Maker, guests: Guests) -> None:
    old, at = maker.old, ("channels", "whatsapp")
    for key in ("bridgeUrl", "bridgePort"):
        old.about(Fate.IDLE, (*at, key), _BRIDGE)
    if _switched_on(maker, "whatsapp", at):
        _linked(maker, at)
        guests.allow("whatsapp", (*at, "allowFrom"), empty_is_open=True)


def email_of_rust(maker: Maker, guests: Guests) -> None:
    at = ("channels", "email")
    if _switched_on(maker, "email", at):
        _carry(maker, "email", at, _MAIL_OF_RUST)
        _own_address(maker, at, "username")
        _looks(maker, (*at, "pollIntervalSecs"))
        _secured(maker, at, implicit=maker.old.number(*at, "smtpPort") == 465)
        guests.allow("email", (*at, "allowFrom"), empty_is_open=True)


def telegram_of_python(maker: Maker, guests: Guests) -> None:
    old, at = maker.old, ("channels", "telegram")
    if not _switched_on(maker, "telegram", at):
        return
    rows = (
        _Row("token", "secret", ("token",)),
        _Row("streaming", "flag", ("streaming",)),
        _Row("proxy", "secret", ("proxy",)),
    )
    _carry(maker, "telegram", at, rows)
    policy = old.text(*at, "groupPolicy")
    if policy in {"mention", "open"}:
        answers = "mention" if policy == "mention" else "all"
        text = (
            ""
            if policy == "mention"
            else "in groups into which somebody you know invited it, and nowhere else"
        )
        fate = Fate.KEPT if policy == "mention" else Fate.CHANGED
        maker.put((*at, "groups"), answers, (*at, "groupPolicy"), fate, text)
    elif policy:
        maker.put((*at, "groups"), False, (*at, "groupPolicy"), Fate.CHANGED, "it doesn't answer in groups")
    if old.text(*at, "mode") == "webhook":
        text = "it asks Telegram for messages; [channels.telegram] webhook_url changes that"
        old.note(Fate.CHANGED, (*at, "mode"), "", text)
    guests.allow("telegram", (*at, "allowFrom"), empty_is_open=False)


def whatsapp_of_python(maker: Maker, guests: Guests) -> None:
    old, at = maker.old, ("channels", "whatsapp")
    for key in ("bridgeUrl", "bridgeToken", "databasePath", "lidMappings"):
        old.about(Fate.IDLE, (*at, key), _BRIDGE)
    if not _switched_on(maker, "whatsapp", at):
        return
    _linked(maker, at)
    if old.text(*at, "groupPolicy") == "open":
        text = "in groups it answers where it is mentioned or replied to"
        old.note(Fate.CHANGED, (*at, "groupPolicy"), "", text)
    guests.allow("whatsapp", (*at, "allowFrom"), empty_is_open=False)


def email_of_python(maker: Maker, guests: Guests) -> None:
    old, at = maker.old, ("channels", "email")
    if not _switched_on(maker, "email", at):
        return
    _carry(maker, "email", at, _MAIL_OF_PYTHON)
    _own_address(maker, at, "imapUsername")
    _looks(maker, (*at, "pollIntervalSeconds"))
    _secured(maker, at, implicit=old.flag(*at, "smtpUseSsl") or old.number(*at, "smtpPort") == 465)
    _sender_of_python(maker, at)
    for key in ("verifyDkim", "verifySpf"):
        fate = Fate.KEPT if old.flag(*at, key, default=True) else Fate.UNSAFE
        old.about(fate, (*at, key), _ALWAYS_PROVEN)
    for key in ("imapUseSsl", "smtpUseTls", "smtpUseSsl"):
        if old.has(*at, key) and not old.flag(*at, key) and key == "imapUseSsl":
            old.note(Fate.UNSAFE, (*at, key), "", "passwords and mails went unencrypted; here they never do")
        old.about(Fate.KEPT, (*at, key), "mail is always encrypted on its way to its server")
    if old.has(*at, "autoReplyEnabled") and not old.flag(*at, "autoReplyEnabled"):
        old.note(
            Fate.TODO,
            (*at, "autoReplyEnabled"),
            "",
            "there it read and never answered; here people listed are answered",
        )
    guests.allow("email", (*at, "allowFrom"), empty_is_open=False)


def _switched_on(maker: Maker, kind: str, at: tuple[str, ...]) -> bool:
    """Whether the section is to be carried over. One that was off is said and marked as a whole."""
    old = maker.old
    if not old.names(*at):
        return False
    if spec(kind) is None:
        old.note(Fate.DROPPED, at, "", "this version has no such channel")
        return False
    if not old.flag(*at, "enabled"):
        old.note(Fate.DROPPED, at, dotted(at), _OFF)
        return False
    old.note(Fate.KEPT, (*at, "enabled"), f"[{dotted(at)}]")
    return True


def _fields(kind: str) -> Mapping[str, object]:
    known = spec(kind)
    return {} if known is None else known.settings.model_fields


def _carry(maker: Maker, kind: str, at: tuple[str, ...], rows: tuple[_Row, ...]) -> None:
    fields = _fields(kind)
    maker.quietly(("channels", kind), {})
    for row in rows:
        path = (*at, row.old)
        new = next(
            (
                name
                for name in row.new
                if name in fields and ("channels", kind, name) not in maker.made.values
            ),
            None,
        )
        if new is None:
            continue
        value: object
        match row.kind:
            case "secret":
                secret = maker.old.text(*path)
                if secret:
                    maker.secret(("channels", kind, new), secret, path)
                continue
            case "text":
                value = maker.plain(maker.old.text(*path), path) or None
            case "number":
                value = maker.old.number(*path)
            case "flag":
                value = maker.old.flag(*path) if maker.old.has(*path) else None
        if value is not None:
            maker.put(("channels", kind, new), value, path)


def _own_address(maker: Maker, at: tuple[str, ...], login: str) -> None:
    """The bot's own address, where it was never said: most servers' login."""
    place = ("channels", "email", "address")
    found = maker.plain(maker.old.text(*at, login), (*at, login))
    if "address" in _fields("email") and place not in maker.made.values and found and "@" in found:
        maker.put(place, found, (*at, login))


def _looks(maker: Maker, path: tuple[str, ...]) -> None:
    seconds = maker.old.real(*path)
    if seconds is not None:
        within = min(max(seconds, 5.0), 600.0)
        text = "" if within == seconds else "from 5 to 600 seconds"
        fate = Fate.CHANGED if text else Fate.KEPT
        maker.put(("channels", "email", "poll"), within, path, fate, text)


def _secured(maker: Maker, at: tuple[str, ...], *, implicit: bool) -> None:
    if implicit:
        maker.put(("channels", "email", "smtp_security"), "tls", (*at, "smtpPort"))


def _sender_of_python(maker: Maker, at: tuple[str, ...]) -> None:
    """It had credentials of its own for sending."""
    old = maker.old
    for one, other, named in (
        ("smtpUsername", "imapUsername", "user name"),
        ("smtpPassword", "imapPassword", "password"),
    ):
        if old.text(*at, one) and old.text(*at, one) != old.text(*at, other):
            text = f"one {named} serves for reading and sending here; that for reading was taken"
            old.note(Fate.TODO, (*at, one), f"channels.email.{named.replace(' ', '')}", text)
        else:
            old.about(Fate.KEPT, (*at, one), "the same as for reading")


def _linked(maker: Maker, at: tuple[str, ...]) -> None:
    maker.quietly(("channels", "whatsapp"), {})
    if "mode" in _fields("whatsapp"):
        text = "link it with `nanobot login whatsapp`: the old program's link can't be taken over"
        maker.put(("channels", "whatsapp", "mode"), "linked", at, Fate.TODO, text)
        # The section itself was dealt with by that; its other keys are looked at one by one.
        maker.old.unmark(*at)
