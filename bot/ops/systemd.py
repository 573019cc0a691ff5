"""What systemd is told: ready, reloading, stopping, how it stands, and that we are alive (sd_notify(3)).

Alive is what does its work or waits for it within its own bounds. A channel without a network is alive as long as its
loop turns; one whose loop hangs is not, and then the watchdog is left unfed, so that systemd starts us again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping

log = logging.getLogger(__name__)

_STATUS_EVERY = 30.0
"""Seconds between two looks at the state that `systemctl status` shows."""


class Notifier:
    """Sends to the socket that systemd named; without one it does nothing."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._address = env.get("NOTIFY_SOCKET", "")
        usec = env.get("WATCHDOG_USEC", "")
        self.watchdog = int(usec) / 1e6 if self._address and usec.isdecimal() else None
        """Seconds after which systemd takes us for hanging; None where it doesn't look."""

    def __bool__(self) -> bool:
        return bool(self._address)

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def status(self, line: str) -> None:
        self._send(f"STATUS={' '.join(line.split())[:200]}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # An address that begins with @ lies in the abstract name space (sd_notify(3)).
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.sendto(text.encode(), address)
        except OSError as error:
            log.warning("systemd could not be told %s: %s", text.partition("=")[0], error)


async def keep_told(
    notifier: Notifier, hanging: Callable[[], Awaitable[str]], line: Callable[[], Awaitable[str]]
) -> None:
    """Feed the watchdog and keep the status line current, for ever. `hanging` says what doesn't turn any more, "" where
    all does; `line` how it stands.
    """
    every = min(notifier.watchdog / 3, _STATUS_EVERY) if notifier.watchdog else _STATUS_EVERY
    shown = ""
    while True:
        what = await hanging()
        if what:
            log.critical("hanging: %s; the watchdog is not fed any more", what)
            notifier.status(f"hanging: {what}")
        else:
            notifier.alive()
            if (now := await line()) != shown:
                shown = now
                notifier.status(now)
        await asyncio.sleep(every)
