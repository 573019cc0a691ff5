"""Thread keys, our own Message-IDs, subjects and References."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapters.email.threads import (
    OwnId,
    key_of,
    own_id,
    read_own_id,
    reply_references,
    reply_subject,
    thread_of,
)

SECRET = b"a secret"
ROOT, SECOND, THIRD = "<root@example.org>", "<second@example.org>", "<third@example.org>"
KEY = key_of(ROOT)

ids = st.from_regex(re.compile(r"<[a-z0-9]{1,20}@[a-z]{1,10}\.example>", re.ASCII), fullmatch=True)
rows = st.integers(1, 10**12)
keys = st.from_regex(re.compile("[0-9a-f]{16}", re.ASCII), fullmatch=True)


def test_a_key_is_sixteen_digits_of_the_roots_digest() -> None:
    assert KEY == "4e7ea1b065858dae"


@given(rows, keys | st.just(""), st.sampled_from(["home.example", "xn--bcher-kva.example"]))
def test_an_own_id_tells_its_row_and_thread_and_is_always_the_same(
    row: int, thread: str, domain: str
) -> None:
    made = own_id(row, thread, domain, SECRET)
    assert made == own_id(row, thread, domain, SECRET)
    assert read_own_id(made, SECRET) == OwnId(row, thread or key_of(made))
    assert read_own_id(made, b"another secret") is None
    assert made.isascii()


@given(rows, keys, st.integers(9, 40), st.sampled_from("0123456789abcdef"))
def test_a_changed_id_is_not_ours(row: int, thread: str, at: int, digit: str) -> None:
    made = own_id(row, thread, "home.example", SECRET)
    changed = made[:at] + digit + made[at + 1 :]
    assert changed == made or read_own_id(changed, SECRET) is None


@pytest.mark.parametrize("foreign", ["", "<>", "nanobot", "<nanobot.1.new@x>", ROOT, "<nanobot.x.new.0@x>"])
def test_what_others_write_is_not_ours(foreign: str) -> None:
    assert read_own_id(foreign, SECRET) is None


def test_a_first_mail_begins_a_thread() -> None:
    assert thread_of(ROOT, "", (), SECRET) == KEY


def test_an_answer_belongs_to_the_thread_of_its_root() -> None:
    assert thread_of(THIRD, SECOND, (ROOT, SECOND), SECRET) == KEY


def test_without_references_what_it_answers_is_the_root() -> None:
    assert thread_of(SECOND, ROOT, (), SECRET) == KEY


def test_an_answer_to_us_finds_its_thread_though_its_references_were_lost() -> None:
    ours = own_id(7, KEY, "home.example", SECRET)
    assert thread_of(THIRD, ours, (), SECRET) == KEY
    assert thread_of(THIRD, "<rewritten@relay.example>", ("<lost@relay.example>", ours), SECRET) == KEY


def test_an_answer_to_a_thread_that_we_began_belongs_to_it() -> None:
    ours = own_id(7, "", "home.example", SECRET)
    thread = thread_of(ROOT, ours, (ours,), SECRET)
    assert thread == key_of(ours)
    next_of_ours = own_id(8, thread, "home.example", SECRET)
    assert thread_of(SECOND, next_of_ours, (ours, ROOT, next_of_ours), SECRET) == thread


@given(st.lists(ids, min_size=1, max_size=60, unique=True))
def test_a_conversation_stays_one_thread_however_long(chain: list[str]) -> None:
    """Each mail answers the one before it, by the references that we would give it."""
    references: tuple[str, ...] = ()
    for before, message_id in zip(["", *chain], chain, strict=False):
        assert thread_of(message_id, before, references, SECRET) == key_of(chain[0])
        references = reply_references(message_id, before, references)
        assert references[0] == chain[0]
        assert references[-1] == message_id
        assert len(references) <= 20


def test_references_of_an_answer() -> None:
    assert reply_references(ROOT, "", ()) == (ROOT,)
    assert reply_references(THIRD, SECOND, ()) == (SECOND, THIRD)
    assert reply_references(THIRD, SECOND, (ROOT, SECOND)) == (ROOT, SECOND, THIRD)


def test_a_mail_without_an_id_cant_be_referred_to() -> None:
    assert reply_references("<0a@without-message-id.invalid>", "", ()) == ()


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Dinner", "Re: Dinner"),
        ("Re: Dinner", "Re: Dinner"),
        ("RE: re:  Dinner", "Re: Dinner"),
        ("AW: Re: SV: Dinner", "Re: Dinner"),
        ("Re[2]: Dinner", "Re: Dinner"),
        ("R: Cena", "Re: Cena"),
        ("回复\uff1a你好", "Re: 你好"),
        ("Fwd: Dinner", "Re: Fwd: Dinner"),
        ("Regarding: Dinner", "Re: Regarding: Dinner"),
        ("", "Re: your mail"),
        ("Re:", "Re: your mail"),
        ("two\n lines", "Re: two lines"),
    ],
)
def test_the_subject_of_an_answer(subject: str, expected: str) -> None:
    assert reply_subject(subject) == expected


@given(st.text(max_size=400))
def test_a_subject_gets_one_re_and_no_second(subject: str) -> None:
    once = reply_subject(subject)
    assert reply_subject(once) == once
    assert len(once) <= 254
    assert "\n" not in once
