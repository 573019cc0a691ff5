"""`nanobot login whatsapp`: by a QR code, by a typed code, and everything that ends it early."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from channels.adapters.whatsapp.linked.keeper import MARK
from channels.adapters.whatsapp.linked.login import Patience, drawn, login
from channels.errors import ChannelError
from channels.testing import host
from tests.fakes.whatsapp_linked import protos
from tests.fakes.whatsapp_linked.protos import SITE
from tests.fakes.whatsapp_linked.server import LinkedFake
from tests.unit.channels.whatsapp_linked.running import linked, out

pytestmark = protos.needed

QUICK = Patience(code=10.0, person=10.0, settle=0.01)


@dataclass
class AtTerminal:
    wa: LinkedFake
    folder: Path
    said: list[str] = field(default_factory=list)

    async def login(self, number: str = "", patience: Patience = QUICK) -> None:
        await login(host(self.folder), self.said.append, number, command=self.wa.command, patience=patience)

    async def once(self, predicate: Callable[[], object], act: Callable[[], None]) -> None:
        await self.wa.until(predicate)
        act()


@asynccontextmanager
async def at_terminal(folder: Path) -> AsyncIterator[AtTerminal]:
    async with LinkedFake() as wa:
        yield AtTerminal(wa, folder)


async def test_a_scanned_code_links_and_the_one_reconnection_after_it_is_no_failure(tmp_path: Path) -> None:
    async with at_terminal(tmp_path) as there:

        async def phone() -> None:
            await there.once(lambda: there.wa.connections == 1, lambda: there.wa.show_code("2@abc"))
            await there.once(lambda: len(there.said) == 2, lambda: there.wa.show_code("2@def"))
            await there.once(lambda: len(there.said) == 3, there.wa.scanned)

        await asyncio.gather(there.login(), phone())

    assert there.wa.connections == 2
    assert "may ban the number" in there.said[0]
    assert drawn("2@abc") in there.said[1]
    assert drawn("2@def") in there.said[2]
    assert "Linked devices" in there.said[2]
    assert there.said[-1].startswith("Linked.")
    assert (tmp_path / MARK).exists()


async def test_a_number_gives_a_code_to_type(tmp_path: Path) -> None:
    async with at_terminal(tmp_path) as there:

        async def phone() -> None:
            await there.once(lambda: there.wa.connections == 1, lambda: there.wa.show_code("2@abc"))
            await there.once(lambda: any("ABCD-1234" in line for line in there.said), there.wa.scanned)

        await asyncio.gather(there.login("+49 (151) 123-45678"), phone())

    assert not any("█" in line for line in there.said)


@pytest.mark.parametrize("number", ["0151 12345678", "12345", "anna", "+49 151 12345678 ext 4"])
async def test_what_is_no_international_number_is_refused_before_anything_starts(
    tmp_path: Path, number: str
) -> None:
    async with at_terminal(tmp_path) as there:
        with pytest.raises(ChannelError, match="country code"):
            await there.login(number)
    assert there.wa.connections == 0


async def test_nobody_scans(tmp_path: Path) -> None:
    async with at_terminal(tmp_path) as there:
        showing = asyncio.create_task(
            there.once(lambda: there.wa.connections, lambda: there.wa.show_code("2@abc"))
        )
        with pytest.raises(ChannelError, match="nobody took the code"):
            await there.login(patience=Patience(code=10.0, person=0.1))
        await showing
    assert not (tmp_path / MARK).exists()


async def test_no_code_comes(tmp_path: Path) -> None:
    async with at_terminal(tmp_path) as there:
        with pytest.raises(ChannelError, match="internet"):
            await there.login(patience=Patience(code=1.0))


async def test_no_network(tmp_path: Path) -> None:
    async with at_terminal(tmp_path) as there:
        command = there.wa.command
    with pytest.raises(ChannelError, match="can't be reached"):
        await login(host(tmp_path), there.said.append, command=command, patience=QUICK)


async def test_a_phone_that_is_linked_already_is_left_alone(tmp_path: Path) -> None:
    async with at_terminal(tmp_path) as there:
        there.wa.link(tmp_path)
        with pytest.raises(ChannelError, match="linked already"):
            await there.login()


async def test_a_running_daemon_keeps_its_link(tmp_path: Path) -> None:
    async with linked(tmp_path) as here:
        await here.channel.send(out(1, "hello"))
        with pytest.raises(ChannelError, match="is running with a phone linked"):
            await login(host(tmp_path), lambda _: None, command=here.wa.command, patience=QUICK)
        await here.channel.send(out(2, "still here"))


async def test_giving_up_leaves_no_process(tmp_path: Path) -> None:
    async with at_terminal(tmp_path) as there:
        task = asyncio.create_task(there.login())
        await there.wa.until(lambda: there.wa.connections)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await there.wa.until(lambda: there.wa._writer is None or there.wa._writer.is_closing())


def test_the_stand_in_has_the_librarys_own_signatures() -> None:
    """Both in processes of their own: the library starts threads as it is imported."""
    ask = (
        "import inspect, neonize.client as c\n"
        "names = [n for n in vars(c.NewClient) if n in set('''{names}'''.split())]\n"
        "print(sorted((n, str(inspect.signature(getattr(c.NewClient, n)).replace(return_annotation='', parameters=["
        "p.replace(annotation=inspect.Parameter.empty) for p in "
        "inspect.signature(getattr(c.NewClient, n)).parameters.values()]))) for n in names"
        " if callable(getattr(c.NewClient, n))))"
    )
    names = "send_message edit_message build_reaction upload mark_read send_chat_presence send_presence"
    names += " get_pn_from_lid get_me PairPhone stop __init__"
    real, fake = (
        subprocess.run(
            [sys.executable, "-c", ask.format(names=names)],
            env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for path in ("", str(SITE))
    )
    assert real == fake
    assert "send_chat_presence" in real
