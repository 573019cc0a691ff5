"""A model that answers with the numbers it was asked, and fails as often as it is told."""

from __future__ import annotations

import random
import re
from typing import Any

from tests.fakes.llm import Reply
from tests.fakes.llm.replies import Fault, Pace

NUMBER = re.compile(r"#(\d{6})")


def asked(body: dict[str, Any]) -> list[str]:
    """The numbers in what people wrote since the last answer."""
    found: list[str] = []
    for message in reversed(body["messages"]):
        if message["role"] == "assistant":
            break
        if message["role"] == "user":
            # What was said in another chat is that chat's to answer.
            here = [part for part in str(message["content"]).split("\n\n") if not part.startswith("(on ")]
            found = NUMBER.findall("\n".join(here)) + found
    return list(dict.fromkeys(found))


class Brain:
    """`rate` of the calls fail, each in a way chosen at random."""

    def __init__(self, chance: random.Random, rate: float) -> None:
        self.calls = 0
        self.failures = 0
        self._chance = chance
        self._rate = rate

    def __call__(self, body: dict[str, Any]) -> Reply:
        self.calls += 1
        text = "Answer to " + " ".join(f"#{number}" for number in asked(body))
        if self._chance.random() >= self._rate:
            return Reply(text, pace=Pace(wait=self._chance.uniform(0.0, 0.05)))
        self.failures += 1
        return self._chance.choice(
            (
                Reply.error(500, {"error": {"message": "boom"}}),
                Reply.error(429, {"error": {"message": "slow down"}}, retry_after="1"),
                Reply.error(503, {"error": {"message": "busy"}}),
                Reply.html(502),
                Reply(text, fault=Fault("close", 1)),
                Reply(""),
            )
        )
