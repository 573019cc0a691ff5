"""A send whose answer was lost and of which a status says that it failed: it is sent again, never taken for arrived."""

from __future__ import annotations

import pytest

from channels.errors import Unknown
from tests.fakes import whatsapp_deliveries as made
from tests.unit.channels.whatsapp_cloud.scene import ANN, scene


@pytest.mark.parametrize("code", [131047, 131000, 131026])
async def test_what_failed_is_posted_again(code: int) -> None:
    async with scene() as s:
        s.wa.drops(done=True)
        with pytest.raises(Unknown):
            await s.send("hello", 7)
        s.wa.status(s.wa.sent[0], "failed", **made.failure(code))
        await s.quiet()
        s.wa.says(ANN, "I am here")
        await s.heard()
        assert await s.send("hello", 7) == s.wa.sent[1].ref


@pytest.mark.parametrize("code", [131047, 131000])
async def test_what_was_thought_to_have_landed_and_failed_then_is_posted_again(code: int) -> None:
    async with scene() as s:
        s.wa.drops(done=True)
        with pytest.raises(Unknown):
            await s.send("hello", 7)
        first = s.wa.sent[0]
        s.wa.status(first, "sent")
        await s.quiet()
        assert await s.send("hello", 7) == first.ref
        s.wa.status(first, "failed", **made.failure(code))
        await s.wa.until(lambda: s.reports)
        s.wa.says(ANN, "I am here")
        await s.heard()
        assert await s.send("hello", 7) == s.wa.sent[1].ref
