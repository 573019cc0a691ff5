"""The daemon as its owner starts it: a file by mail both ways, and what `status`, `outbox` and `doctor` say of it."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.fakes.llm import Reply
from tests.journey.test_command_line import Machine
from tests.real_mail.house import FULL, House, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

BYTES = bytes(range(256)) * 300


@pytest.fixture
def machine(home: House) -> Machine:
    machine = Machine(home.folder)
    (home.folder / "config.toml").write_text(home.config())
    (home.folder / "config.toml").chmod(0o600)
    return machine


def reading(home: House) -> bool:
    return bool(home.query("SELECT 1 FROM channel_state WHERE key = 'cursor'"))


async def test_a_file_goes_in_and_comes_back_byte_for_byte(home: House, machine: Machine) -> None:
    async with machine.daemon():
        await until(lambda: reading(home))
        await home.dovecot.deliver("bot", enclosing())
        await until(lambda: home.query("SELECT 1 FROM outbox WHERE state = 'sent'"))
        (kept,) = (home.data / "workspace").rglob("*holiday*")
        assert kept.read_bytes() == BYTES
        back = kept.relative_to(home.data / "workspace")
        home.llm.push(
            Reply.tool("message", {"text": "Here it is.", "file": str(back)}), Reply("That was it.")
        )
        await home.deliver("Send it back, please.", 2)
        await until(lambda: any(list(one.message.iter_attachments()) for one in home.smtp.taken))
        _, status, _ = await machine.nanobot("status")
    sent = next(one for one in home.smtp.taken if list(one.message.iter_attachments()))
    (enclosed,) = sent.message.iter_attachments()
    print(sent.raw[:1500].decode())
    assert enclosed.get_payload(decode=True) == BYTES
    assert enclosed.get_filename() == kept.name
    assert sent.text.strip() == "Here it is."
    assert max(len(line) for line in sent.raw.split(b"\r\n")) <= 998
    assert sent.raw.isascii()
    assert status.split("\nemail ")[1].strip().startswith("up")


def enclosing() -> bytes:
    """A mail with a file that has a name outside of ASCII."""
    message = EmailMessage()
    given = {
        "Authentication-Results": "mail.home.example; dkim=pass header.d=example.org",
        "From": "Ann <ann@example.org>",
        "To": "bot@home.example",
        "Subject": "A picture",
        "Message-ID": "<picture@example.org>",
    }
    for name, value in given.items():
        message[name] = value
    message.set_content("Keep this.")
    message.add_attachment(BYTES, maintype="application", subtype="octet-stream", filename="holiday été.bin")
    return message.as_bytes()


async def test_what_was_kept_aside_and_what_was_refused_is_shown(home: House, machine: Machine) -> None:
    home.llm.default = Reply("word " * 2000)
    async with machine.daemon():
        await until(lambda: reading(home))
        await home.deliver("to all", 1, List_Id="<all.example.org>")
        await home.deliver("tell me all", 2, FULL)
        await until(lambda: home.query("SELECT 1 FROM outbox WHERE state = 'refused'"))
        _, status, _ = await machine.nanobot("status")
        _, outbox, _ = await machine.nanobot("outbox", "list")
        _, doctor, _ = await machine.nanobot("doctor")
    print(status, outbox, doctor, sep="\n")
    assert "1 mail kept aside: it is from a mailing list (List-Id)" in status
    assert "1 refused" in status
    assert "552 5.2.2" in outbox
    assert "proved by what mail.home.example stamps" in doctor


async def test_the_doctor_names_what_the_servers_refuse(home: House, machine: Machine) -> None:
    home.settings["password"] = "wrong"
    Path(machine.folder / "config.toml").write_text(home.config())
    code, said, _ = await machine.nanobot("doctor")
    print(said)
    assert code != 0
    assert said.count("refuses to log bot in") == 2
