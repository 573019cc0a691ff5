"""Commands in the real sandbox: what they see, what they can't do, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from bot.safety.sandbox import Job, Limits, Ran, Sandbox, arguments

pytestmark = pytest.mark.sandbox
QUICK = Limits(seconds=10.0)


@pytest.fixture
async def sandbox() -> Sandbox:
    """A sandbox that works; where there is none the tests are skipped, which CI doesn't permit."""
    made = Sandbox()
    if problem := await made.problem():
        pytest.skip(problem)
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    at = tmp_path / "workspace"
    (at / "memory" / "ann").mkdir(parents=True)
    (at / "memory" / "bob").mkdir()
    (at / "memory" / "bob" / "MEMORY.md").write_text("bob's secret")
    (at / "notes.txt").write_text("milk\n")
    (at / "PERSONA.md").write_text("kind")
    return at


async def run(
    sandbox: Sandbox, workspace: Path, command: str, *, write: bool = False, hidden: str = ""
) -> Ran:
    job = Job(command, workspace, write=write, hidden=(hidden,) if hidden else (), limits=QUICK)
    return await sandbox.run(job)


async def test_it_works_on_the_workspace(sandbox: Sandbox, workspace: Path) -> None:
    assert await run(sandbox, workspace, "pwd; cat notes.txt; exit 3") == Ran("/workspace\nmilk\n", 3)


async def test_the_workspace_is_read_only_unless_writing_was_allowed(
    sandbox: Sandbox, workspace: Path
) -> None:
    refused = await run(sandbox, workspace, "echo x > notes.txt")
    assert refused.code != 0
    assert workspace.joinpath("notes.txt").read_text() == "milk\n"
    assert (await run(sandbox, workspace, "echo x > notes.txt", write=True)).code == 0
    assert workspace.joinpath("notes.txt").read_text() == "x\n"


@pytest.mark.parametrize("command", ["echo x > PERSONA.md", "echo x > memory/ann/MEMORY.md", "rm -r memory"])
async def test_what_the_owner_keeps_for_themselves_is_never_written(
    sandbox: Sandbox, workspace: Path, command: str
) -> None:
    assert (await run(sandbox, workspace, command, write=True)).code != 0
    assert workspace.joinpath("PERSONA.md").read_text() == "kind"
    assert workspace.joinpath("memory", "bob", "MEMORY.md").read_text() == "bob's secret"


async def test_anothers_folders_is_not_there(sandbox: Sandbox, workspace: Path) -> None:
    assert "secret" in (await run(sandbox, workspace, "cat memory/*/*")).output
    assert "secret" not in (await run(sandbox, workspace, "cat memory/*/*", hidden="memory/bob")).output


async def test_no_secret_of_ours_is_in_its_environment(
    sandbox: Sandbox, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    assert "hunter2" not in (await run(sandbox, workspace, "env; cat /proc/*/environ")).output


@pytest.mark.parametrize(
    "path",
    [
        str(Path.home()),
        "/root",
        "/home",
        "/var/lib",
        "/etc/shadow",
        "/etc/passwd",
        "/run",
        "/proc/1/root/root",
    ],
)
async def test_the_rest_of_the_machine_is_not_there(sandbox: Sandbox, workspace: Path, path: str) -> None:
    ran = await run(sandbox, workspace, f"ls -A {path}")
    assert ran.code != 0 or not ran.output.strip()


async def test_there_is_no_network(sandbox: Sandbox, workspace: Path) -> None:
    async with await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ran = await run(
            sandbox, workspace, f"exec 3<>/dev/tcp/127.0.0.1/{port} || cat < /dev/tcp/127.0.0.1/{port}"
        )
        assert ran.code != 0
        assert (await run(sandbox, workspace, "cat /proc/net/route")).output.count("\n") <= 1


async def test_a_long_command_is_ended_with_all_that_it_started(sandbox: Sandbox, workspace: Path) -> None:
    job = Job("sleep 77.25 & sleep 77.25 & wait", workspace, limits=Limits(seconds=0.4))
    began = time.monotonic()
    ran = await sandbox.run(job)
    assert (ran.code, ran.why) == (None, "it took longer than 0 s")
    assert time.monotonic() - began < 5
    await gone("77.25")


async def test_work_left_in_the_background_ends_with_the_command(sandbox: Sandbox, workspace: Path) -> None:
    ran = await run(sandbox, workspace, "(setsid sleep 78.25 >/dev/null 2>&1 &) ; echo done")
    assert ran == Ran("done\n", 0)
    await gone("78.25")


async def test_one_that_is_cancelled_is_killed(sandbox: Sandbox, workspace: Path) -> None:
    task = asyncio.create_task(run(sandbox, workspace, "sleep 79.25"))
    while not running("79.25"):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone("79.25")


async def test_endless_output_is_cut(sandbox: Sandbox, workspace: Path) -> None:
    ran = await run(sandbox, workspace, "yes")
    assert ran.why == "it wrote too much"


async def test_memory_and_files_are_limited(sandbox: Sandbox, workspace: Path) -> None:
    job = Job(
        "head -c 300000000 /dev/zero | tail | wc -c; ulimit -v unlimited", workspace, limits=Limits(20, 64, 1)
    )
    assert (await sandbox.run(job)).code != 0
    job = Job(
        "head -c 3000000 /dev/zero > /tmp/big; stat -c %s /tmp/big", workspace, limits=Limits(20, 512, 1)
    )
    assert "3000000" not in (await sandbox.run(job)).output


async def test_without_the_program_it_says_what_to_install() -> None:
    assert "bubblewrap is not installed" in await Sandbox("no-such-program").problem()


async def test_a_sandbox_that_cannot_start_is_not_taken_for_one() -> None:
    assert "doesn't work here" in await Sandbox("false").problem()


async def test_without_a_sandbox_the_environment_is_clean_too(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    ran = await Sandbox().run_bare(Job("env; pwd", workspace, limits=QUICK))
    assert "hunter2" not in ran.output
    assert str(workspace) in ran.output


def test_network_is_shared_only_where_it_was_allowed(tmp_path: Path) -> None:
    assert "--unshare-net" in arguments(Job("true", tmp_path))
    assert "--unshare-net" not in arguments(Job("true", tmp_path, network=True))


async def gone(argument: str) -> None:
    """The kernel takes a moment to end what a namespace held."""
    async with asyncio.timeout(30.0):
        while running(argument):
            await asyncio.sleep(0.01)


def running(argument: str) -> bool:
    """Whether a process with this argument is left."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if argument.encode() in line.split(b"\0"):
            return True
    return False
