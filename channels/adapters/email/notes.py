"""What the channel keeps over restarts: how far the mailbox was read, threads, the stamp's name, a secret."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass

from channels.adapters.email.mail import Mail
from channels.base import Store

_THREADS = 1000


@dataclass(frozen=True, slots=True)
class Cursor:
    """Mails of the folder numbered by `validity` were read up to `uid`. `since`: mail that arrived before (epoch
    seconds) was there before the assistant, and is nobody's question. `at`: when the mailbox was last read (likewise).
    """

    validity: int
    uid: int
    since: float
    at: float


@dataclass(frozen=True, slots=True)
class Thread:
    """What an answer into a thread is made from: the newest mail of its person."""

    subject: str
    message_id: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()

    @classmethod
    def of(cls, mail: Mail) -> Thread:
        return cls(mail.subject, mail.message_id, mail.in_reply_to, mail.references)


class Notes:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._secret = b""

    async def secret(self) -> bytes:
        """What our Message-IDs are signed with; made once."""
        if not self._secret:
            known = await self._store.load("secret")
            if known is None:
                known = {"hex": secrets.token_hex(32)}
                await self._store.save("secret", known)
            self._secret = bytes.fromhex(known["hex"])
        return self._secret

    async def cursor(self) -> Cursor | None:
        known = await self._store.load("cursor")
        return None if known is None else Cursor(**known)

    async def read_up_to(self, cursor: Cursor) -> None:
        await self._store.save("cursor", asdict(cursor))

    async def authserv_id(self) -> str:
        """The learned name; "" where none was."""
        known = await self._store.load("authserv_id")
        return str(known["name"]) if known and known["sure"] else ""

    async def supposed_id(self) -> str:
        """A name that only the owner can tell to be right; "" where there is none."""
        known = await self._store.load("authserv_id")
        return str(known["name"]) if known and not known["sure"] else ""

    async def learned(self, authserv_id: str) -> None:
        await self._store.save("authserv_id", {"name": authserv_id, "sure": True})

    async def suppose(self, authserv_id: str) -> None:
        await self._store.save("authserv_id", {"name": authserv_id, "sure": False})

    async def thread(self, key: str) -> Thread | None:
        known = await self._store.load(f"thread:{key}")
        return None if known is None else Thread(**{**known, "references": tuple(known["references"])})

    async def keep_thread(self, key: str, thread: Thread) -> None:
        """Keep what answers into a thread need; of too many threads the oldest is forgotten."""
        kept = await self._store.load("threads") or {"keys": []}
        keys = [one for one in kept["keys"] if one != key]
        await self._store.save(f"thread:{key}", asdict(thread))
        await self._store.save("threads", {"keys": [*keys, key][-_THREADS:]})
        for forgotten in keys[: -_THREADS + 1]:
            await self._store.delete(f"thread:{forgotten}")
