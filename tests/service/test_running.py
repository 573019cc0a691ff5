"""A real systemd installs the wheel, starts the unit, watches, reloads and ends it, and nothing that was said is lost.

The Bot API and the model are stand-ins outside of the container, which shares their network; they outlive every end of
the daemon. At the end an account is printed (pytest -s shows it).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.llm import Pace, Reply
from tests.fakes.llm.control import LLMControl
from tests.fakes.llm.process import llm_process
from tests.fakes.telegram_process import TelegramProcess
from tests.service import machine as machines
from tests.service.machine import Machine

pytestmark = [
    pytest.mark.service,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]

CHAT = 42
NANOBOT = "/opt/nanobot/bin/nanobot"
CONFIG = "/etc/nanobot/config.toml"
MARK = "🔁"
WATCHDOG = 10
"""Seconds, instead of the unit's ninety: a test may not take minutes."""
DROP_IN = f"[Service]\nWatchdogSec={WATCHDOG}\nRestartSec=1\n"


@dataclass
class Service:
    """The installed service, and those it talks to."""

    machine: Machine
    tg: TelegramProcess
    llm: LLMControl
    config: str
    account: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    async def say(self, text: str) -> None:
        self.said.append(text)
        await self.tg.user_says(CHAT, text)

    async def ask(self, text: str, answer: str, seconds: float = 60.0) -> None:
        await self.say(text)
        await self.tg.wait_for_text(CHAT, answer, seconds=seconds)

    async def inside(self, *argv: str, **options: Any) -> str:
        return await asyncio.to_thread(self.machine.run, *argv, **options)

    async def ended(self, *argv: str, **options: Any) -> tuple[int, str]:
        return await asyncio.to_thread(self.machine.ended, *argv, **options)

    async def until(self, true: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        await asyncio.to_thread(self.machine.until, true, what, seconds)

    def configure(self, text: str) -> None:
        Path(self.machine.root, CONFIG.lstrip("/")).write_text(text)

    def pid(self) -> int:
        return int(self.machine.shows("MainPID")["MainPID"])

    def active(self) -> bool:
        return self.machine.shows("SubState")["SubState"] == "running"

    async def restarted(self, pid: int, seconds: float = 60.0) -> None:
        await self.until(
            lambda: self.active() and self.pid() not in (0, pid), "systemd starts it again", seconds
        )

    async def settled(self) -> None:
        """Everything that was taken is answered, and everything written has arrived."""
        waiting = (
            "SELECT 1 FROM inbox WHERE state != 'done' UNION ALL SELECT 1 FROM outbox WHERE state != 'sent'"
        )
        await self.until(lambda: not self.rows(waiting), "every message is answered and delivered")

    def rows(self, query: str) -> list[dict[str, Any]]:
        file = self.machine.root / "var/lib/nanobot/nanobot.db"
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10.0)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query)]
        finally:
            connection.close()


def configuration(tg: TelegramProcess, llm: LLMControl) -> str:
    return f"""
[providers.fake]
api_base = "{llm.base_url}"
api_key = "credential:fake"
default_model = "fake-1"
[providers.fake.model_info.fake-1]
tier = "strong"
[people.ann]
role = "owner"
telegram = {CHAT}
[channels.telegram]
token = "credential:telegram"
base_url = "{tg.base_url}"
base_file_url = "{tg.base_file_url}"
"""


@pytest.fixture(scope="module")
def machine() -> Any:
    """One that runs, with nanobot installed from its wheel."""
    # Not in pytest's own folder, of which several are kept: it is half a gigabyte.
    folder = Path(f"/var/tmp/nanobot-service-{os.getpid()}")
    folder.mkdir(mode=0o700)
    one: Machine | None = None
    try:
        machines.require()
        one = Machine.copied(machines.debian(), folder / "root", machines.wheels(folder / "wheels"))
        one.boot()
        one.run("python3", "-m", "venv", "/opt/nanobot")
        one.run(
            "/opt/nanobot/bin/pip", "install", "-q", "--no-index", "--find-links=/wheels", "nanobot-daemon"
        )
        yield one
    except machines.Missing as why:
        pytest.skip(f"no machine to try the service on: {why}")
    finally:
        if one is not None:
            one.halt()
        shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(machine: Machine) -> AsyncIterator[Service]:
    """Installed by its own command, ready, its hearing good; an account of everything said at the end."""
    async with TelegramProcess() as tg, llm_process("--key", "sk-fake") as llm:
        one = Service(machine, tg, llm, configuration(tg, llm))
        root = machine.root
        (root / "etc/nanobot/credentials").mkdir(parents=True, mode=0o700)
        for name, secret in (("fake", "sk-fake"), ("telegram", tg.token)):
            (root / "etc/nanobot/credentials" / name).write_text(f"{secret}\n")
        one.configure(one.config)
        (root / CONFIG.lstrip("/")).chmod(0o600)
        drop_in = root / "etc/systemd/system/nanobot.service.d/test.conf"
        drop_in.parent.mkdir()
        drop_in.write_text(DROP_IN)
        package = next((root / "opt/nanobot/lib").glob("python3.*/site-packages/bot/tools"))
        shutil.copy(Path(__file__).with_name("freeze.py"), package)
        # So that the journal says what systemd was told.
        await one.inside("systemctl", "log-level", "debug")
        began = time.monotonic()
        said = await one.inside(NANOBOT, "service", "install", "--yes")
        assert "nanobot runs." in said
        one.account.append(f"installed, started and ready in {time.monotonic() - began:.1f} s")
        await one.until(one.active, "the service runs")
        yield one
        await closing_account(one)


async def closing_account(one: Service) -> None:
    """Everything that was said has one turn, one answer that was sent, and is lost nowhere."""
    await one.inside("systemctl", "start", "nanobot")
    await one.settled()
    inbox = one.rows("SELECT text, turn, state FROM inbox WHERE channel = 'telegram'")
    turns = {row["id"]: row for row in one.rows("SELECT id, state, outcome FROM turn")}
    outbox = one.rows("SELECT turn, state, text FROM outbox WHERE channel = 'telegram'")
    lost = [text for text in one.said if not any(row["text"] == text for row in inbox)]
    unanswered = [row["text"] for row in inbox if turns.get(row["turn"], {}).get("state") != "done"]
    unsent = [row for row in outbox if row["state"] != "sent"]
    shown = [message.text for message in await one.tg.answers(CHAT)]
    doubled = {text for text in shown if MARK not in text and shown.count(text) > 1}
    marked = sum(MARK in text for text in shown)
    one.account.append(
        f"said {len(one.said)}, taken {len(inbox)}, answered {len(inbox) - len(unanswered)}, lost {len(lost)}, "
        f"doubled without a mark {len(doubled)}, marked as possible repeats {marked}"
    )
    sys.stdout.write("\n".join(("", "The account:", *one.account, "")))
    assert (lost, unanswered, unsent, doubled) == ([], [], [], set())
    assert len(inbox) == len(one.said)


async def test_it_is_ready_only_when_its_channel_is(service: Service) -> None:
    journal = service.machine.journal()
    found = service.machine.shows(
        "Type", "NotifyAccess", "User", "WatchdogUSec", "StatusText", "UnitFileState"
    )

    assert "READY=1" in journal
    assert found["Type"] == "notify"
    assert found["User"] == "nanobot"
    assert found["WatchdogUSec"] == f"{WATCHDOG}s"
    assert found["UnitFileState"] == "enabled"
    assert "all channels up" in found["StatusText"]
    assert await service.tg.requests("getMe")


async def test_its_state_is_known_to_the_command_and_the_unit_is_as_written(service: Service) -> None:
    code, said = await service.ended(NANOBOT, "service", "status")
    assert (code, "!" in said) == (0, False), said
    assert "all channels up" in said

    unit = service.machine.root / "etc/systemd/system/nanobot.service"
    written = unit.read_text()
    unit.write_text(written.replace("ProtectHome=yes", "ProtectHome=no"))
    code, said = await service.ended(NANOBOT, "service", "status")
    _, found = await service.ended(NANOBOT, "doctor")
    assert code == 1
    assert "nanobot.service is not what this version writes" in said
    assert "nanobot.service is not what this version writes" in found

    plan = await service.inside(NANOBOT, "service", "install", "--dry-run")
    assert "renew   /etc/systemd/system/nanobot.service" in plan
    assert "nanobot-backup.timer\n  renew" not in plan
    unit.write_text(written)
    assert (await service.ended(NANOBOT, "service", "status"))[0] == 0


async def test_a_message_is_answered_and_commands_run_in_a_sandbox_within_the_sandbox(
    service: Service,
) -> None:
    await service.ask("hello", "hello")
    command = "echo from the sand; hostname; id -u; ls /home /etc/nanobot"
    await service.llm.push(Reply.tool("shell", {"command": command}), contains="what do you see")
    await service.ask("what do you see?", "The tool said: from the sand")
    (said,) = [m.text for m in await service.tg.answers(CHAT) if "from the sand" in m.text]
    assert "sandbox" in said.split()
    assert "cannot access '/home'" in said
    assert "cannot access '/etc/nanobot'" in said
    service.account.append("answered a message; ran a command in bubblewrap within the unit")


async def test_the_terminal_is_for_root_and_the_group(service: Service) -> None:
    machine = service.machine
    for name in ("friend", "stranger"):
        await service.inside("useradd", "--create-home", name)
    await service.inside("usermod", "-aG", "nanobot", "friend")
    assert (
        await service.inside("stat", "-c", "%a %U %G", "/run/nanobot/control.sock") == "660 nanobot nanobot\n"
    )

    for user in ("", "friend"):
        said = await service.inside(NANOBOT, "chat", "-m", f"are you there, {user}?", user=user)
        assert "are you there" in said
    code, said = await service.ended(NANOBOT, "status", user="stranger")
    assert (code, "may not open; are you in its group?" in said) == (1, True), said

    # The kernel's word counts also where the modes were opened.
    await service.inside("chmod", "755", "/run/nanobot")
    await service.inside("chmod", "666", "/run/nanobot/control.sock")
    code, said = await service.ended(NANOBOT, "status", user="stranger")
    assert (code, "you may not use this nanobot" in said) == (1, True), said
    said = await service.inside(NANOBOT, "status", "--json", user="friend")
    assert '"running": true' in said
    await service.inside("chmod", "660", "/run/nanobot/control.sock")
    await service.inside("chmod", "750", "/run/nanobot")
    assert machine.shows("ActiveState")["ActiveState"] == "active"


async def test_a_bad_file_keeps_the_old_one_and_a_good_one_is_taken_up(service: Service) -> None:
    pid = service.pid()
    service.configure(service.config + "\n[agent]\nmax_stepps = 3\n")
    code, _ = await service.ended("systemctl", "reload", "nanobot")
    assert code != 0
    assert "max_stepps" in service.machine.journal()
    await service.ask("still there?", "still there?")

    service.configure(service.config + "\n[agent]\nmax_steps = 7\n")
    await service.inside("systemctl", "reload", "nanobot")
    assert "[agent] max_steps" in service.machine.journal()

    service.configure(service.config)
    before = service.machine.journal().count("RELOADING=1")
    await service.inside("systemctl", "kill", "--kill-who=main", "-s", "HUP", "nanobot")
    await service.until(
        lambda: service.machine.journal().count("RELOADING=1") > before and service.active(),
        "RELOADING is told",
    )
    await service.ask("and now?", "and now?")
    assert service.pid() == pid
    service.account.append("reloaded: a bad file (refused, the old one went on), a good one, one by SIGHUP")


async def test_a_process_that_stands_still_is_restarted_by_the_watchdog(service: Service) -> None:
    pid, began = service.pid(), time.monotonic()
    await service.inside("systemctl", "kill", "--kill-who=main", "-s", "STOP", "nanobot")
    await service.say("said while it stood still")
    await service.restarted(pid)
    service.account.append(
        f"stopped by SIGSTOP: restarted by the watchdog in {time.monotonic() - began:.1f} s"
    )
    assert "Watchdog timeout" in service.machine.journal()
    await service.tg.wait_for_text(CHAT, "said while it stood still", seconds=60)
    await service.settled()


async def test_an_event_loop_that_hangs_is_restarted_and_the_turn_goes_on(service: Service) -> None:
    await service.llm.push(Reply.tool("freeze", {}), contains="please freeze")
    pid, began = service.pid(), time.monotonic()
    await service.say("please freeze")
    await service.restarted(pid)
    service.account.append(f"event loop hung: restarted by the watchdog in {time.monotonic() - began:.1f} s")
    # The model, an echo, was told what became of its call, which was not made again.
    await service.tg.wait_for_text(CHAT, "The tool said: Interrupted", seconds=60)
    await service.settled()
    journal = service.machine.journal()
    assert "the event loop has stood still" in journal
    assert "freeze.py" in journal, "the stack is in the journal"


async def test_killed_it_is_started_again(service: Service) -> None:
    pid = service.pid()
    await service.llm.push(Reply("This took a while.", pace=Pace(delay=0.5)), contains="take your time")
    await service.say("take your time")
    await service.llm.until(lambda seen: "take your time" in str(seen["requests"][-1:]))
    await service.inside("systemctl", "kill", "--kill-who=main", "-s", "KILL", "nanobot")
    await service.restarted(pid)
    await service.tg.wait_for_text(CHAT, "take your time", seconds=60)
    await service.settled()
    service.account.append("killed by SIGKILL within an answer: restarted, answered")


async def test_stopped_it_finishes_the_answer_within_its_time(service: Service) -> None:
    await service.llm.push(Reply("Done after all.", pace=Pace(delay=1.0, chunks=4)), contains="slowly please")
    await service.say("slowly please")
    await service.llm.until(lambda seen: "slowly please" in str(seen["requests"][-1:]))
    began = time.monotonic()
    await service.inside("systemctl", "stop", "nanobot")
    took = time.monotonic() - began
    found = service.machine.shows("Result", "ActiveState")
    shown = [message.text for message in await service.tg.answers(CHAT)]
    assert found == {"Result": "success", "ActiveState": "inactive"}
    assert "Done after all." in shown
    assert took < 25 + 5
    assert "STOPPING=1" in service.machine.journal()
    service.account.append(f"stopped within an answer: finished and delivered it, gone in {took:.1f} s")

    # An answer that would take for ever is cut off, and goes on at the next start.
    await service.inside("systemctl", "start", "nanobot")
    await service.llm.push(Reply("never", pace=Pace(hold="never", hold_at=None)), contains="for ever please")
    await service.say("for ever please")
    await service.llm.until(lambda seen: "for ever please" in str(seen["requests"][-1:]))
    began = time.monotonic()
    await service.inside("systemctl", "stop", "nanobot")
    took = time.monotonic() - began
    assert service.machine.shows("Result")["Result"] == "success"
    assert 19 < took < 45
    await service.inside("systemctl", "start", "nanobot")
    await service.tg.wait_for_text(CHAT, "for ever please", seconds=60)
    await service.settled()
    service.account.append(
        f"stopped within an endless answer: gone in {took:.1f} s, answered after the next start"
    )


async def test_a_backup_is_made_by_the_timers_service_and_restored_beside_it(service: Service) -> None:
    assert "nanobot-backup.timer" in await service.inside("systemctl", "list-timers", "--no-pager")
    await service.ask("before the backup", "before the backup")
    await service.settled()
    await service.inside("systemctl", "start", "nanobot-backup")
    archive = max((service.machine.root / "var/lib/nanobot-backups").iterdir())
    assert archive.stat().st_mode & 0o077 == 0

    await service.inside("systemctl", "stop", "nanobot")
    said = await service.inside(
        *("systemd-run", "--pipe", "--wait", "--quiet", "-p", "User=nanobot", "-p", "StateDirectory=nanobot"),
        *("-p", "LoadCredential=nanobot:/etc/nanobot/credentials", NANOBOT),
        *("restore", "--yes", f"/var/lib/nanobot-backups/{archive.name}"),
    )
    await service.inside("systemctl", "start", "nanobot")
    await service.ask("after the restore", "after the restore")
    assert service.rows("SELECT 1 FROM inbox WHERE text = 'before the backup'")
    service.account.append(
        f"backed up by nanobot-backup.service, and restored: {said.strip().splitlines()[0]}"
    )


async def test_it_comes_back_with_the_machine(service: Service) -> None:
    await asyncio.to_thread(service.machine.halt)
    await service.say("said while the machine was off")
    await asyncio.to_thread(service.machine.boot)
    await service.inside("systemctl", "log-level", "debug")
    await service.until(service.active, "it starts with the machine")
    await service.tg.wait_for_text(CHAT, "said while the machine was off", seconds=60)
    await service.settled()
    service.account.append("the machine was switched off and on: it came back by itself, and answered")


async def test_a_user_has_a_service_too_which_outlives_the_log_in(service: Service) -> None:
    await service.inside("useradd", "--create-home", "carla")
    home = service.machine.root / "home/carla"
    config = home / ".config/nanobot/config.toml"
    await service.inside("mkdir", "-p", "/home/carla/.config/nanobot", user="carla")
    config.write_text(f'[providers.fake]\napi_base = "{service.llm.base_url}"\napi_key = "sk-fake"\n')
    await service.inside("chown", "carla:", "/home/carla/.config/nanobot/config.toml")
    await service.inside("chmod", "600", "/home/carla/.config/nanobot/config.toml")
    carla = ("env", "HOME=/home/carla", NANOBOT)

    # Lingering is an administrator's to give where there is no polkit.
    await service.inside("loginctl", "enable-linger", "carla")
    plan = await service.inside(*carla, "service", "install", "--user", "--dry-run", user="carla")
    assert "write   /home/carla/.config/systemd/user/nanobot.service" in plan
    said = await service.inside(*carla, "service", "install", "--user", "--yes", user="carla")
    assert "nanobot runs." in said
    code, said = await service.ended(*carla, "service", "status", "--user", user="carla")
    assert (code, "active (running), enabled" in said) == (0, True), said
    await service.inside(
        *carla, "--data", "/home/carla/.local/share/nanobot", "chat", "-m", "mine?", user="carla"
    )
    said = await service.inside(*carla, "service", "uninstall", "--user", "--yes", user="carla")
    assert "The service is gone" in said
    assert (home / ".local/share/nanobot/nanobot.db").exists()
    service.account.append("a user's own service: installed, answered, removed; its data stayed")


async def test_removed_it_leaves_what_is_the_owners(service: Service) -> None:
    said = await service.inside(NANOBOT, "service", "uninstall", "--yes")
    assert "The service is gone" in said
    assert service.machine.shows("LoadState")["LoadState"] == "not-found"
    assert (service.machine.root / "var/lib/nanobot/nanobot.db").exists()
    assert (service.machine.root / CONFIG.lstrip("/")).exists()
    code, said = await service.ended(NANOBOT, "service", "status")
    assert (code, "nanobot is no service here" in said) == (1, True)
    await service.inside(NANOBOT, "service", "install", "--yes")
    await service.until(service.active, "the service runs again")
    service.account.append("removed and installed again: data and configuration stayed")
