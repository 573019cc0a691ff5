"""Whether the owner's own mail server found that a mail comes from whom it says. Pure.

Only what that server itself stamped counts: https://www.rfc-editor.org/rfc/rfc8601, above all section 5 on forged
fields. Servers put their fields above those a mail came with, and must take off others with their own name. So the
topmost stamps count, as long as nothing of the mail's earlier way stands between them; a stamp with the same name
further down, or two that contradict each other, mean that somebody tries to speak for the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from channels.adapters.email.domains import aligned, domain_of, organisation
from channels.adapters.email.headers import Headers
from channels.adapters.email.stamps import Result, Stamp, read_stamp

NAMELESS = "-"
"""The `authserv_id` of servers that leave their name out of the header, as Microsoft's do."""

_STAMP = "authentication-results"
_WRITTEN_BY_THE_SENDER = frozenset(
    {"from", "to", "subject", "date", "message-id", "mime-version", "content-type"}
)
_UNDECIDED = frozenset({"none", "temperror", "permerror", "bestguesspass"})
_About = tuple[str, ...]
_RECEIVED_BY = re.compile(r"\bby\s+([\w.-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` says in one line what proved the sender, or why nothing did."""

    authentic: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Learned:
    """The name a server stamps with. `sure`: a server of that organisation received each of the mails after, or as,
    the stamp was written.
    """

    authserv_id: str
    sure: bool


def verdict(headers: Headers, sender: str, authserv_id: str) -> Verdict:
    """Of a mail's header, its one From address and the name that the owner's server stamps with: a provider's many
    servers are "*.example.org".
    """
    own = _one_of(headers, authserv_id.strip().lower())
    values = headers.all(_STAMP)
    stamps = [read_stamp(value) for value in values]
    if not own or not stamps:
        return Verdict(False, "its server stamped nothing on it" if own else "the server's name isn't known")
    count = _topmost(headers, own)
    if not count:
        return Verdict(False, f"its topmost stamp is not by {_shown(own)}")
    if any(stamp is not None and _name(stamp) == own for stamp in stamps[count:]):
        return Verdict(
            False, f"a second stamp with the name {_shown(own)} stands below foreign headers: forged"
        )
    if any(
        stamp is None and value.lstrip().lower().startswith(own)
        for stamp, value in zip(stamps, values, strict=True)
    ):
        return Verdict(False, f"a stamp of {_shown(own)} can't be read")
    counted = [stamp.results for stamp in stamps[:count] if stamp]
    if contradiction := _contradiction(counted):
        return Verdict(False, f"its stamps contradict each other on {contradiction}")
    return _proof([result for results in counted for result in results], domain_of(sender))


def stamped(headers: Headers, authserv_id: str) -> bool:
    """Whether the owner's server stamped this mail at all, whatever it found."""
    return bool(_topmost(headers, _one_of(headers, authserv_id.strip().lower())))


def _one_of(headers: Headers, own: str) -> str:
    """Of a name that stands for many, the one that wrote the topmost stamp."""
    if not own.startswith("*."):
        return own
    stamp = read_stamp(headers.one(_STAMP))
    name = _name(stamp) if stamp else ""
    return name if name.endswith(own[1:]) else own


def learn(mails: Iterable[Headers]) -> Learned | None:
    """The name in the topmost stamp of mails that the owner's server delivered; None where there is none, or where
    they differ.
    """
    names, by = set(), []
    for headers in mails:
        if top := headers.one(_STAMP):
            stamp = read_stamp(top)
            names.add(_name(stamp) if stamp else "")
            by.append({organisation(domain_of(host)) for host in _receivers(headers)} - {""})
    if len(names) != 1 or not (name := names.pop()):
        return None
    own = organisation(domain_of(name))
    return Learned(name, all(own in received for received in by))


def _shown(own: str) -> str:
    return "the server itself" if own == NAMELESS else own


def _name(stamp: Stamp) -> str:
    return stamp.authserv_id or NAMELESS


def _receivers(headers: Headers) -> list[str]:
    """The names of the servers that received the mail above its topmost stamp, which no sender can write; where the
    stamp stands at the top, of the one below it.
    """
    found: list[str] = []
    below = False
    for name, value in headers.fields:
        below = below or name.lower() == _STAMP
        if name.lower() == "received":
            if below and found:
                break
            match = _RECEIVED_BY.search(value)
            found.append(match[1] if match else "")
            if below:
                break
    return found


def _topmost(headers: Headers, own: str) -> int:
    """How many stamps at the top are the server's own, before anything that the mail brought along."""
    count = 0
    for field, value in headers.fields:
        name = field.lower()
        if name == _STAMP:
            stamp = read_stamp(value)
            if stamp is None or _name(stamp) != own:
                return count
            count += 1
        elif name in _WRITTEN_BY_THE_SENDER or (count and name == "received"):
            return count
    return count


def _contradiction(stamps: Sequence[Sequence[Result]]) -> str:
    """The method of which different things are said about the same; "" where there is none.

    Two signatures of one domain may differ within a stamp, but no two stamps on them.
    """
    said: dict[_About, set[str]] = {}
    for results in stamps:
        here: dict[_About, set[str]] = {}
        for result in results:
            if about := _about(result):
                here.setdefault(about, set()).add(result.result)
        for about, found in here.items():
            if said.setdefault(about, found) != found or (about[0] != "dkim" and len(found) > 1):
                return about[0]
    return ""


def _about(result: Result) -> _About | None:
    found = result.properties
    if result.method == "dmarc":
        return ("dmarc",)
    if result.method == "spf":
        return ("spf", _domain(found, "smtp.mailfrom") or found.get("smtp.helo", "").lower())
    if result.method == "dkim":
        return ("dkim", _signer(found), found.get("header.s", ""), found.get("header.b", ""))
    return None


def _domain(properties: Mapping[str, str], name: str) -> str:
    return domain_of(properties.get(name, ""))


def _signer(properties: Mapping[str, str]) -> str:
    """The signing domain; some servers name the identity only, which lies in it."""
    return _domain(properties, "header.d") or _domain(properties, "header.i")


def _mail_from(properties: Mapping[str, str]) -> str:
    return _domain(properties, "smtp.mailfrom")


def _proof(results: list[Result], domain: str) -> Verdict:
    judged = [result for result in results if result.method == "dmarc"]
    for result in judged:
        if result.result not in {*_UNDECIDED, "pass"}:
            return Verdict(False, f"DMARC says {result.result}")
        about = _domain(result.properties, "header.from")
        if about and about != domain:
            return Verdict(False, f"DMARC judged {about}, but it is from {domain}")
        if result.result == "pass" and about:
            return Verdict(True, f"DMARC passed for {domain}")
    for method, of in (("dkim", _signer), ("spf", _mail_from)):
        for result in results:
            if (result.method, result.result) == (method, "pass") and aligned(of(result.properties), domain):
                return Verdict(True, f"{method.upper()} passed for {of(result.properties)}")
    said = ", ".join(
        dict.fromkeys(f"{r.method}={r.result}" for r in results if r.method in {"dkim", "spf", "dmarc"})
    )
    return Verdict(False, f"nothing proves that it is from {domain}" + (f" ({said[:200]})" if said else ""))
