"""Frames survive the pipe, however it cuts them; what is no frame is refused and nothing else happens."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapters.whatsapp.linked import protocol
from channels.adapters.whatsapp.linked.protocol import (
    LONGEST_LINE,
    Answered,
    Arrived,
    Beat,
    Code,
    Done,
    Failed,
    Fetch,
    Hello,
    Lines,
    Link,
    Malformed,
    Order,
    Outcome,
    Pair,
    React,
    Send,
    State,
    Stop,
    Taken,
    Told,
    Typing,
    Upload,
    encode,
)
from channels.types import Address, Attachment, Inbound, Media, Quote, Sender, Whose

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

_inbound = st.builds(
    Inbound,
    key=_text,
    address=st.builds(Address, st.just("whatsapp"), _text),
    sender=st.builds(Sender, _text, _text),
    text=_text,
    at=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    private=st.booleans(),
    attachments=st.lists(
        st.builds(
            Attachment, st.sampled_from(Media), _text, _text, st.integers(0, 10**9), _text, st.just(b"")
        ),
        max_size=2,
    ).map(tuple),
    quotes=st.lists(st.builds(Quote, _text, _text, st.sampled_from(Whose), _text), max_size=2).map(tuple),
)
_told: st.SearchStrategy[Told] = st.one_of(
    st.builds(Hello, st.integers(0, 9), _text),
    st.builds(Beat, st.booleans()),
    st.builds(Link, st.sampled_from(State), _text, st.floats(0, 1e9)),
    st.builds(Code, _text, st.booleans()),
    st.builds(Arrived, st.integers(0, 2**53), _inbound),
    st.builds(Done, st.integers(0, 2**53), _text),
    st.builds(Failed, st.integers(0, 2**53), st.sampled_from(Outcome), _text),
)
_order: st.SearchStrategy[Order] = st.one_of(
    st.builds(Pair, _text),
    st.builds(
        Send,
        st.integers(0, 2**53),
        _text,
        _text,
        _text,
        _text,
        st.none() | st.builds(Answered, _text, _text),
        st.none() | st.builds(Upload, _text, _text, _text, st.sampled_from(Media)),
    ),
    st.builds(Fetch, st.integers(0, 2**53), _text, _text, st.integers(0, 2**40)),
    st.builds(Taken, st.lists(st.integers(0, 2**53), max_size=5).map(tuple), st.booleans()),
    st.builds(Typing, _text),
    st.builds(React, _text, _text, _text),
    st.just(Stop()),
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(marks)]


@given(st.lists(_told, max_size=5), st.lists(st.integers(0, 10**6), max_size=8))
def test_what_the_child_says_arrives_whole(frames: list[Told], places: list[int]) -> None:
    lines = Lines()
    stream = b"".join(map(encode, frames))

    heard = [protocol.told(line) for part in cut(stream, places) for line in lines.feed(part)]

    assert heard == frames


@given(st.lists(_order, max_size=5), st.lists(st.integers(0, 10**6), max_size=8))
def test_orders_arrive_whole(frames: list[Order], places: list[int]) -> None:
    lines = Lines()
    stream = b"".join(map(encode, frames))

    heard = [protocol.order(line) for part in cut(stream, places) for line in lines.feed(part)]

    assert heard == frames


@given(st.binary(max_size=200))
def test_garbage_is_refused(line: bytes) -> None:
    for read in (protocol.told, protocol.order):
        with pytest.raises(Malformed):
            read(b"\x00" + line)


@given(_told, st.integers(0, 10**6))
def test_a_frame_that_was_cut_is_refused(frame: Told, place: int) -> None:
    line = encode(frame).rstrip(b"\n")
    with pytest.raises(Malformed):
        protocol.told(line[: place % len(line)])


def test_an_order_is_no_frame_of_the_child() -> None:
    with pytest.raises(Malformed):
        protocol.told(encode(Stop()).strip())
    with pytest.raises(Malformed):
        protocol.order(encode(Beat(connected=True)).strip())


def test_a_time_keeps_its_zone() -> None:
    at = datetime(2026, 5, 1, 12, 30, 0, 500_000, UTC)
    message = Inbound("k", Address("whatsapp", "1"), Sender("1"), "hi", at)

    heard = protocol.told(encode(Arrived(1, message)).strip())

    assert isinstance(heard, Arrived)
    assert heard.message.at == at
    assert heard.message.at.tzname() == "UTC"


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    lines = Lines()
    lines.feed(b"x" * LONGEST_LINE)
    with pytest.raises(Malformed):
        lines.feed(b"x")
