"""The way to a provider's server, one step after the other: its name, the connection, its certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
import urllib.request
from urllib.parse import urlsplit

from bot.ops.doctor import Finding
from providers.settings import ProviderSettings

_CONNECT_WITHIN = 5.0


async def connection(name: str, settings: ProviderSettings, *, local: bool) -> Finding:
    """Name, TCP and TLS, one after the other; only those where a proxy stands in between that are left to us."""
    address = urlsplit(settings.api_base or "")
    host, secure = address.hostname or "", address.scheme == "https"
    try:
        port = address.port or (443 if secure else 80)
    except ValueError:
        return Finding(
            "error", name, f"{settings.api_base} is no address", "correct its section in the configuration"
        )
    if not local and (proxy := _proxy(address.scheme, host)):
        return Finding("ok", name, f"{host} is asked through the proxy {proxy}")
    began = time.monotonic()
    steps: list[str] = []
    try:
        async with asyncio.timeout(_CONNECT_WITHIN):
            await _reach(host, port, steps, secure=secure)
    except (OSError, TimeoutError, UnicodeError) as error:
        return Finding("error", name, *_no_connection(error, (host, port), steps[-1], local=local))
    return Finding("ok", name, f"{host}: {', '.join(steps)} in {(time.monotonic() - began) * 1000:.0f} ms")


async def _reach(host: str, port: int, steps: list[str], *, secure: bool) -> None:
    """Go as far as possible; `steps` ends with the one that failed."""
    steps.append("DNS")
    await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    steps.append("TCP")
    _, writer = await asyncio.open_connection(host, port)
    try:
        if secure:
            steps.append("TLS")
            await writer.start_tls(ssl.create_default_context(), server_hostname=host)
    finally:
        writer.transport.abort()


def _no_connection(error: Exception, at: tuple[str, int], step: str, *, local: bool) -> tuple[str, str]:
    """What happened, and what to do about it."""
    host, port = at
    start = "start its server, or correct api_base in the configuration"
    network = start if local else "look at this machine's network, and whether a firewall is in between"
    match error:
        case ssl.SSLCertVerificationError():
            fix = "is something in between (a captive portal, a scanner), or this machine's clock wrong?"
            return f"the certificate of {host} is not trusted: {error.verify_message}", fix
        case _ if step == "DNS":
            return f"the name {host} can't be resolved (DNS)", f"{network}; is api_base right?"
        case _ if step == "TLS":
            return f"{host}:{port} takes no encrypted connection (TLS)", "should api_base begin with http://?"
        case ConnectionRefusedError():
            return f"nothing listens at {host}:{port}", network
        case TimeoutError():
            return f"no connection to {host}:{port} within {_CONNECT_WITHIN:.0f} s (TCP)", network
    return f"no connection to {host}:{port} (TCP): {error}", network


def _proxy(scheme: str, host: str) -> str:
    """The host of the environment's proxy for an address, or ""."""
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(host):
        return ""
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    return urlsplit(proxy).hostname or "" if proxy else ""
