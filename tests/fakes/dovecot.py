"""A real Dovecot on loopback, without privileges: mailboxes by IMAP over TLS, delivery by LMTP.

    async with Dovecot(folder) as server:
        await server.deliver("bot", mail)      # as the owner's own mail server would
        server.imap_port, server.certificates.authority

As root it runs as the user `nobody`. Its folder must be readable for that user; use `dovecot_folder()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes.certificates import Certificates, issue

PROGRAM = shutil.which("dovecot") or "/usr/sbin/dovecot"
WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
"""Before a server's command: it ends with the tests, however they end."""
DOMAIN = "home.example"
USERS = {"bot": "sesame", "ann": "open"}
FULL = "full"
"""A user whose mailbox is full with the first mail."""
READY_SECONDS = 10.0

_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
mail_home = {folder}/mail/%n
mail_location = maildir:~/Maildir
ssl = required
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
auth_username_format = %Ln
mail_plugins = quota
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_grace = 0
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {folder}/users
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imap}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""


def installed() -> bool:
    return Path(PROGRAM).exists()


@contextlib.contextmanager
def dovecot_folder() -> Iterator[Path]:
    """A folder that the server's user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="dovecot-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


class Dovecot:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificates: Certificates = issue(folder)
        self.imap_port, self.lmtp_port, self.auth_port = free_ports(3)
        self._process: asyncio.subprocess.Process | None = None
        self._user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._write()

    def _write(self) -> None:
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir(exist_ok=True)
        group = next(line.split(":")[0] for line in _groups() if line.split(":")[2] == str(self._user.pw_gid))
        given = {"user": self._user.pw_name, "group": group, "folder": self.folder}
        config = _CONFIG.format(imap=self.imap_port, lmtp=self.lmtp_port, auth=self.auth_port, **given)
        (self.folder / "dovecot.conf").write_text(config)
        users = [f"{name}:{{PLAIN}}{word}::::::" for name, word in USERS.items()]
        users.append(f"{FULL}:{{PLAIN}}sesame::::::userdb_quota_rule=*:storage=2K")
        (self.folder / "users").write_text("\n".join(users) + "\n")
        if os.getuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Raises RuntimeError with the server's own words if it doesn't come up."""
        drop: dict[str, Any] = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        self._process = await asyncio.create_subprocess_exec(
            *WITH_US,
            PROGRAM,
            "-F",
            "-c",
            str(self.folder / "dovecot.conf"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            **(drop if os.getuid() == 0 else {}),
        )
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not listens(self.imap_port) or not listens(self.lmtp_port):
                    if self._process.returncode is not None:
                        break
                    await asyncio.sleep(0.02)
                else:
                    return
        except TimeoutError:
            await self.stop()
        log = self.folder / "dovecot.log"
        raise RuntimeError(f"Dovecot did not come up: {log.read_text() if log.exists() else 'no log'}")

    async def stop(self, *, hard: bool = False) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                if hard:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.terminate()
            await process.wait()
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "run" / "master.pid").unlink()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def deliver(self, user: str, mail: bytes, sender: str = "ann@example.org") -> None:
        """Put a mail into a mailbox. Raises smtplib.SMTPException where it is full."""

        def run() -> None:
            with smtplib.LMTP("127.0.0.1", self.lmtp_port, timeout=10) as client:
                refused = client.sendmail(sender, [f"{user}@{DOMAIN}"], mail)
                if refused:
                    raise smtplib.SMTPRecipientsRefused(refused)

        await asyncio.to_thread(run)

    async def renumber(self, user: str) -> None:
        """Have the mailbox's UIDVALIDITY change, as after a server was restored or moved."""
        await self.stop()
        folder = self.folder / "mail" / user / "Maildir"
        for path in folder.glob("dovecot*"):
            path.unlink()
        await self.start()


def free_ports(count: int) -> list[int]:
    found = []
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            found.append(listener.getsockname()[1])
    return found


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _groups() -> list[str]:
    return Path("/etc/group").read_text(encoding="utf-8").splitlines()
