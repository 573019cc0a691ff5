"""What the parser of event streams tolerates beyond the standard, and where it draws the line."""

from __future__ import annotations

import pytest

from providers.sse import LONGEST, ServerEvent, SSEParser


def parse(text: str) -> list[ServerEvent]:
    parser = SSEParser()
    return parser.feed(text.encode()) + parser.close()


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("data: one\n\ndata: two\n\n", [ServerEvent("one"), ServerEvent("two")]),
        ("data:one\n\n", [ServerEvent("one")]),
        ("data: a\ndata: b\n\n", [ServerEvent("a\nb")]),
        ("data\n\n", [ServerEvent("")]),
        (": comment\n\n:\n\ndata: x\n\n", [ServerEvent("x")]),
        ("id: 7\nretry: 10\nunknown: z\ndata: x\n\n", [ServerEvent("x")]),
        ("event: error\ndata: {}\n\n", [ServerEvent("{}", "error")]),
        ("event: ping\n\ndata: x\n\n", [ServerEvent("x")]),
        ("\ufeffdata: x\n\n", [ServerEvent("x")]),
        # Beyond the standard
        ("data: [DONE]", [ServerEvent("[DONE]")]),
        ('{"error": "x"}\n\n', [ServerEvent('{"error": "x"}')]),
        ('error: {"code": 500}\n\n', [ServerEvent('{"code": 500}', "error")]),
    ],
)
def test_events(text: str, events: list[ServerEvent]) -> None:
    assert parse(text) == events


def test_a_character_cut_in_two_is_whole_again() -> None:
    parser = SSEParser()
    data = "data: ü\n\n".encode()

    assert parser.feed(data[:7]) == []
    assert parser.feed(data[7:]) == [ServerEvent("ü")]


def feed_without_end(piece: bytes) -> None:
    parser = SSEParser()
    for _ in range(LONGEST // len(piece) + 3):
        parser.feed(piece)


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["a line", "lines"])
def test_an_event_that_never_ends_is_given_up(end: bytes) -> None:
    with pytest.raises(ValueError, match="more than"):
        feed_without_end(b"data: " + b"x" * (1024 * 1024) + end)
