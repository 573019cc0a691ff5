"""What a model may fetch: public addresses only, by whatever name, redirect or second answer."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.safety.network import Guard, Page, Refused, fetch, public, resolve

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::1",
        "2001:db8::1", "fd00:ec2::254", "not an address", "",
    ],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_what_is_public(address: str) -> None:
    assert public(address)


@given(st.ip_addresses())
def test_no_private_address_is_public(address: object) -> None:
    if getattr(address, "is_private", False) or getattr(address, "is_loopback", False):
        assert not public(str(address)) or str(address).startswith(("64:ff9b:", "2002:", "2001:0:"))


class Names:
    """A resolver that says what a test wants, one answer after the other."""

    def __init__(self, **hosts: Sequence[Sequence[str]]) -> None:
        self.hosts = {name.replace("_", "."): list(answers) for name, answers in hosts.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self.hosts.get(host)
        if answers is None:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def get(url: str, names: Names, handler: object = None, allowed: Sequence[str] = ()) -> Page:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=f"{request.url.host} as {request.headers['host']}")

    inner = httpx.MockTransport(handler or answer)  # type: ignore[arg-type] # one or the other
    return await fetch(url, Guard(inner, names, allowed), most_bytes=1000, seconds=5)


async def test_it_connects_to_the_address_that_was_checked_under_the_name_that_was_asked() -> None:
    page = await get("http://a.org/x", Names(a_org=[[PUBLIC], ["127.0.0.1"]]))
    assert page.body.decode() == f"{PUBLIC} as a.org"


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(Refused, match="not on the public internet"):
        await get("http://a.org/", Names(a_org=[[PUBLIC, "10.0.0.1"]]))


async def test_a_redirect_into_the_house_is_refused() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "http://router.lan/admin"})

    with pytest.raises(Refused, match=r"router\.lan"):
        await get("http://a.org/", Names(a_org=[[PUBLIC]], router_lan=[["192.168.1.1"]]), answer)


async def test_a_name_that_answers_differently_the_second_time_gains_nothing() -> None:
    """DNS rebinding: the redirect to itself makes it resolve again, and the second answer is checked too."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "/again"})

    with pytest.raises(Refused, match=r"127\.0\.0\.1"):
        await get("http://a.org/", Names(a_org=[[PUBLIC], ["127.0.0.1"]]), answer)


async def test_endless_redirects_end() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "/again"})

    with pytest.raises(Refused, match="redirects more than"):
        await get("http://a.org/", Names(a_org=[[PUBLIC]]), answer)


@pytest.mark.parametrize(
    "url", ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://[::1]/", "http://localhost/"]
)
async def test_other_spellings_of_this_machine_are_refused(url: str) -> None:
    guard = Guard(httpx.MockTransport(lambda _: httpx.Response(200)), resolve)
    with pytest.raises(Refused):
        await fetch(url, guard, most_bytes=10, seconds=5)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.org/x", "gopher://a.org/"])
async def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises((Refused, httpx.UnsupportedProtocol)):
        await get(url, Names(a_org=[[PUBLIC]]))


async def test_a_host_that_the_owner_allowed_may_be_private() -> None:
    page = await get("http://wiki.lan:8000/", Names(wiki_lan=[["192.168.1.5"]]), allowed=["wiki.lan:8000"])
    assert page.status == 200
    with pytest.raises(Refused):
        await get("http://wiki.lan/", Names(wiki_lan=[["192.168.1.5"]]), allowed=["wiki.lan:8000"])


async def test_a_long_body_is_cut() -> None:
    page = await get(
        "http://a.org/", Names(a_org=[[PUBLIC]]), lambda _: httpx.Response(200, content=b"x" * 5000)
    )
    assert (len(page.body), page.cut) == (1000, True)


async def test_an_ipv6_address_is_connected_to() -> None:
    page = await get("https://a.org/", Names(a_org=[["2606:4700:4700::1111"]]))
    assert page.body.decode() == "2606:4700:4700::1111 as a.org"
