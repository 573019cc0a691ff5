"""The library's words for a failure, and what they mean for the message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapters.whatsapp.linked.failures import outcome
from channels.adapters.whatsapp.linked.protocol import Outcome


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("websocket not connected", Outcome.NOT_SENT),
        (
            "failed to get user info for 49@s.whatsapp.net to fill LID cache: websocket not connected",
            Outcome.NOT_SENT,
        ),
        ("failed to get group members: info query timed out", Outcome.NOT_SENT),
        ("the store doesn't contain a device JID", Outcome.NOT_SENT),
        ("no LID found for 4915@s.whatsapp.net from server", Outcome.REFUSED),
        ("server returned error 479", Outcome.REFUSED),
        ("server returned error 429", Outcome.NOT_SENT),
        ("server returned error 503", Outcome.NOT_SENT),
        ("timed out waiting for message send response", Outcome.UNKNOWN),
        ("websocket disconnected before message send returned response", Outcome.UNKNOWN),
        ("download failed with status code 410", Outcome.REFUSED),
        ("download failed with status code 500", Outcome.NOT_SENT),
        ("hash of media ciphertext doesn't match", Outcome.REFUSED),
        ("", Outcome.UNKNOWN),
        ("something new", Outcome.UNKNOWN),
    ],
)
def test_words_mean(words: str, expected: Outcome) -> None:
    assert outcome(words)[0] is expected


@given(st.text())
def test_a_detail_is_one_short_line(words: str) -> None:
    detail = outcome(words)[1]
    assert detail
    assert "\n" not in detail
    assert len(detail) < 200
