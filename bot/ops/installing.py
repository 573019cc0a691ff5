"""What installing and removing the service takes: a plan of steps that is shown first, and then done."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import BotError
from bot.ops.units import BACKUP, NAME, TIMER, UNIT, Layout, version_of

CREDENTIALS = Path("/etc/nanobot/credentials")
_SECONDS = 700.0
"""How long a start may take, by the unit's TimeoutStartSec=, and a little more."""


@dataclass(frozen=True, slots=True)
class Write:
    path: Path
    text: str
    new: bool

    def __str__(self) -> str:
        return f"{'write' if self.new else 'renew'}   {self.path}"


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path
    mode: int

    def __str__(self) -> str:
        return f"make    {self.path}/ ({'for root only' if self.mode == 0o700 else 'for all to read'})"


@dataclass(frozen=True, slots=True)
class Remove:
    path: Path

    def __str__(self) -> str:
        return f"remove  {self.path}"


@dataclass(frozen=True, slots=True)
class Run:
    """`fix` says what to do where it fails."""

    argv: tuple[str, ...]
    fix: str = ""

    def __str__(self) -> str:
        return f"run     {' '.join(self.argv)}"


Step = Write | Folder | Remove | Run


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is already. `texts` are the files that lie there; `running` whether the service does."""

    texts: Mapping[Path, str]
    running: bool
    config: Path | None = None
    """A configuration that the service's user could not read as it is now."""
    user: str = ""
    """Who has no lingering yet, where it is a user's service."""
    credentials: bool = False
    """Whether the folder of credentials is there."""


def to_install(layout: Layout, files: Mapping[Path, str], machine: Machine) -> list[Step]:
    """The steps that lead to `files` and a service that runs; fewer the second time."""
    changed = [
        Write(path, text, new=path not in machine.texts)
        for path, text in files.items()
        if machine.texts.get(path) != text
    ]
    steps: list[Step] = [*changed]
    if layout.user:
        if machine.user:
            fix = "ask an administrator for it; without, nanobot stops when you log out"
            steps.append(Run(("loginctl", "enable-linger", machine.user), fix))
    else:
        steps += _for_the_system(layout, machine)
    control = systemctl(layout)
    if changed:
        steps.append(Run((*control, "daemon-reload")))
    steps.append(Run((*control, "enable", UNIT, TIMER)))
    begin = "restart" if machine.running and changed else "start"
    see = f"journalctl {'--user ' if layout.user else ''}-u {NAME} -n 50"
    steps.append(Run((*control, begin, UNIT, TIMER), f"`{see}` says why; systemd keeps trying"))
    return steps


def _for_the_system(layout: Layout, machine: Machine) -> Iterator[Step]:
    yield Run(("systemd-sysusers", str(layout.sysusers)))
    if not machine.credentials:
        yield Folder(CREDENTIALS.parent, 0o755)
        yield Folder(CREDENTIALS, 0o700)
    if machine.config is not None:
        yield Run(("chgrp", NAME, str(machine.config)))
        yield Run(("chmod", "640", str(machine.config)))


def to_uninstall(layout: Layout, machine: Machine) -> list[Step]:
    """Data, configuration, backups and the user stay."""
    control = systemctl(layout)
    units = [path for name in (UNIT, BACKUP, TIMER) if (path := layout.path(name)) in machine.texts]
    if not units:
        return []
    known = [path.name for path in units if path.name != BACKUP]
    stop = [Run((*control, "disable", "--now", *known))] if known else []
    return [*stop, *(Remove(path) for path in units), Run((*control, "daemon-reload"))]


def systemctl(layout: Layout) -> tuple[str, ...]:
    return ("systemctl", "--user") if layout.user else ("systemctl",)


def systemd_version() -> int:
    """Of this machine; 0 where there is none."""
    return version_of(told(("systemctl", "--version")))


def told(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """What a program prints, whatever its exit code; "" where there is none, or it doesn't end soon."""
    try:
        done = subprocess.run(  # noqa: S603 -- our own words
            argv, env=dict(env) if env else None, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def do(steps: Sequence[Step], env: Mapping[str, str]) -> None:
    """Do them in order. Raises BotError at the first that fails; what was done before stays."""
    for step in steps:
        try:
            _do(step, env)
        except OSError as error:
            raise BotError(f"{step}: {error.strerror}; what stood above it is done") from error


def _do(step: Step, env: Mapping[str, str]) -> None:
    match step:
        case Write(path, text):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o644)
        case Folder(path, mode):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
        case Remove(path):
            path.unlink(missing_ok=True)
        case Run(argv, fix):
            _run(argv, fix, env)


def _run(argv: Sequence[str], fix: str, env: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 -- the words of a plan
            argv, env=dict(env), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BotError(f"`{' '.join(argv)}` did not end within {_SECONDS:.0f} s") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"ended with {done.returncode}"
        raise BotError(f"`{' '.join(argv)}` failed: {said}{f'; {fix}' if fix else ''}")


def unreadable(config: Path, group_of: int | None) -> bool:
    """Whether only its owner can read a configuration, and so not the service's user, whose group is `group_of`."""
    try:
        found = config.stat()
    except OSError:
        return False
    open_to_all = bool(found.st_mode & stat.S_IROTH)
    return not open_to_all and not (found.st_mode & stat.S_IRGRP and found.st_gid == group_of)
