"""The stand-in as a program: `python -m tests.fakes.telegram`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.telegram import TelegramFake


def main(kind: type[TelegramFake]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.telegram", description="Bot API stand-in")
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    parser.add_argument("--token", help="the bot's token; a made-up one if absent")
    parser.add_argument("--validate", action="store_true", help="check against aiogram's models (slow start)")
    parser.add_argument("--limits", action="store_true", help="flood control")
    parser.add_argument("--no-privacy", action="store_true", help="the bot sees all messages of its groups")
    parser.add_argument("--until-stdin-closes", action="store_true", help="leave when the parent is gone")
    asyncio.run(_serve(kind, parser.parse_args()))


async def _serve(kind: type[TelegramFake], arguments: argparse.Namespace) -> None:
    """Print the addresses as one line of JSON, then serve until a signal or the end of standard input."""
    token = {"token": arguments.token} if arguments.token else {}
    fake = kind(
        **token,
        port=arguments.port,
        validate=arguments.validate,
        limits=arguments.limits,
        privacy=not arguments.no_privacy,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with fake:
        if arguments.until_stdin_closes:
            loop.add_reader(sys.stdin.fileno(), _stop_at_end, sys.stdin.fileno(), stop)
        addresses = {"url": fake.url, "base_url": fake.base_url, "base_file_url": fake.base_file_url}
        sys.stdout.write(json.dumps({**addresses, "token": fake.token, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        await stop.wait()
        fake.complaints.clear()


def _stop_at_end(descriptor: int, stop: asyncio.Event) -> None:
    if not os.read(descriptor, 4096):
        stop.set()
