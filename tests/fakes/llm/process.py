"""The fake as a process of its own, started and ended by a test."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.llm.control import LLMControl

_ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def llm_process(*arguments: str) -> AsyncIterator[LLMControl]:
    """`python -m tests.fakes.llm` with these arguments; it ends with the block, or with this process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.fakes.llm", "--while-stdin-open", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        hello = json.loads(line)
        control = LLMControl(hello["url"], hello["base_url"], hello["pid"])
        try:
            yield control
        finally:
            await control.aclose()
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
