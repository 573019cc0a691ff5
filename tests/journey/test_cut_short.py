"""Where systemd starts us again after we were cut short, the owner hears of it: one line, once an hour."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bot import app
from bot.config import load_config
from bot.ops.runs import CUT_SHORT, Runs
from channels.terminal import Piece, TerminalChannel
from providers.registry import FoundProvider

HOUR = 3600.0


class _Cut(Exception):
    pass


@asynccontextmanager
async def run(
    folder: Path, at: float, *, killed: bool = False, systemd: bool = True
) -> AsyncIterator[app.App]:
    """One run of the daemon that begins at `at`, and is told to stop at its end, or not."""
    file = folder / "config.toml"
    file.write_text("")
    env = {"HOME": os.environ["HOME"], **({"NOTIFY_SOCKET": str(folder / "notify")} if systemd else {})}

    async def look(_env: Mapping[str, str]) -> Sequence[FoundProvider]:
        return []

    start = app.Start(load_config(file, env), folder / "data", env, look=look, clock=lambda: at)
    with suppress(_Cut):
        async with app.opened(start) as opened:
            yield opened
            if killed:
                raise _Cut
            await opened.stop(5.0)


async def read(opened: app.App, said: str = "") -> str:
    """What the owner reads next at their terminal, after they said something there."""
    terminal = opened.channels["terminal"]
    assert isinstance(terminal, TerminalChannel)
    async with asyncio.timeout(30.0), terminal.listen() as listener:
        if said:
            await terminal.submit(said)
        while True:
            event = await listener.next(10.0)
            if isinstance(event, Piece):
                return event.out.text


async def test_the_owner_reads_that_a_run_was_cut_short(tmp_path: Path) -> None:
    async with run(tmp_path, 1e9, killed=True) as opened:
        assert "/new" in await read(opened, "/help")
    async with run(tmp_path, 1e9) as opened:
        assert await read(opened) == f"⚠️ {CUT_SHORT}"


async def test_it_is_said_once_an_hour_and_never_of_a_run_that_was_stopped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard = []
    runs = ((0, True), (10, True), (20, True), (30, False), (40, True), (2 * HOUR, True), (4 * HOUR, False))
    for at, killed in runs:
        async with run(tmp_path, 1e9 + at, killed=killed):
            heard.append(CUT_SHORT in caplog.text)
        caplog.clear()
    assert heard == [False, True, False, False, False, True, True]


async def test_who_is_not_started_again_by_systemd_needs_not_be_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        async with run(tmp_path, 1e9, killed=True, systemd=False):
            assert CUT_SHORT not in caplog.text


def test_a_note_that_is_damaged_or_can_not_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"\xff\x00")
    assert not Runs(tmp_path / "run", lambda: 1e9).begin()
    nowhere = Runs(tmp_path / "none" / "run", lambda: 1e9)
    assert not nowhere.begin()
    nowhere.end()
