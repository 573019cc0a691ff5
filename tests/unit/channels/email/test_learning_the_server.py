"""The name a server stamps with, learned from what it delivered."""

from __future__ import annotations

from channels.adapters.email.authenticity import NAMELESS, Learned, learn, stamped, verdict
from channels.adapters.email.headers import Headers, read_headers

OURS = (
    "Received: from lmtp by mail.example.net with LMTP\n"
    "Authentication-Results: mx.example.net; dkim=pass header.d=example.org\n"
    "Received: from out.example.org by mx.example.net with ESMTPS\nFrom: anna@example.org\n\n"
)
MICROSOFT = (
    "Received: from a by b.outlook.example\n"
    "Authentication-Results: spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.org; dkim=pass (ok)\n"
    " header.d=example.org;dmarc=pass action=none header.from=example.org;compauth=pass reason=100\n"
    "From: anna@example.org\n\n"
)
BARE = "Received: from a by mx.example.net\nFrom: anna@example.org\n\n"


def mail(text: str) -> Headers:
    return read_headers(text.encode())


def test_the_topmost_name_of_the_server_that_received_it() -> None:
    assert learn([mail(OURS)]) == Learned("mx.example.net", sure=True)
    assert learn([mail(BARE), mail(OURS), mail(OURS)]) == Learned("mx.example.net", sure=True)


def test_a_name_of_nobody_who_received_it_is_not_sure() -> None:
    foreign = OURS.replace("mx.example.net;", "mx.other.example;")
    assert learn([mail(foreign)]) == Learned("mx.other.example", sure=False)


def test_what_a_sender_wrote_below_the_servers_own_lines_is_never_sure() -> None:
    forged = "Received: from evil by mail.example.net with ESMTPS\n" + OURS.replace(
        "example.net", "evil.example"
    )
    assert learn([mail(forged)]) == Learned("mx.evil.example", sure=False)


def test_one_of_many_servers_of_a_provider() -> None:
    headers = mail(OURS)
    assert verdict(headers, "anna@example.org", "*.example.net").authentic
    assert not verdict(headers, "anna@example.org", "*.ample.net").authentic
    assert not verdict(headers, "anna@example.org", "*.example.com").authentic
    assert not verdict(mail(MICROSOFT), "anna@example.org", "*.example.net").authentic
    assert stamped(headers, "*.example.net")
    assert not stamped(headers, "mx.example.com")


def test_nothing_is_learned_where_nothing_is_stamped_or_names_differ() -> None:
    assert learn([]) is None
    assert learn([mail(BARE)]) is None
    assert learn([mail(OURS), mail(OURS.replace("mx.example.net;", "mx.other.example;"))]) is None
    assert learn([mail("Authentication-Results: (((\n\n")]) is None


def test_a_server_that_leaves_its_name_out() -> None:
    headers = mail(MICROSOFT)
    assert learn([headers]) == Learned(NAMELESS, sure=False)
    assert verdict(headers, "anna@example.org", NAMELESS).authentic
    assert not verdict(headers, "anna@example.org", "mx.example.net").authentic
    assert not verdict(mail(OURS), "anna@example.org", NAMELESS).authentic


def test_an_unknown_server_proves_nobody() -> None:
    assert not verdict(mail(OURS), "anna@example.org", "").authentic
    assert not verdict(mail(OURS), "anna@example.org", "  ").authentic
