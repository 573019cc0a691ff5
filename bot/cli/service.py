"""`nanobot service`: nanobot as a service of systemd: what is written, whether it still fits, and how it runs."""

from __future__ import annotations

import grp
import os
import pwd
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import paths
from bot.cli.asking import Ask, ask
from bot.cli.options import Options
from bot.errors import BotError
from bot.ops import installing, units
from bot.ops.installing import Machine, Run, Step, systemd_version, told
from bot.ops.units import Layout

_BOOTED = Path("/run/systemd/system")
"""There where systemd is what booted this machine, see sd_booted(3)."""
_LINGER = Path("/var/lib/systemd/linger")
_MANAGER_WITHIN = 10.0
_SHOWN = (
    "LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,StatusText,Result,"
    "ActiveEnterTimestamp,MemoryCurrent"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """`user`: a service of the one who asks, without root. `dry_run`: only show."""

    user: bool = False
    dry_run: bool = False
    yes: bool = False


def booted() -> bool:
    return _BOOTED.is_dir()


def layout(options: Options, *, user: bool) -> Layout:
    return units.user_layout(options.env, paths.home(options.env)) if user else units.system_layout()


def program() -> Path:
    """The command `nanobot` of this installation. Raises BotError."""
    found = Path(sysconfig.get_path("scripts"), "nanobot")
    if not found.exists():
        raise BotError(
            f"{found} is missing, so that a service couldn't start it; install nanobot with pip, "
            "or run `make .venv` in its folder"
        )
    return found


def plan_install(options: Options, wish: Wish) -> list[Step]:
    """What installing would do here. Raises BotError."""
    place = layout(options, user=wish.user)
    where = program()
    config = paths.named_config(options.config, options.env)
    data = Path(options.data) if options.data else None
    if not wish.user:
        _fits_the_system(where, config, data)
    command = units.invocation(where, config and config.resolve(), data and data.resolve())
    files = units.rendered(place, command, systemd_version())
    return installing.to_install(place, files, _machine(place, list(files), config))


def plan_uninstall(options: Options, wish: Wish) -> list[Step]:
    place = layout(options, user=wish.user)
    files = [place.path(name) for name in (units.UNIT, units.BACKUP, units.TIMER)]
    return installing.to_uninstall(place, _machine(place, files, None))


async def carry_out(steps: list[Step], options: Options, wish: Wish, asks: Ask = ask) -> bool:
    """Show the steps, ask, and do them; whether they were done. Raises BotError."""
    print("\n".join(f"  {step}" for step in steps))
    if wish.dry_run:
        print("Nothing was done (--dry-run).")
        return False
    if why := refusal(wish, systemd=booted(), root=os.getuid() == 0):
        raise BotError(f"nothing was done: {why}")
    if not wish.yes and not await _agreed(asks):
        print("Nothing was done.")
        return False
    env = _environment(options.env, user=wish.user)
    for step in steps:
        installing.do([step], env)
        if isinstance(step, Run) and step.argv[0] == "loginctl":
            _wait_for_manager(env)
    return True


async def _agreed(asks: Ask) -> bool:
    if not sys.stdin.isatty():
        raise BotError("nothing was done: there is no terminal to ask at; say --yes, or look with --dry-run")
    try:
        return (await asks("Do that? [y/N] ")).strip().lower() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        return False


def refusal(wish: Wish, *, systemd: bool, root: bool) -> str:
    """Why nothing can be done, "" where it can. `systemd`: it booted this machine; `root` is who asks."""
    if not systemd:
        return (
            "this machine wasn't booted by systemd (there is no /run/systemd/system); "
            "have whatever starts programs here run `nanobot run`"
        )
    if not wish.user and not root:
        return "a service of the system is root's to install; use sudo, or take one of your own with --user"
    if wish.user and root:
        return "--user as root would be root's own service; run it as yourself"
    return ""


def _fits_the_system(where: Path, config: Path | None, data: Path | None) -> None:
    if data is not None:
        raise BotError("the service keeps its data in /var/lib/nanobot; leave out --data, or add --user")
    needed = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2], where]
    hidden = units.unseen([path.resolve() for path in (*needed, *([config] if config else []))])
    if hidden is not None:
        raise BotError(
            f"the service is shut in and couldn't see {hidden}; install nanobot into /opt/nanobot "
            "(docs/SERVICE.md), or take a service of your own with --user"
        )


def _machine(place: Layout, files: list[Path], config: Path | None) -> Machine:
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in files if path.exists()}
    running = booted() and "active" in told((*installing.systemctl(place), "is-active", units.UNIT)).split()
    if place.user:
        name = pwd.getpwuid(os.getuid()).pw_name
        return Machine(texts, running, user="" if (_LINGER / name).exists() else name)
    file = config or paths.SYSTEM_CONFIG
    closed = installing.unreadable(file, _group())
    return Machine(texts, running, file if closed else None, credentials=installing.CREDENTIALS.is_dir())


def _group() -> int | None:
    try:
        return grp.getgrnam(units.NAME).gr_gid
    except KeyError:
        return None


def _environment(env: Mapping[str, str], *, user: bool) -> dict[str, str]:
    """With what leads to the user's own systemd, which `su` and cron leave out."""
    return {"XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}", **env} if user else dict(env)


def _wait_for_manager(env: Mapping[str, str]) -> None:
    """A user's systemd, started by lingering, takes a moment."""
    until = time.monotonic() + _MANAGER_WITHIN
    while time.monotonic() < until and not Path(env["XDG_RUNTIME_DIR"], "systemd/private").exists():
        time.sleep(0.1)


def own_is_meant(options: Options, *, user: bool) -> bool:
    """Whether it is the user's own service that is to be looked at: it was asked for, or the machine has none."""
    system, own = (layout(options, user=whose).unit for whose in (False, True))
    return user or (own.exists() and not system.exists())


def gather(options: Options, *, user: bool) -> tuple[dict[str, Any], bool]:
    """What `nanobot service status --json` prints, and whether all is well."""
    place = layout(options, user=user)
    report: dict[str, Any] = {"unit": str(place.unit), "installed": place.unit.exists(), "booted": booted()}
    if report["installed"]:
        report["starts"] = units.invoked(place.unit.read_text(encoding="utf-8", errors="replace"))
        report["drift"] = {str(one.path): one.what for one in units.drifted(place, systemd_version())}
    if booted():
        said = told(
            (*installing.systemctl(place), "show", units.UNIT, "-p", _SHOWN),
            _environment(options.env, user=user),
        )
        report["systemd"] = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    active = report.get("systemd", {}).get("ActiveState") in {"active", "reloading"}
    return report, bool(report["installed"]) and active and not report.get("drift")


def render(report: Mapping[str, Any], *, user: bool) -> str:
    return "\n".join(_lines(report, " --user" if user else ""))


def _lines(report: Mapping[str, Any], flag: str) -> Iterator[str]:
    if not report["installed"]:
        yield f"nanobot is no service here: {report['unit']} does not exist."
        yield f"`nanobot service install{flag} --dry-run` shows what it takes."
        return
    yield f"unit      {report['unit']}"
    yield f"starts    {report['starts'] or 'something else'}"
    if not report["booted"]:
        yield "! this machine wasn't booted by systemd: nothing starts that unit"
    found = report.get("systemd", {})
    if found.get("ActiveState"):
        yield f"state     {found['ActiveState']} ({found.get('SubState')}), {found.get('UnitFileState') or 'static'}"
        if found.get("MainPID", "0") != "0":
            yield f"since     {found.get('ActiveEnterTimestamp')} (pid {found['MainPID']})"
        yield f"restarts  {found.get('NRestarts', '0')}"
        if found.get("StatusText"):
            yield f"says      {found['StatusText']}"
        if found.get("Result") not in {"success", None, ""}:
            yield f"! the last end was: {found['Result']}; `journalctl{flag} -u nanobot` says more"
    for path, what in report.get("drift", {}).items():
        yield f"! {path} {what}; `nanobot service install{flag}` renews it"
