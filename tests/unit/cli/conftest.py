"""A control socket where commands look for a daemon, in front of which the tests of the command line sit."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot import paths
from bot.cli.client import Client
from bot.cli.options import Options
from tests.fakes.control import FakeControl


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """As from a command line that names a data folder of its own."""
    return Options(config=None, data=tmp_path / "data", verbose=False, env=dict(os.environ))


@pytest.fixture
async def control(options: Options) -> AsyncIterator[FakeControl]:
    socket = paths.socket_path(options.data_folder, options.env)
    paths.make_socket_folder(socket)
    async with FakeControl(socket).serving() as fake:
        yield fake


@pytest.fixture
async def client(control: FakeControl) -> AsyncIterator[Client]:
    async with Client(control.path) as made:
        yield made
