"""`python -m tests.fakes.llm --port 0`: one JSON line with the address, then answers until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from typing import get_args

from tests.fakes.llm.control import Control
from tests.fakes.llm.peers import Kind, Setup
from tests.fakes.llm.server import LLMFake


def main() -> None:
    options = _parser().parse_args()
    setup = Setup(
        kind=options.kind,
        models=tuple(options.model or ["fake-1"]),
        key=options.key,
        prefix=options.prefix,
        n_ctx=options.n_ctx,
        tools=not options.no_tools,
        strict=not options.lax,
    )
    asyncio.run(_serve(setup, options.port, while_stdin_open=options.while_stdin_open))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.llm", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    parser.add_argument("--kind", choices=get_args(Kind), default="openai", help="the server to pass for")
    parser.add_argument("--model", action="append", help="an id to list; may be repeated")
    parser.add_argument("--key", default="", help="the bearer to ask for")
    parser.add_argument("--prefix", default="/v1", help="path of the API")
    parser.add_argument("--n-ctx", type=int, default=8192, help="window to state, in tokens")
    parser.add_argument("--no-tools", action="store_true", help="say that the model knows no tools")
    parser.add_argument("--lax", action="store_true", help="don't refuse faulty requests")
    parser.add_argument("--while-stdin-open", action="store_true", help="end when standard input closes")
    return parser


async def _serve(setup: Setup, port: int, *, while_stdin_open: bool) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    if while_stdin_open:
        loop.add_reader(sys.stdin.fileno(), lambda: end.set() if not os.read(0, 4096) else None)
    async with LLMFake(setup=setup, port=port) as llm:
        Control(llm)
        sys.stdout.write(json.dumps({"url": llm.url, "base_url": llm.base_url, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        await end.wait()


if __name__ == "__main__":
    main()
