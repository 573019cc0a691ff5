"""Where the configuration, the data and the control socket lie, decided from arguments and environment alone.

    configuration   --config, $NANOBOT_CONFIG, ~/.config/nanobot/config.toml, /etc/nanobot/config.toml
    data            --data, $NANOBOT_DATA, $STATE_DIRECTORY, ~/.local/share/nanobot
    control socket  $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/nanobot, the data folder

The user's folders follow the XDG base directory specification, by which a relative path in one of its
variables is ignored. systemd sets $STATE_DIRECTORY and $RUNTIME_DIRECTORY for a unit (systemd.exec(5)),
several of them joined by colons.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from bot.errors import BotError

Env = Mapping[str, str]

SYSTEM_CONFIG = Path("/etc/nanobot/config.toml")
UNIT_RUNTIME = Path("/run/nanobot")
"""The runtime folder of systemd/nanobot.service, as everybody outside the unit has to name it."""
SOCKET_NAME = "control.sock"
MAX_SOCKET_PATH = 107 if sys.platform == "linux" else 103
"""Bytes that `sun_path` takes beside its closing NUL (unix(7); the BSDs have four fewer)."""


def home(env: Env) -> Path:
    """The user's home: $HOME, else what the user database says."""
    return Path(env["HOME"]) if env.get("HOME") else Path.home()


def expand(path: str | Path, env: Env) -> Path:
    """`~` and `~/...` as the user's home; other paths unchanged."""
    head, *rest = Path(path).parts or (".",)
    return home(env).joinpath(*rest) if head == "~" else Path(path)


def named_config(given: str | Path | None, env: Env) -> Path | None:
    """The configuration file that somebody asked for by name; it has to exist."""
    named = given or env.get("NANOBOT_CONFIG")
    return expand(named, env) if named else None


def usual_configs(env: Env) -> tuple[Path, ...]:
    """Where a configuration file is looked for when none is named; the first that exists counts."""
    return _xdg("XDG_CONFIG_HOME", ".config", env) / "config.toml", SYSTEM_CONFIG


def data_folder(given: str | Path | None, env: Env) -> Path:
    """The folder of the database and the workspace: absolute, links resolved, perhaps not there yet."""
    named = given or env.get("NANOBOT_DATA") or _first(env.get("STATE_DIRECTORY"))
    return (expand(named, env) if named else _xdg("XDG_DATA_HOME", ".local/share", env)).resolve()


def workspace_folder(configured: str | None, data: Path, env: Env) -> Path:
    """`[workspace] path`, else a folder of the data folder; a relative path counts from the data folder."""
    return data / expand(configured, env) if configured else data / "workspace"


def models_folder(data: Path) -> Path:
    """Where `nanobot local get` puts models' files."""
    return data / "models"


def model_file(configured: str, data: Path, env: Env) -> Path:
    """`gguf` of a provider, absolute; a relative path counts from the folder of models."""
    return models_folder(data) / expand(configured, env)


def socket_path(data: Path, env: Env) -> Path:
    """Where the daemon that owns `data` listens.

    In the user's runtime folder the name depends on the data folder, since a user may run several daemons.
    """
    unit = _first(env.get("RUNTIME_DIRECTORY"))
    runtime = Path(env.get("XDG_RUNTIME_DIR", ""))
    if unit:
        return _fitting(Path(unit, SOCKET_NAME))
    return _in_runtime(runtime, data) if runtime.is_absolute() else _fitting(data / SOCKET_NAME)


def socket_candidates(given: str | Path | None, env: Env) -> tuple[Path, ...]:
    """Where a command looks for its daemon, in order: a unit's is preferred, unless a data folder is named.

    It also finds a daemon that was started with another environment: a cron job has no $XDG_RUNTIME_DIR.
    """
    data = data_folder(given, env)
    runtime = Path(env.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    own = (socket_path(data, env), _in_runtime(runtime, data), _fitting(data / SOCKET_NAME))
    named = given or env.get("NANOBOT_DATA") or env.get("STATE_DIRECTORY")
    units = () if named else (UNIT_RUNTIME / SOCKET_NAME, _fitting(runtime / "nanobot" / SOCKET_NAME))
    return tuple(dict.fromkeys((*units, *own)))


def make_socket_folder(socket: Path) -> None:
    """Make the folder that the socket goes into, for its owner only. Raises `BotError`."""
    try:
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BotError(
            f"{socket.parent}: can't be made for the control socket: {error.strerror}; "
            "set XDG_RUNTIME_DIR to a folder of yours, or unset it"
        ) from error
    check_socket_folder(socket)


def check_socket_folder(socket: Path) -> None:
    """Raises `BotError` where somebody else could have put the socket, which a command must not talk to.

    Only the folder for short paths lies where everybody may write; others are as safe as what they lie in.
    """
    if socket.parent == _short_folder():
        check_private(socket.parent, os.getuid())


def check_private(folder: Path, user: int) -> None:
    """Raises `BotError` unless the folder is `user`'s alone, or not there yet."""
    if not os.path.lexists(folder):
        return
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
        raise BotError(
            f"{folder}: is not a folder of yours alone; remove it, or choose a shorter data folder"
        )


def _in_runtime(runtime: Path, data: Path) -> Path:
    return _fitting(runtime / "nanobot" / f"{_digest(data)}.sock")


def _fitting(socket: Path) -> Path:
    """The same path, or where it is longer than the system allows a short one that only depends on it."""
    if len(os.fsencode(socket)) <= MAX_SOCKET_PATH:
        return socket
    return _short_folder() / f"{_digest(socket)}.sock"


def _short_folder() -> Path:
    # Not $TMPDIR, which may differ between daemon and command. Checked by `check_socket_folder`.
    return Path("/tmp", f"nanobot-{os.getuid()}")  # noqa: S108 - see above


def _xdg(variable: str, default: str, env: Env) -> Path:
    named = Path(env.get(variable, ""))
    return (named if named.is_absolute() else home(env) / default) / "nanobot"


def _first(folders: str | None) -> str | None:
    return folders.split(":")[0] if folders else None


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
