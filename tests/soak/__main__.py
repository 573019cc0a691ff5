"""Runs it and prints the account; the exit code is 1 where anything was lost or doubled without a mark."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.fakes.imap import ImapFake
from tests.fakes.llm import LLMFake
from tests.fakes.submission import Submission
from tests.fakes.telegram import TelegramFake
from tests.fakes.whatsapp_cloud import WhatsAppFake
from tests.soak.account import Account, Sample, report
from tests.soak.brain import Brain
from tests.soak.people import ByMail, OnTelegram, OnWhatsApp, People

_READY_SECONDS = 30.0
_SETTLE_SECONDS = 180.0
_TROUBLE_EVERY = 0.7


@dataclass
class Plan:
    messages: int
    seconds: float
    kills: int
    fault_rate: float
    seed: int
    plot: Path | None


@dataclass
class Daemon:
    """The real command, started again whenever it is gone."""

    folder: Path
    config: Path
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    kills: int = 0
    samples: list[Sample] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    async def start(self) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("NANOBOT_")}
        env |= {"PYTHONPATH": str(ROOT), "HOME": str(self.folder)}
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "--config", str(self.config), "--data", str(self.data), "run",
                stdout=log, stderr=log, env=env, cwd=ROOT,
            )  # fmt: skip
        self.starts += 1

    async def kill(self) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.kills += 1

    async def stop(self) -> int:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.terminate()
        async with asyncio.timeout(60.0):
            return await self.process.wait()

    def sample(self, began: float) -> None:
        """Memory and open files of the process that runs now."""
        if self.process is None or self.process.returncode is not None:
            return
        with suppress(OSError, ValueError):
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            files = len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 -- names are numbers
            self.samples.append(Sample(time.monotonic() - began, pages * os.sysconf("SC_PAGE_SIZE"), files))


async def soak(plan: Plan) -> Account:
    chance = random.Random(plan.seed)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nanobot-soak-")))
        first, second = Brain(chance, plan.fault_rate), Brain(chance, plan.fault_rate / 10)
        one = await stack.enter_async_context(LLMFake())
        two = await stack.enter_async_context(LLMFake())
        one.default, two.default = first, second
        tg = await stack.enter_async_context(TelegramFake())
        imap = await stack.enter_async_context(ImapFake())
        smtp = await stack.enter_async_context(Submission())
        wa = await stack.enter_async_context(WhatsAppFake())
        people: list[People] = [
            OnTelegram(tg, chance),
            ByMail(imap, smtp, chance),
            OnWhatsApp(wa, _free_port(), chance),
        ]
        config = folder / "config.toml"
        config.write_text(_config(one.base_url, two.base_url, people))
        config.chmod(0o600)
        daemon = Daemon(folder, config)
        try:
            await daemon.start()
            await _ready(daemon)
            sent = await _load(plan, daemon, people, chance)
            await _settled(daemon, sent)
            code = await daemon.stop()
        finally:
            if daemon.process is not None and daemon.process.returncode is None:
                await daemon.kill()
        left = _children(folder)
        account = Account.of(
            sent, people, daemon.data / "nanobot.db", kills=daemon.kills, left=left, code=code
        )
        account.samples = daemon.samples
        account.faults = first.failures + second.failures
        return account


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _config(one: str, two: str, people: list[People]) -> str:
    models = "".join(
        f'[providers.{name}]\napi_base = "{url}"\ndefault_model = "fake-1"\n'
        for name, url in (("one", one), ("two", two))
    )
    chain = '[roles]\nreasoning = "one"\n[fallback]\nreasoning = ["one", "two"]\n'
    persons = '[people.ann]\nrole = "owner"\n' + "".join(each.persons() for each in people)
    quiet = "[jobs.finish_sessions]\noff = true\n[jobs.reflect]\noff = true\n"
    return models + chain + persons + "".join(each.config() for each in people) + quiet


async def _ready(daemon: Daemon) -> None:
    database = daemon.data / "nanobot.db"
    async with asyncio.timeout(_READY_SECONDS):
        while not database.exists() or not _cursor(database):
            await asyncio.sleep(0.1)


def _cursor(database: Path) -> bool:
    """Whether the mailbox was looked at for the first time: what comes from then on is new."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        query = "SELECT count(*) FROM channel_state WHERE channel = 'email' AND key = 'cursor'"
        return bool(db.execute(query).fetchone()[0])
    return False


async def _load(plan: Plan, daemon: Daemon, people: list[People], chance: random.Random) -> list[str]:
    """Have everything said within the time, with trouble and kills strewn over it; returns the numbers."""
    began = time.monotonic()
    numbers = [f"{number:06d}" for number in range(plan.messages)]
    kills = sorted(chance.uniform(0.5, plan.seconds) for _ in range(plan.kills))
    said, trouble_at, sample_at = 0, _TROUBLE_EVERY, 0.0
    while said < len(numbers) or kills:
        now = time.monotonic() - began
        while said < len(numbers) and said <= now / plan.seconds * len(numbers):
            chance.choice(people).say(numbers[said])
            said += 1
        if now >= trouble_at:
            chance.choice(people).trouble()
            trouble_at = now + chance.uniform(0.0, 2 * _TROUBLE_EVERY)
        if now >= sample_at:
            daemon.sample(began)
            sample_at = now + 1.0
        if kills and now >= kills[0]:
            kills.pop(0)
            await daemon.kill()
            await daemon.start()
            # So that it gets somewhere before the next one.
            await asyncio.sleep(chance.uniform(0.0, 1.5))
        await asyncio.sleep(0.01)
    return numbers


async def _settled(daemon: Daemon, sent: list[str]) -> None:
    """Wait until everything is taken, answered and delivered."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_SETTLE_SECONDS):
            while True:
                with closing(sqlite3.connect(daemon.data / "nanobot.db", timeout=10.0)) as db:
                    taken = db.execute("SELECT count(*) FROM inbox").fetchone()[0]
                    waiting = db.execute("SELECT count(*) FROM inbox WHERE state != 'done'").fetchone()[0]
                    undelivered = db.execute(
                        "SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')"
                    ).fetchone()[0]
                if taken >= len(sent) and not waiting and not undelivered:
                    return
                await asyncio.sleep(0.5)


def _children(folder: Path) -> int:
    """Processes that were started for this folder and are still there."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += str(folder).encode() in path.read_bytes()
    return found


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=600.0, help="over which they are sent")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs at random moments")
    parser.add_argument("--fault-rate", type=float, default=0.15, help="of the first model's calls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, default=None, help="an SVG of memory and open files")
    return Plan(**vars(parser.parse_args()))


def main() -> int:
    plan = _plan()
    # The mail server of the tests says about each connection that it is not a safe one.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    # What serves the stand-ins is surprised at each answer that is broken off on purpose.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    account = asyncio.run(soak(plan))
    print(report(account, plan.plot))
    return 0 if account.good else 1


if __name__ == "__main__":
    sys.exit(main())
