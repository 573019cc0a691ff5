"""systemd's unit files as this version writes them, and whether those that lie there are still the same.

The files in systemd/ are units as they stand, for a nanobot in /opt/nanobot; written down is where it really lies.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.errors import BotError

NAME = "nanobot"
UNIT = "nanobot.service"
BACKUP = "nanobot-backup.service"
TIMER = "nanobot-backup.timer"
SYSUSERS = "nanobot.sysusers.conf"
_PROGRAM = "/opt/nanobot/bin/nanobot"
_FIT = re.compile(r"[\w@+=:,./ -]+")
"""What systemd takes in ExecStart= as it stands, within quotes (systemd.syntax(7), systemd.service(5))."""
_RESTARTS = "RestartSec=10\n"
_BACK_OFF = "RestartSteps=6\nRestartMaxDelaySec=5min\n"
_BACKS_OFF = 254
"""The systemd that knows the two; an older one tries again every ten seconds (systemd.service(5))."""
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 -- what ProtectHome= and PrivateTmp= hide


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the units of the system, or of one user, belong. `sysusers` is None where no user is made."""

    user: bool
    units: Path
    sysusers: Path | None = None

    def path(self, name: str) -> Path:
        return self.units / name

    @property
    def unit(self) -> Path:
        return self.path(UNIT)


@dataclass(frozen=True, slots=True)
class Drift:
    """A unit file that is not what this version writes. `what` is a few words for a person."""

    path: Path
    what: str


def system_layout(root: Path = Path("/")) -> Layout:
    return Layout(False, root / "etc/systemd/system", root / "etc/sysusers.d/nanobot.conf")


def user_layout(env: Mapping[str, str], home: Path) -> Layout:
    """See systemd.unit(5), "User Unit Search Path"."""
    named = Path(env.get("XDG_CONFIG_HOME", ""))
    return Layout(True, (named if named.is_absolute() else home / ".config") / "systemd/user")


def invocation(program: Path, config: Path | None = None, data: Path | None = None) -> str:
    """The program with its global options, as ExecStart= has it. Raises BotError."""
    words = [str(program)]
    for option, value in (("--config", config), ("--data", data)):
        words += [option, str(value)] if value is not None else []
    for word in words:
        if not _FIT.fullmatch(word):
            raise BotError(
                f"{word!r} can't stand in a unit file; choose a path of letters, digits, - _ . + and spaces"
            )
    return " ".join(f'"{word}"' if " " in word else word for word in words)


def program_of(command: str) -> Path:
    """The program of an invocation."""
    return Path(next(iter(shlex.split(command)), ""))


def invoked(unit: str) -> str:
    """The invocation in a unit's text, "" where there is none of ours."""
    found = re.search(r"^ExecStart=(.+) run$", unit, re.MULTILINE)
    return found[1] if found else ""


def rendered(layout: Layout, command: str, systemd: int) -> dict[Path, str]:
    """Every file that belongs to an installation and its text. `systemd` is its version."""
    folder = _folder()
    units = folder / "user" if layout.user else folder
    files = {
        layout.path(name): _text(units / name).replace(_PROGRAM, command) for name in (UNIT, BACKUP, TIMER)
    }
    if systemd >= _BACKS_OFF:
        files[layout.unit] = files[layout.unit].replace(_RESTARTS, _RESTARTS + _BACK_OFF)
    if layout.sysusers is not None:
        files[layout.sysusers] = _text(folder / SYSUSERS)
    return files


def drifted(layout: Layout, systemd: int) -> list[Drift]:
    """How the files that lie there differ from what this version would write for the same program."""
    command = invoked(_read(layout.unit) or "")
    if not command:
        return [Drift(layout.unit, "starts something else than `nanobot run`")]
    found = []
    for path, text in rendered(layout, command, systemd).items():
        there = _read(path)
        if there is None:
            found.append(Drift(path, "is missing"))
        elif there != text:
            found.append(Drift(path, "is not what this version writes"))
    return found


def unseen(paths: list[Path]) -> Path | None:
    """The first of these that the system's unit can't see, since it hides people's homes and has a /tmp of its own."""
    return next((path for path in paths if any(path.is_relative_to(hidden) for hidden in _HIDDEN)), None)


def version_of(said: str) -> int:
    """systemd's version from what `systemctl --version` prints; 0 where it prints something else."""
    found = re.match(r"systemd (\d+)", said)
    return int(found[1]) if found else 0


def _folder() -> Path:
    packaged = Path(__file__).parents[1] / "data" / "systemd"
    return packaged if packaged.exists() else Path(__file__).parents[2] / "systemd"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _read(path: Path) -> str | None:
    try:
        return _text(path)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BotError(f"{path}: can't be read: {error}") from error
