"""A real Postfix on loopback, before a Dovecot: a queue, delivery by LMTP, bounces. Its master has to be root.

    async with Dovecot(folder) as store, Postfix(store, other) as server:
        server.submission      # port with STARTTLS and log-in, for the bot
        server.mx              # port on which mail from outside arrives; it is stamped with what was checked

Whoever is unknown to the store is accepted here and comes back as a real bounce.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import smtplib
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes.dovecot import DOMAIN, WITH_US, Dovecot, free_ports

PROGRAM = shutil.which("postfix") or "/usr/sbin/postfix"
MASTER = "/usr/lib/postfix/sbin/master"
STAMP = f"mail.{DOMAIN}"
READY_SECONDS = 20.0

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = {stamp}
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
default_transport = error:5.1.2 no network in tests
lmtp_destination_recipient_limit = 1
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
message_size_limit = 2000000
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_relay_restrictions = reject_unauth_destination
"""
# What the milter of a real mail server does: it writes down whom it found the mail to be from.
_MASTER = """\
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{mx} inet n - n - - smtpd
  -o {{ smtpd_sender_restrictions = check_sender_access inline:{{ {{ {domain} = PREPEND {result} }} }} }}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


def usable() -> str:
    """Why it can't be used here; "" where it can."""
    if not Path(PROGRAM).exists():
        return "Postfix is not installed (apt install postfix)"
    return "" if os.getuid() == 0 else "Postfix's master has to be root"


class Postfix:
    def __init__(self, store: Dovecot, folder: Path) -> None:
        self.folder = folder
        self.submission, self.mx = free_ports(2)
        self._process: asyncio.subprocess.Process | None = None
        for name in ("queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        main = _MAIN.format(
            folder=folder,
            stamp=STAMP,
            domain=DOMAIN,
            lmtp=store.lmtp_port,
            auth=store.auth_port,
            certificate=store.certificates.certificate,
            key=store.certificates.key,
        )
        result = f"Authentication-Results: {STAMP}; spf=pass smtp.mailfrom={DOMAIN}"
        ports = {"submission": self.submission, "mx": self.mx}
        (folder / "main.cf").write_text(main)
        (folder / "master.cf").write_text(_MASTER.format(domain=DOMAIN, result=result, **ports))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def queue(self) -> list[str]:
        """Mails that wait."""
        places = ("incoming", "active", "deferred")
        return [
            file.name
            for place in places
            for file in self.folder.joinpath("queue", place).rglob("*")
            if file.is_file()
        ]

    def send(self, sender: str, to: str, mail: bytes) -> None:
        """As a server from outside; a sender "" is that of a report."""
        with smtplib.SMTP("127.0.0.1", self.mx, timeout=10) as client:
            client.sendmail(sender, [to], mail)

    async def __aenter__(self) -> Self:
        with (self.folder / "log").open("wb") as log:
            prepared = await asyncio.create_subprocess_exec(
                PROGRAM, "-c", str(self.folder), "check", stdout=log, stderr=log
            )
            await prepared.wait()
            self._process = await asyncio.create_subprocess_exec(
                *WITH_US, MASTER, "-c", str(self.folder), "-s",
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not all(_greets(port) for port in (self.submission, self.mx)):
                    if self._process.returncode is not None:
                        break
                    await asyncio.sleep(0.05)
                else:
                    return self
        except TimeoutError:
            await self.stop()
        raise RuntimeError(f"Postfix did not come up: {self.log}")

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _greets(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
        return probe.recv(80).startswith(b"220")
    return False
