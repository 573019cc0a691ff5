"""Who may use the control socket: its owner, root, and where the folder it lies in is a group's, that group.

The socket's mode says so, too. What the kernel says of who is at the other end (SO_PEERCRED, unix(7)) holds also where
a mode was changed by hand, or the socket was handed on.
"""

from __future__ import annotations

import asyncio
import grp
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uvicorn.protocols.http.h11_impl import H11Protocol

GROUP = "nanobot"
"""The group of systemd/nanobot.service."""
_SO_PEERGROUPS = 59
"""Linux 4.13; Python has no name for it."""
_PEER = struct.Struct("3i")
_GROUPS_BYTES = 1024
"""What Python takes at most, enough for 256 groups; somebody in more of them only counts by the first."""
_REFUSING_SECONDS = 5.0
_BODY = f'{{"error": "you may not use this nanobot; have its owner or root add you to the group {GROUP}"}}'
_REFUSAL = (
    "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nConnection: close\r\n"
    f"Content-Length: {len(_BODY)}\r\n\r\n{_BODY}"
).encode()


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: its user, and all groups that count for it."""

    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """`group` is None where nobody but the owner and root may come in."""

    owner: int
    group: int | None = None

    def lets_in(self, peer: Peer) -> bool:
        return peer.uid in (0, self.owner) or (self.group is not None and self.group in peer.groups)


def group_of(folder: Path, name: str = GROUP) -> int | None:
    """The group that shares a socket in `folder`: the one called `name`, where the folder is its and open to it."""
    try:
        found = folder.stat()
        gid = grp.getgrnam(name).gr_gid
    except (OSError, KeyError):
        return None
    return gid if found.st_gid == gid and found.st_mode & 0o010 else None


def peer_of(connection: socket.socket) -> Peer | None:
    """Who has connected; None where the system doesn't say."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    _, uid, gid = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        raw = b""
    return Peer(uid, frozenset({gid, *(one for (one,) in struct.iter_unpack("I", raw))}))


def doorkeeper(path: Path) -> Doorkeeper:
    """Of a socket at `path`."""
    return Doorkeeper(os.geteuid(), group_of(path.parent))


def guarded(keeper: Doorkeeper, look: Callable[[socket.socket], Peer | None] = peer_of) -> type[H11Protocol]:
    """HTTP for those who may come in; anybody else reads that they may not."""

    class Guarded(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
            peer = look(transport.get_extra_info("socket"))
            if peer is None or keeper.lets_in(peer):
                super().connection_made(transport)
            else:
                transport.set_protocol(_Refusing(transport))

    return Guarded


class _Refusing(asyncio.Protocol):
    """Says no to whatever is asked, or goes where nothing is: a request left unread would reset the connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        asyncio.get_running_loop().call_later(_REFUSING_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 -- whatever it asks
        if not self._transport.is_closing():
            self._transport.write(_REFUSAL)
            self._transport.close()
