"""What else servers do to an answer, and what becomes of it; see `tests.fakes.llm.cases.more`."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fakes.llm import Reply
from tests.fakes.llm.cases import Case, more
from tests.faults.rows import Must, Row, play
from tests.faults.scene import FIRST_TOKEN, Chain, opened

FIRST = "first/fake-1"
_ANSWERS = Must(("",), (1, 0), FIRST, says="The quick brown fox")
_CUT = Must(("CutStream", "CutStream"), (2, 1), rests=("model", 30.0), turns=2, says="broke off its answer")
# A kept-alive connection that its server had closed looks the same, so each try is sent anew once.
_DROPPED = Must(("Unreachable", "Unreachable"), (4, 1), rests=("provider", 30.0), turns=2)
_BROKEN = Must(("ServerError", "ServerError"), (2, 1), rests=("provider", 30.0), turns=2)
_EMPTY = Must(("Empty", "Empty"), (2, 1), rests=("model", 30.0), turns=2)
_NO_API = Must(("ServerError", "ServerError"), (2, 1), rests=("provider", 30.0), turns=2, says="not an API")


def _calls(*names: str) -> Must:
    return Must(("",), (1, 0), FIRST, says=f"({', '.join(names)})")


MUST: Mapping[str, Must] = {
    "json for a stream": _ANSWERS,
    "empty text": _EMPTY,
    "null text": _EMPTY,
    "null text beside a call": _calls("clock"),
    "call in one chunk": _calls("clock"),
    "call without index": _calls("clock", "files_read"),
    "call with its head repeated": _calls("clock", "files_read"),
    "call with empty names": _calls("clock", "files_read"),
    "call with an object": _calls("clock", "files_read"),
    "calls by turns": _calls("clock", "files_read"),
    "calls with one id": _calls("clock", "files_read"),
    "call that ends with stop": _calls("clock"),
    "call without arguments": _calls("clock"),
    "call as text": _calls("clock"),
    "call cut by length": Must(("",), (1, 0), FIRST, says="(a call that was cut off)"),
    "call cut with the stream": _CUT,
    "call cut, body ended": _CUT,
    "reasoning": _ANSWERS,
    "reasoning, other field": _ANSWERS,
    "reasoning details": _ANSWERS,
    "reasoning inline": _ANSWERS,
    "reasoning inline, unopened": _ANSWERS,
    "no usage": _ANSWERS,
    "no end mark": _ANSWERS,
    "several data lines": _ANSWERS,
    "gzip": _ANSWERS,
    "byte by byte": _ANSWERS,
    "redirect to a login page": _NO_API,
    "html with 200": _NO_API,
    "reset before the status line": _DROPPED,
    "closed before the status line": _DROPPED,
    "silent after the head": Must(("Stalled",), lasts=FIRST_TOKEN, rests=("model", 30.0), turns=3),
    "reset inside the stream": _CUT,
    "body ended inside the stream": _CUT,
    "named error event": Must(("TooLong",), asked_again=True),
    "error object of old": _BROKEN,
    "error as text": _BROKEN,
    "connection closed afterwards": _ANSWERS,
    "model length": _ANSWERS,
}


async def row(key: str) -> Row:
    """Play one. Raises AssertionError where something else happens than must."""
    reply: Reply = more()[key]
    async with opened(Case(0, key, (reply,)), Chain()) as scene:
        return await play("", key, scene, MUST[key])
