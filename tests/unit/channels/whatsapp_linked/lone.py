"""A daemon in small: `python -m ...whatsapp_linked.lone FOLDER COMMAND...` runs a channel until it is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from channels.adapters.whatsapp.linked.channel import LinkedChannel
from channels.testing import host, unreported
from channels.types import Inbound
from tests.unit.channels.whatsapp_linked.running import Settings


async def main(folder: Path, command: Sequence[str]) -> None:
    async def take(_batch: Sequence[Inbound]) -> None:
        """Stored, as far as anybody can tell."""

    await LinkedChannel(Settings(), host(folder), command=command).run(take, unreported)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
