"""What servers report of mails that they could not deliver. Pure; never raises.

The format: https://www.rfc-editor.org/rfc/rfc3464
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from channels.adapters.email.charsets import decoded
from channels.adapters.email.headers import Headers, message_ids, read_headers
from channels.adapters.email.mime import Part, parse

_LARGEST = 200_000
"""Bytes of a report that are read; the mail that it returns may be larger."""

_MOST_RECIPIENTS = 50

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_RETURNED_ID = re.compile(r"^[ \t>]*message-id:[ \t]*(<[^<>\s]{1,500}>)", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"[^\s<>;:,]+@[^\s<>;:,]+")
_RETURNED = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A mail of ours that didn't arrive, or not yet.

    `message_id` is its Message-ID as the bounce names it, `status` the enhanced code (5.1.1) or "", `detail` one line
    for a person. Not `final`: the server goes on trying. One that gave up after days of trying keeps a code that begins
    with 4 (RFC 3464, 2.3.3 and 2.3.4).
    """

    message_id: str
    recipient: str
    final: bool
    status: str
    detail: str


def bounces(raw: bytes) -> tuple[Failure, ...]:
    """What a delivery report (RFC 3464, or the plain text of an old server) says; nothing for any other mail. What
    was relayed or delivered is no failure. Never raises.
    """
    part = parse(raw)
    reports = [
        one
        for one in part.walk()
        if one.type in {"message/delivery-status", "message/global-delivery-status"}
    ]
    if part.type == "multipart/report" and reports:
        message_id = _returned(part) or _answered(part.headers)
        blocks = reports[0].content(_LARGEST).replace(b"\r\n", b"\n").split(b"\n\n")
        found = (
            _failure(read_headers(block.strip(b"\n") + b"\n"), message_id)
            for block in blocks[:_MOST_RECIPIENTS]
        )
        return tuple(failure for failure in found if failure) if message_id else ()
    return tuple(_in_words(part))


def _returned(part: Part) -> str:
    """The Message-ID of the mail that the report returns, whole or as its header only."""
    for one in part.walk():
        if one.type in _RETURNED:
            headers = one.children[0].headers if one.children else read_headers(one.content(_LARGEST))
            if ids := message_ids(headers.one("Message-ID")):
                return ids[0]
    return ""


def _answered(headers: Headers) -> str:
    """Servers that return nothing name the mail as if they answered it."""
    named = [*message_ids(headers.one("In-Reply-To")), *reversed(message_ids(headers.one("References")))]
    return next(iter(named), "")


def _failure(fields: Headers, message_id: str) -> Failure | None:
    """Of one recipient's group of fields."""
    action = fields.one("Action").partition("(")[0].strip().lower()
    if action not in {"failed", "delayed"}:
        return None
    status = _STATUS.search(fields.one("Status"))
    said = fields.one("Diagnostic-Code")
    code = status[1] if status else next(iter(_STATUS.findall(said)), "")
    recipient = _ADDRESS.search(fields.one("Final-Recipient") or fields.one("Original-Recipient"))
    return Failure(
        message_id=message_id,
        recipient=recipient[0].lower() if recipient else "",
        final=action == "failed",
        status=code,
        detail=_one_line(said.partition(";")[2] or said or f"{action}, status {code or 'unknown'}"),
    )


def _in_words(part: Part) -> Iterator[Failure]:
    """Of servers that write to people only: https://cr.yp.to/proto/qsbmf.txt and Exim.

    They name the failed recipient in a field or give a code, and return the mail, with its Message-ID, below.
    """
    if part.headers.one("Return-Path").replace(" ", "") != "<>" and "mailer-daemon" not in _sender(part):
        return
    text = "\n".join(
        decoded(leaf.content(_LARGEST), "")
        for leaf in part.walk()
        if leaf.type == "text/plain" and not leaf.children
    )[:_LARGEST]
    returned = _returned(part) or next(iter(_RETURNED_ID.findall(text)), "")
    failed = part.headers.one("X-Failed-Recipients")
    code = next((code for code in _STATUS.findall(text) if code[0] in "45"), "")
    if returned and (failed or code):
        at = text.find(code) if code else 0
        line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
        recipient = _ADDRESS.search(failed) or re.search(r"(?<=<)[^\s<>@]+@[^\s<>@]+(?=>)", text)
        whom = recipient[0].lower() if recipient else ""
        yield Failure(returned, whom, bool(failed) or not code.startswith("4"), code, _one_line(line))


def _sender(part: Part) -> str:
    return part.headers.one("From").lower()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
