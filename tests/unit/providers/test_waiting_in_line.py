"""The line before a server's slots, with calls that come, end and are cancelled at any moment."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from providers.slots import Slots
from providers.types import Route

HOME = Route("home", "m")


class Caller:
    def __init__(self, slots: Slots, most: int) -> None:
        self.inside = False
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._run(slots, most))

    async def _run(self, slots: Slots, most: int) -> None:
        await slots.take(HOME, most)
        self.inside = True
        try:
            await self.leave.wait()
        finally:
            self.inside = False
            slots.leave(HOME)


async def settled() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


ACTS = st.lists(
    st.tuples(st.sampled_from(["come", "end", "cancel", "settle"]), st.integers(0, 30)), max_size=60
)


@given(most=st.integers(1, 3), acts=ACTS)
def test_as_many_answer_as_there_are_slots_in_order_whatever_happens(
    most: int, acts: list[tuple[str, int]]
) -> None:
    asyncio.run(_played(most, acts))


async def _played(most: int, acts: list[tuple[str, int]]) -> None:
    slots = Slots()
    callers: list[Caller] = []
    for act, number in acts:
        if act == "come":
            callers.append(Caller(slots, most))
        elif act == "settle":
            await settled()
        elif callers:
            chosen = callers[number % len(callers)]
            chosen.leave.set() if act == "end" else chosen.task.cancel()
        assert sum(caller.inside for caller in callers) <= most
    await settled()
    living = [caller for caller in callers if not caller.task.done()]
    inside = [caller.inside for caller in living]
    # Nobody waits while a slot is free, and nobody overtakes.
    assert inside == [True] * min(most, len(living)) + [False] * max(0, len(living) - most)
    for caller in living:
        caller.leave.set()
    await asyncio.gather(*(caller.task for caller in callers), return_exceptions=True)
    assert slots.depth(HOME) == (0, 0)
    assert slots._lines == {}


async def test_models_have_lines_of_their_own() -> None:
    slots = Slots()
    await slots.take(HOME, 1)

    async with asyncio.timeout(1):
        await slots.take(Route("home", "other"), 1)

    assert slots.depth(HOME) == (1, 0)


async def test_a_server_started_anew_with_more_slots_lets_more_in() -> None:
    slots = Slots()
    await slots.take(HOME, 1)
    waiting = asyncio.create_task(slots.take(HOME, 1))
    await settled()
    assert slots.depth(HOME) == (1, 1)

    await slots.take(HOME, 3)

    await waiting
    assert slots.depth(HOME) == (3, 0)
