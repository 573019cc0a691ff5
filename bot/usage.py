"""What models were asked for and what it cost: gathered here, drawn by `bot.usage_table`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bot.storage import ledger
from bot.storage.database import Database, Transaction
from providers.budget import Standing
from providers.calendar import begin
from providers.client import ModelClient

_DAYS = 31


@dataclass(frozen=True, slots=True)
class Usage:
    models: ModelClient
    database: Database

    async def report(self) -> dict[str, Any]:
        """The object behind `nanobot usage --json`: sums of today and of this month, that by role and model, the last
        31 days one by one, and every cap.
        """
        now = self.models.now()

        def gather(s: Transaction) -> dict[str, Any]:
            month = begin("month", now)
            return {
                "today": _sum(s, begin("day", now)),
                "month": _sum(s, month),
                "by_role": [asdict(one) for one in ledger.sums(s, by="role", since=month)],
                "by_model": [asdict(one) for one in ledger.sums(s, by="model", since=month)],
                "by_day": [asdict(one) for one in ledger.sums(s, by="day", since=now - _DAYS * 86_400)],
            }

        # A write sees what still waits for a commit.
        return {"now": now, **await self.database.write(gather), "caps": self.caps()}

    async def of(self, person: str) -> dict[str, Any]:
        """What a person's own chats asked of models, today and this month."""
        now = self.models.now()

        def gather(s: Transaction) -> dict[str, Any]:
            return {
                "today": asdict(ledger.of_person(s, person, begin("day", now))),
                "month": asdict(ledger.of_person(s, person, begin("month", now))),
            }

        return await self.database.write(gather)

    async def brief(self) -> dict[str, Any]:
        """Money today and this month, and every cap, for the status."""
        now = self.models.now()

        def gather(s: Transaction) -> dict[str, float]:
            return {name: _sum(s, begin(name, now))["usd"] for name in ("day", "month")}

        spent = await self.database.read(gather)
        return {"today_usd": spent["day"], "month_usd": spent["month"], "caps": self.caps()}

    def caps(self) -> list[dict[str, Any]]:
        """Every cap of `[limits]` on a day or a month, and what is left of it."""
        return [_cap(standing) for standing in self.models.standings()]


def _sum(s: Transaction, since: float) -> Mapping[str, Any]:
    found = ledger.sums(s, by="", since=since)
    return asdict(found[0] if found else ledger.Sum(""))


def _cap(standing: Standing) -> dict[str, Any]:
    cap = standing.cap
    return {
        "setting": cap.setting,
        "role": cap.role,
        "period": cap.period,
        "unit": cap.unit,
        "most": cap.most,
        "spent": standing.spent,
        "held": standing.held,
        "left": standing.left,
        "until": standing.until,
        "level": standing.level,
    }
