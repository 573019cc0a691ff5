"""The bot as a linked device of WhatsApp's: all of the bot, the real child, and a stand-in for WhatsApp itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.cli.login_channel import login_channel
from bot.cli.options import Options
from bot.errors import BotError
from tests.fakes.llm import LLMFake
from tests.fakes.whatsapp_linked import protos
from tests.fakes.whatsapp_linked.messages import From, text
from tests.fakes.whatsapp_linked.server import LinkedFake
from tests.journey.conversation import provider, running

pytestmark = protos.needed

ANNA = "4915112345678"
HER_JID = f"{ANNA}@s.whatsapp.net"
PEOPLE = '[people.anna]\nrole = "owner"\nwhatsapp = "+49 151 12345678"\n'
CHANNEL = '[channels.whatsapp]\nmode = "linked"\n'


@pytest.fixture
async def wa(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LinkedFake]:
    """Whatever starts the linked mode's child gets to this instead of WhatsApp."""
    async with LinkedFake() as fake:
        for name, value in fake.settings.items():
            monkeypatch.setenv(name, value)
        yield fake


def folder_of(data: Path) -> Path:
    return data / "channels" / "whatsapp"


async def test_a_message_is_answered_and_shown_as_read(wa: LinkedFake, tmp_path: Path) -> None:
    wa.link(folder_of(tmp_path / "data"))
    async with LLMFake() as llm:
        async with running(tmp_path, provider("one", llm.base_url) + PEOPLE + CHANNEL):
            wa.say(text("hello", From(writer=ANNA, id="A1")))
            await wa.until(lambda: "You said: hello" in "".join(wa.texts(HER_JID)))

    assert wa.read == ["A1"]
    assert len(wa.shown) == 1


async def test_a_stranger_gets_a_code_and_no_answer(wa: LinkedFake, tmp_path: Path) -> None:
    wa.link(folder_of(tmp_path / "data"))
    async with LLMFake() as llm:
        async with running(tmp_path, provider("one", llm.base_url) + PEOPLE + CHANNEL):
            wa.say(text("hello", From(writer="4917099999999")))
            await wa.until(lambda: wa.shown)

    assert "You said" not in wa.shown[0].text
    assert not llm.requests


@asynccontextmanager
async def daemon(config: Path, data: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-m", "tests.crash.daemon", str(config), str(data))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined] # else its end of the pipe is left to the collector


async def test_what_comes_while_the_daemon_is_dead_is_answered_once_and_no_child_outlives_it(
    wa: LinkedFake, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    wa.link(folder_of(data))
    async with LLMFake() as llm:
        config = tmp_path / "config.toml"
        config.write_text(provider("one", llm.base_url) + PEOPLE + CHANNEL)
        async with daemon(config, data) as first:
            wa.say(text("before", From(writer=ANNA)))
            await wa.until(lambda: "You said: before" in "".join(wa.texts(HER_JID)))
            children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
            assert len(children) == 1
            first.kill()
            await first.wait()
            await wa.until(lambda: not Path(f"/proc/{children[0]}").exists())

        wa.say(text("while it was dead", From(writer=ANNA)))
        async with daemon(config, data):
            await wa.until(lambda: "while it was dead" in "".join(wa.texts(HER_JID)), 20.0)

    assert [one.partition("\n")[0] for one in wa.texts(HER_JID)] == [
        "You said: before",
        "You said: while it was dead",
    ]


async def test_linking_by_the_command_is_taken_up_by_a_running_bot(wa: LinkedFake, tmp_path: Path) -> None:
    options = Options(config=tmp_path / "config.toml", data=tmp_path / "data", verbose=False, env={})
    async with LLMFake() as llm:
        assert options.config is not None
        options.config.write_text(provider("one", llm.base_url) + PEOPLE + CHANNEL)
        async with running(tmp_path, options.config.read_text()) as app:
            await wa.until(lambda: "login whatsapp" in app.channels["whatsapp"].status.detail)
            said: list[str] = []

            async def phone() -> None:
                await wa.until(lambda: wa.connections)
                wa.show_code("2@abc")
                await wa.until(lambda: any("Linked devices" in line for line in said))
                wa.scanned()

            await asyncio.gather(login_channel(options, "whatsapp", say=said.append), phone())
            await wa.until(lambda: app.channels["whatsapp"].status.up)
            wa.say(text("hello", From(writer=ANNA)))
            await wa.until(lambda: "You said: hello" in "".join(wa.texts(HER_JID)))


@pytest.mark.parametrize(
    ("written", "kind", "words"),
    [
        ("", "whatsapp", r"has no \[channels.whatsapp\]"),
        ('[channels.telegram]\ntoken = "1:a"\n', "telegram", "nothing to link"),
    ],
)
async def test_where_there_is_nothing_to_link_that_is_said(
    tmp_path: Path, written: str, kind: str, words: str
) -> None:
    options = Options(config=tmp_path / "config.toml", data=tmp_path / "data", verbose=False, env={})
    assert options.config is not None
    options.config.write_text(provider("one", "http://127.0.0.1:9/v1") + PEOPLE + written)

    with pytest.raises(BotError, match=words):
        await login_channel(options, kind)
