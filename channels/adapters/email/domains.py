"""Domains as authentication compares them. Pure, without network."""

from __future__ import annotations

import re

import tld

_DOMAIN = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def domain_of(address: str) -> str:
    """Of an address, or a domain itself: in lower case and ASCII; "" for what is none."""
    domain = address.strip().strip("<>").rpartition("@")[2].rstrip(".").lower()
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return domain if _DOMAIN.fullmatch(domain) else ""


def on_the_wire(address: str) -> str:
    """An address with its domain in ASCII."""
    return f"{address.rpartition('@')[0]}@{domain_of(address)}"


def organisation(domain: str) -> str:
    """The organisational domain (RFC 7489, 3.2): what somebody registered below a public suffix.

    The suffixes are those of the Public Suffix List that comes with the library `tld`, private ones included: whoever
    writes from one customer's name at a hoster isn't another one. A domain with no known suffix stands for itself.
    """
    found = (
        tld.get_fld(domain, fix_protocol=True, fail_silently=True, search_private=True) if domain else None
    )
    return found or domain


def aligned(one: str, other: str) -> bool:
    """Relaxed alignment (RFC 7489, 3.1): both belong to one organisation."""
    return bool(one and other) and (one == other or organisation(one) == organisation(other))
