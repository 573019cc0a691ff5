"""A small Debian with systemd as its first process, in a container that shares this machine's network.

The Debian is fetched once and kept; every machine is a copy of it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path("/var/cache/nanobot-tests")
RELEASE = "bookworm"
PYTHON = "3.11"
"""Of that release."""
PACKAGES = (
    *("systemd-sysv", "dbus", "libpam-systemd", "dbus-user-session"),
    *("python3", "python3-venv", "bubblewrap", "ca-certificates"),
)
_TAGS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "linux")
_BOOT_SECONDS = 60.0
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME": "/root", "LANG": "C.UTF-8"}


class Missing(Exception):
    """Why there can be no such machine here; what skips the tests."""


def require() -> None:
    """Raises Missing."""
    if os.getuid():
        raise Missing("booting a container needs root")
    for program, package in (
        ("systemd-nspawn", "systemd-container"),
        ("debootstrap", "debootstrap"),
        ("systemd-analyze", "systemd"),
        ("nsenter", "util-linux"),
    ):
        if not shutil.which(program):
            raise Missing(f"{program} is missing (Debian package: {package})")


def debian() -> Path:
    """A root file system, fetched once. Raises Missing where it can't be."""
    key = hashlib.sha256(" ".join((RELEASE, *PACKAGES)).encode()).hexdigest()[:8]
    root = CACHE / f"{RELEASE}-{key}"
    if not root.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        draft = root.with_name(f"{root.name}.{os.getpid()}")
        done = _run(
            "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE, str(draft)
        )
        if done.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            raise Missing(f"debootstrap fetches no {RELEASE}: {done.stdout.strip()[-300:]}")
        draft.rename(root)
    return root


def wheels(folder: Path) -> Path:
    """A wheel of this tree, and all that it needs, in one folder. Raises Missing where they can't be fetched."""
    folder.mkdir()
    built = _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    assert built.returncode == 0, built.stdout
    (wheel,) = folder.glob("*.whl")
    locked = (line.partition(" \\")[0] for line in (ROOT / "requirements/run.lock").read_text().splitlines())
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(line for line in locked if "==" in line and not line.startswith(" ")))
    kept = CACHE / "wheels"
    kept.mkdir(parents=True, exist_ok=True)
    platforms = [f"--platform={tag}_{platform.machine()}" for tag in _TAGS]
    done = _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp", *platforms),
        *(f"--find-links={kept}", f"--dest={folder}", f"--constraint={constraints}", str(wheel)),
    )
    if done.returncode:
        raise Missing(f"pip fetches nothing: {done.stdout.strip()[-300:]}")
    for one in folder.glob("*.whl"):
        if one != wheel:
            shutil.copy2(one, kept)
    return folder


class Machine:
    """One that runs, from `boot` to `halt`. `root` is its file system, seen from here."""

    def __init__(self, root: Path, wheels: Path) -> None:
        self.root = root
        self._wheels = wheels
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    @classmethod
    def copied(cls, base: Path, folder: Path, wheels: Path) -> Machine:
        done = _run("cp", "-a", "--reflink=auto", str(base), str(folder))
        assert done.returncode == 0, done.stdout
        # So that the journal outlives a boot.
        (folder / "var/log/journal").mkdir(exist_ok=True)
        return cls(folder, wheels)

    def boot(self) -> None:
        with (self.root.parent / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                [
                    *("systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}"),
                    # There may be no systemd on the outside to register it with.
                    *("--register=no", "--keep-unit", "--kill-signal=SIGRTMIN+3"),
                    *("--resolv-conf=off", "--timezone=off", "--console=pipe"),
                    f"--bind-ro={self._wheels}:/wheels",
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self.until(self._is_up, "the machine boots", _BOOT_SECONDS)

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            said = (self.root.parent / "console.log").read_text(errors="replace")[-500:]
            raise Missing(f"systemd-nspawn boots nothing here: {said.strip()}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children:
            return False
        self._leader = int(children[0])
        return self.run("systemctl", "is-system-running", check=False).strip() in {"running", "degraded"}

    def halt(self) -> None:
        """Power off in order; by force where that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        self._process = None

    def run(self, *argv: str, user: str = "", check: bool = True, seconds: float = 120.0) -> str:
        """Run a program inside; its two outputs. A failure is an AssertionError with them."""
        code, said = self.ended(*argv, user=user, seconds=seconds)
        assert code == 0 or not check, f"{' '.join(argv)} ended with {code}: {said}"
        return said

    def ended(self, *argv: str, user: str = "", seconds: float = 120.0) -> tuple[int, str]:
        """The same, with its exit code first."""
        inside = ("nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--")
        who = ("runuser", "-u", user, "--") if user else ()
        done = _run(*inside, *who, *argv, env=_ENV, seconds=seconds)
        return done.returncode, done.stdout

    def shows(self, *properties: str, unit: str = "nanobot.service") -> dict[str, str]:
        """What systemd knows of a unit."""
        said = self.run("systemctl", "show", unit, "-p", ",".join(properties))
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def journal(self, unit: str = "nanobot") -> str:
        return self.run("journalctl", "-u", unit, "-o", "cat", "--no-pager")

    def until(self, true: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait for something. Raises AssertionError."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
            time.sleep(0.1)


def _run(
    *argv: str, cwd: Path | None = None, env: dict[str, str] | None = None, seconds: float = 900.0
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
