"""Commands in bubblewrap: the system read-only, no home, no secrets, no network, and nothing left behind.

The command sees /usr and what it needs to run, the workspace at /workspace (read-only unless writing was allowed), and
a /tmp of its own. It ends with everything it started: the process namespace goes with its first process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WORKSPACE = "/workspace"
PROTECTED = ("agents", "skills", "memory", "PERSONA.md")
"""What of the workspace stays read-only, whatever was allowed."""
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_FILES = (
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
)
_FOR_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/ca-certificates")
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_APART = ("--unshare-user-try", "--unshare-ipc", "--unshare-pid", "--unshare-uts")
"""Namespaces of its own: all but the cgroup's, which hides only a name and which systemd/nanobot.service forbids."""
_MOST_OUTPUT = 4 * 1024 * 1024
"""Bytes after which a command is ended: nobody reads more."""
_PROBE_SECONDS = 5.0
_LAST_SECONDS = 2.0
"""How long the end of a killed command is waited for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one command: seconds, memory and file sizes in MiB."""

    seconds: float = 120.0
    memory: int = 2048
    file: int = 512


@dataclass(frozen=True, slots=True)
class Job:
    """One command line for the shell, and what it may do. `hidden` are folders of the workspace it must not see."""

    command: str
    workspace: Path
    write: bool = False
    network: bool = False
    hidden: tuple[str, ...] = ()
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command. `code` is None where it was ended: `why` says what for."""

    output: str
    code: int | None
    why: str = ""


class Sandbox:
    """Finds out once whether bubblewrap works here; a machine may forbid user namespaces."""

    def __init__(self, program: str = "bwrap") -> None:
        self._program = program
        self._problem: str | None = None

    async def problem(self) -> str:
        """Why there is no sandbox, "" if there is one."""
        if self._problem is None:
            self._problem = await self._probe()
        return self._problem

    async def run(self, job: Job) -> Ran:
        """Run a command inside."""
        found = shutil.which(self._program) or self._program
        argv = [found, *arguments(job), "--", *_shell(job)]
        return await _run(argv, job.limits, {}, None)

    async def run_bare(self, job: Job) -> Ran:
        """Run a command with no sandbox around it: in the workspace, with an empty environment."""
        env = {"PATH": _PATH, "HOME": str(job.workspace), "LANG": "C.UTF-8"}
        return await _run(_shell(job), job.limits, env, job.workspace)

    async def _probe(self) -> str:
        found = shutil.which(self._program)
        if found is None:
            return "bubblewrap is not installed (Debian package: bubblewrap)"
        job = Job("true", Path("/usr"), limits=Limits(_PROBE_SECONDS))
        try:
            ran = await self.run(job)
        except OSError as error:
            return f"bubblewrap can't be started: {error.strerror}"
        return "" if ran.code == 0 else f"bubblewrap doesn't work here: {ran.output.strip() or ran.why}"


def arguments(job: Job) -> list[str]:
    """Bubblewrap's arguments for a job, see bwrap(1)."""
    argv = [*_APART, "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    argv += [] if job.network else ["--unshare-net"]
    for name, value in (("PATH", _PATH), ("HOME", "/tmp"), ("LANG", "C.UTF-8"), ("TERM", "dumb")):  # noqa: S108 -- inside
        argv += ["--setenv", name, value]
    argv += ["--hostname", "sandbox", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 -- inside
    for path in (*_SYSTEM, *_FILES, *(_FOR_NETWORK if job.network else ())):
        argv += list(_bound(path))
    argv += ["--bind" if job.write else "--ro-bind", str(job.workspace), WORKSPACE]
    if job.write:
        for name in PROTECTED:
            if (job.workspace / name).exists():
                argv += ["--ro-bind", str(job.workspace / name), f"{WORKSPACE}/{name}"]
            elif name.endswith(".md"):
                # Leaves an empty file behind, into which the command could write nothing.
                argv += ["--ro-bind", "/dev/null", f"{WORKSPACE}/{name}"]
    for name in job.hidden:
        argv += ["--tmpfs", f"{WORKSPACE}/{name}"]
    return [*argv, "--chdir", WORKSPACE]


def _bound(path: str) -> Iterator[str]:
    """A path of the system as it is here: a link stays one."""
    if os.path.islink(path):  # noqa: PTH114 -- beside readlink, in the same words
        yield from ("--symlink", os.readlink(path), path)  # noqa: PTH115 -- as it stands, not resolved
    elif os.path.exists(path):  # noqa: PTH110 -- as above
        yield from ("--ro-bind", path, path)


def _shell(job: Job) -> list[str]:
    """The command under its limits, which it can't lift again."""
    limits = job.limits
    head = (
        f"ulimit -v {limits.memory * 1024}; ulimit -f {limits.file * 1024}; ulimit -c 0; "
        f'ulimit -t {max(int(limits.seconds), 1)}; exec /bin/sh -c "$1"'
    )
    return ["/bin/sh", "-c", head, "sh", job.command]


async def _run(argv: Sequence[str], limits: Limits, env: Mapping[str, str], folder: Path | None) -> Ran:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(env),
        cwd=folder,
        start_new_session=True,
    )
    output = process.stdout
    assert output is not None  # noqa: S101 -- a pipe was asked for
    read = bytearray()
    why = ""
    try:
        async with asyncio.timeout(limits.seconds):
            while chunk := await output.read(65_536):
                read += chunk
                if len(read) > _MOST_OUTPUT:
                    why = "it wrote too much"
                    break
            else:
                await process.wait()
    except TimeoutError:
        why = f"it took longer than {limits.seconds:.0f} s"
    finally:
        await _end(process)
    return Ran(read[:_MOST_OUTPUT].decode(errors="replace"), None if why else process.returncode, why)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of a command, its group included, also where we are cancelled ourselves."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    output = process.stdout
    assert output is not None  # noqa: S101 -- a pipe was asked for
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_SECONDS):
            # Without being read to its end the pipe would stay open.
            while await output.read(65_536):
                pass
            await process.wait()
