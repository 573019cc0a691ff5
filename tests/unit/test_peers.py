"""Who may use the control socket, by what the kernel says of them."""

from __future__ import annotations

import asyncio
import grp
import os
import socket
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from bot.ops.peers import Doorkeeper, Peer, group_of, guarded, peer_of

ME = os.geteuid()


def test_the_kernel_names_the_peer_with_all_its_groups() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert peer_of(here) == Peer(os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))


@pytest.mark.parametrize(
    ("keeper", "peer", "may"),
    [
        (Doorkeeper(1000), Peer(1000, frozenset({1000})), True),
        (Doorkeeper(1000), Peer(0, frozenset({0})), True),
        (Doorkeeper(1000), Peer(1001, frozenset({1000})), False),
        (Doorkeeper(997, 997), Peer(1001, frozenset({1001, 997})), True),
        (Doorkeeper(997, 997), Peer(1001, frozenset({1001})), False),
        (Doorkeeper(997), Peer(65534, frozenset({65534})), False),
    ],
)
def test_owner_root_and_the_group_may(keeper: Doorkeeper, peer: Peer, may: bool) -> None:
    assert keeper.lets_in(peer) is may


def test_only_the_named_group_shares_and_only_a_folder_that_is_open_to_it(tmp_path: Path) -> None:
    gid = tmp_path.stat().st_gid
    name = grp.getgrgid(gid).gr_name
    tmp_path.chmod(0o750)
    assert group_of(tmp_path, name) == gid
    assert group_of(tmp_path, "no such group") is None
    assert group_of(tmp_path / "none", name) is None
    tmp_path.chmod(0o700)
    assert group_of(tmp_path, name) is None


@pytest.mark.parametrize(("uid", "status"), [(ME, 404), (ME + 1, 403)])
async def test_others_read_that_they_may_not(tmp_path: Path, uid: int, status: int) -> None:
    def look(_: socket.socket) -> Peer:
        return Peer(uid, frozenset())

    path = tmp_path / "s"
    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(), uds=str(path), http=guarded(Doorkeeper(ME), look), lifespan="off", log_config=None
        )
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://nanobot") as client:
            answer = await client.post("/v1/anything", content=b"x" * 100_000)
        server.should_exit = True

    assert answer.status_code == status
    assert ("may not use this nanobot" in answer.text) is (status == 403)
