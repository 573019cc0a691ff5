"""What Meta's errors mean, by their codes, on a request or in a status that comes later. Pure.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

import httpx

from channels.adapters.whatsapp.cloud.fields import number, part, words
from channels.adapters.whatsapp.cloud.reading import error_words
from channels.errors import DeliveryError, NotSent, Refused, Unknown

_RENEW = (
    "WhatsApp refuses the access token: make a new one for the system user at business.facebook.com (Settings, System "
    "users, Generate token; permissions whatsapp_business_messaging and whatsapp_business_management; no expiry), "
    "put it where `token` in [channels.whatsapp] points, and restart nanobot"
)
_PERMISSION_FIX = (
    "the access token may not use this number: give its system user the WhatsApp account and the permission "
    "whatsapp_business_messaging, then make a new token; check phone_number_id in [channels.whatsapp] too"
)

_LONG = 300.0
"""Seconds until what only the owner can mend is tried again."""


class Scope(Enum):
    """What rests after a refusal."""

    NOTHING = auto()
    CHAT = auto()
    NUMBER = auto()
    WINDOW = auto()
    """The chat, until its reader writes."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """`wait` in seconds, before it is tried again; `fix` is what only the owner can do about it."""

    outcome: type[DeliveryError]
    detail: str = ""
    scope: Scope = Scope.NOTHING
    wait: float = 0.0
    fix: str = ""


def _owners(fix: str, scope: Scope = Scope.NUMBER) -> Meaning:
    return Meaning(NotSent, fix.partition(":")[0], scope, _LONG, fix)


_AGAIN = Meaning(NotSent)
_NEVER = Meaning(Refused)
_TOKEN = _owners(_RENEW)
_PERMISSION = _owners(_PERMISSION_FIX)
_TEMPLATE = _owners(
    "WhatsApp refuses the template: check `template` in [channels.whatsapp] against the one at Meta",
    Scope.CHAT,
)
_LOCKED = _owners(
    "WhatsApp has restricted this business account: Account quality at business.facebook.com says why and takes appeals"
)
_UNREGISTERED = _owners(
    "the number is not registered for the Cloud API: register it at developers.facebook.com (WhatsApp, API setup), "
    "as docs/WHATSAPP.md says"
)
_MEANINGS: Mapping[int, Meaning] = {
    0: _TOKEN,
    190: _TOKEN,
    3: _PERMISSION,
    10: _PERMISSION,
    4: Meaning(NotSent, "WhatsApp's limit of requests is reached", Scope.NUMBER, 60.0),
    80007: Meaning(NotSent, "WhatsApp's limit of requests is reached", Scope.NUMBER, 60.0),
    130429: Meaning(NotSent, "WhatsApp asks this number to send less", Scope.NUMBER, 4.0),
    131056: Meaning(NotSent, "WhatsApp asks to send less to this person", Scope.CHAT, 4.0),
    131047: Meaning(NotSent, "more than 24 hours have passed since they last wrote", Scope.WINDOW),
    131048: _owners(
        "WhatsApp limits this number, as people blocked or reported it: business.facebook.com, WhatsApp manager, shows "
        "its quality"
    ),
    131030: _owners(
        "this is one of Meta's test numbers, which writes only to people on its list: add theirs at "
        "developers.facebook.com (WhatsApp, API setup, To)",
        Scope.CHAT,
    ),
    131042: _owners("WhatsApp misses a way of payment: add one at business.facebook.com (Billing)"),
    131045: _UNREGISTERED,
    133010: _UNREGISTERED,
    368: _LOCKED,
    131031: _LOCKED,
    130497: _NEVER,
    130472: _NEVER,
    131026: Meaning(Refused, "it can't be delivered: no WhatsApp at this number, or too old an app"),
    131050: _NEVER,
    131049: _NEVER,
    131008: _NEVER,
    131009: _NEVER,
    131021: _NEVER,
    131051: _NEVER,
    131052: _NEVER,
    131053: _NEVER,
    100: _NEVER,
    1: _AGAIN,
    2: _AGAIN,
    131000: _AGAIN,
    131016: _AGAIN,
    131057: _AGAIN,
    133004: _AGAIN,
}
_OBJECT_MISSING = 33
"""A subcode of 100: the id in the address is not there, or not for this token."""


class GraphError(Exception):
    """Meta's server refused, in its own form. `wait` is in seconds, 0 where it named none."""

    def __init__(self, code: int, said: str, *, subcode: int = 0, wait: float = 0.0) -> None:
        super().__init__(f"({code}) {said}")
        self.code = code
        self.subcode = subcode
        self.said = said
        self.wait = wait

    @property
    def missing(self) -> bool:
        """Whether what the address names is not there."""
        return self.code == 100 and self.subcode == _OBJECT_MISSING


def meaning(code: int) -> Meaning:
    if 200 <= code < 300:
        return _PERMISSION
    if 132000 <= code < 133000:
        return _TEMPLATE
    return _MEANINGS.get(code, _NEVER)


def meaning_of(error: GraphError) -> Meaning:
    return _PERMISSION if error.missing else meaning(error.code)


def delivery_error(error: GraphError, wait: float | None = None) -> DeliveryError:
    """What became of a message whose sending failed like this; `wait` as it was found to be best."""
    found = meaning_of(error)
    detail = found.detail or f"WhatsApp says: {error.said or 'nothing'} ({error.code})"
    if found.outcome is NotSent:
        return NotSent(detail, retry_after=error.wait or wait or found.wait or None)
    return found.outcome(detail)


def answered(response: httpx.Response) -> Mapping[str, object]:
    """The object of a success. Raises GraphError, or DeliveryError where the answer is not Meta's."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.is_success and isinstance(body, dict):
        return body
    if response.is_success:
        raise Unknown("WhatsApp's answer could not be read")
    error = part(body, "error") if isinstance(body, dict) else {}
    if not error:
        raise _foreign(response.status_code)
    code, transient = int(number(error, "code")), error.get("is_transient") is True
    if response.status_code >= 500 and meaning(code) is not _AGAIN and not transient:
        raise Unknown(f"WhatsApp's server failed: {error_words(error)}")
    if response.status_code >= 500 and code in (1, 2, 131000) and not transient:
        raise Unknown(f"WhatsApp's server failed ({code})")
    if response.status_code == httpx.codes.UNAUTHORIZED:
        code = 190
    raise GraphError(
        code,
        _harmless(error_words(error) or words(error, "type"), code),
        subcode=int(number(error, "error_subcode")),
        wait=_asked_to_wait(response),
    )


def lost(error: httpx.HTTPError | httpx.InvalidURL) -> DeliveryError:
    """What became of a request that broke."""
    cause = " ".join(str(error).split())[:120] or type(error).__name__
    if isinstance(error, _BEFORE_SENDING):
        return NotSent(f"WhatsApp can't be reached: {cause}")
    if isinstance(error, httpx.TimeoutException):
        return Unknown("WhatsApp did not answer in time")
    return Unknown(f"the connection to WhatsApp broke: {cause}")


_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)
"""The request never left, or not as a whole."""


def _foreign(status: int) -> Exception:
    """Of an answer that holds none of Meta's errors."""
    if status == httpx.codes.UNAUTHORIZED:
        return GraphError(190, "no reason given")
    if status >= 500:
        return Unknown(f"WhatsApp's server failed with status {status}")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return GraphError(80007, "too many requests")
    return NotSent(f"something between here and WhatsApp refused with status {status}")


def _harmless(said: str, code: int) -> str:
    """Without a token that Meta quotes when it can't read it."""
    return "the access token is refused" if meaning(code) is _TOKEN else said


def _asked_to_wait(response: httpx.Response) -> float:
    header = response.headers.get("retry-after", "")
    return float(header) if header.isdecimal() else 0.0
