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
    try:
        async with asyncio.timeout(_CONNECT_WITHIN):
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            context = ssl.create_default_context() if secure else None
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.close()
    except (OSError, TimeoutError, UnicodeError) as error:
        return Finding("error", name, *_no_connection(error, host, port, local=local))
    steps = "name, connection and certificate" if secure else "connection"
    return Finding("ok", name, f"{host}: {steps} are fine ({(time.monotonic() - began) * 1000:.0f} ms)")


def _no_connection(error: Exception, host: str, port: int, *, local: bool) -> tuple[str, str]:
    network = "look at this machine's network, and whether a firewall is in between"
    start = "start its server, or correct api_base in the configuration"
    match error:
        case socket.gaierror():
            return (
                f"the name {host} can't be resolved (DNS)",
                start if local else f"{network}; is api_base right?",
            )
        case ssl.SSLCertVerificationError():
            fix = "is something in between (a captive portal, a scanner), or this machine's clock wrong?"
            return f"the certificate of {host} is not trusted: {error.verify_message}", fix
        case ssl.SSLError():
            return f"{host}:{port} speaks no TLS: {error.reason}", "http:// instead of https:// in api_base?"
        case ConnectionRefusedError():
            return f"nothing listens at {host}:{port}", start if local else network
        case TimeoutError():
            return (
                f"no connection to {host}:{port} within {_CONNECT_WITHIN:.0f} s",
                start if local else network,
            )
    return f"no connection to {host}:{port}: {error}", start if local else network


def _proxy(scheme: str, host: str) -> str:
    """The host of the environment's proxy for an address, or ""."""
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(host):
        return ""
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    return urlsplit(proxy).hostname or "" if proxy else ""
