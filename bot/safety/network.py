"""HTTP to addresses that a model chose: only to the public internet, whatever names and redirects say.

The name is resolved here, every address it has must be public, and the connection goes to the very address that was
checked: a name that answers differently a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text. Raises OSError."""

MOST_REDIRECTS = 5
_SCHEMES = {"http": 80, "https": 443}
_NOT_PUBLIC = (
    ipaddress.ip_network("100.64.0.0/10"),  # carrier-grade NAT, RFC 6598
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    ipaddress.ip_network("198.18.0.0/15"),  # benchmarks, RFC 2544
    ipaddress.ip_network("fec0::/10"),  # once site-local, RFC 3879
)
_TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64, RFC 6052: the last 32 bits are an IPv4 address
    ipaddress.ip_network("64:ff9b:1::/48"),  # local NAT64, RFC 8215
)


class Refused(Exception):
    """An address that isn't fetched; says why."""


@dataclass(frozen=True, slots=True)
class Page:
    """What came back. `url` is where it was found in the end, `cut` says that it was longer."""

    url: str
    status: int
    content_type: str
    body: bytes
    cut: bool


def public(address: str) -> bool:
    """Whether an IP address is one of the public internet; what can't be read is not."""
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and any(ip in network for network in _TRANSLATED):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
    return (
        ip.is_global
        and not ip.is_multicast
        and not any(ip.version == network.version and ip in network for network in _NOT_PUBLIC)
    )


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard(httpx.AsyncBaseTransport):
    """Lets only requests to public addresses through to `inner`, which connects to exactly the checked address.

    `allowed` are hosts that the owner exempted, as "host" or "host:port".
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        resolver: Resolve = resolve,
        allowed: Sequence[str] = (),
    ) -> None:
        self._inner = inner
        self._resolve = resolver
        self._allowed = frozenset(allowed)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `Refused`, and what httpx raises."""
        url = request.url
        if url.scheme not in _SCHEMES:
            raise Refused(f"{url.scheme}: addresses are not fetched, only http and https")
        port = url.port or _SCHEMES[url.scheme]
        host = url.raw_host.decode("ascii")
        request.url = url.copy_with(host=await self._checked(host, port))
        request.extensions = {**request.extensions, "sni_hostname": host}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _checked(self, host: str, port: int) -> str:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Refused(f"{host} can't be found ({error})") from None
        if not found:
            raise Refused(f"{host} has no address")
        if host not in self._allowed and f"{host}:{port}" not in self._allowed:
            for address in found:
                if not public(address):
                    raise Refused(f"{host} is not on the public internet ({address})")
        return found[0]


async def fetch(url: str, guard: httpx.AsyncBaseTransport, *, most_bytes: int, seconds: float) -> Page:
    """Fetch a page, every redirect checked as the first address is. Raises `Refused`, httpx.HTTPError, TimeoutError."""
    headers = {"User-Agent": "nanobot", "Accept": "text/html,application/pdf,text/*;q=0.9,*/*;q=0.5"}
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(
            transport=guard, trust_env=False, headers=headers, follow_redirects=False, timeout=seconds
        ) as client,
    ):
        for _ in range(MOST_REDIRECTS + 1):
            async with client.stream("GET", url) as response:
                target = response.headers.get("location")
                if response.is_redirect and target:
                    url = str(httpx.URL(url).join(target))
                    continue
                body, cut = await _limited(response, most_bytes)
                kind = response.headers.get("content-type", "")
                return Page(url, response.status_code, kind, body, cut)
    raise Refused(f"it redirects more than {MOST_REDIRECTS} times")


async def _limited(response: httpx.Response, most: int) -> tuple[bytes, bool]:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            return bytes(body[:most]), True
    return bytes(body), False
