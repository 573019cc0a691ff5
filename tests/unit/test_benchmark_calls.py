"""The contest of model calls: every scenario runs, and nobody is asked who rests."""

from __future__ import annotations

from bench.client import BARE, OURS, overheads
from bench.contest import FAILING, MODEL
from tests.fakes.llm.process import llm_process


async def test_only_a_candidate_that_may_be_asked_is_asked() -> None:
    async with llm_process("--model", MODEL, "--model", FAILING) as llm:
        seen = await overheads(llm, [], rounds=1, calls=1)
    assert {one.scenario.name: one.vain[OURS] for one in seen} == {
        "the first is healthy": 0,
        "the first refuses each time": 1,
        "the first rests": 0,
        "ten candidates": 0,
        "ten, of which nine rest": 0,
        "an answer in 200 pieces": 0,
    }
    assert all(one.vain[BARE] == one.vain[OURS] for one in seen), "both make the same requests"
    assert all(len(one.times[name]) == 1 for one in seen for name in (BARE, OURS))
