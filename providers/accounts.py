"""What providers count of our calls themselves, asked for without spending any."""

from __future__ import annotations

import logging

from providers.base import CountsFreeCalls
from providers.errors import ProviderError
from providers.health import free_account, keyed
from providers.means import Means
from providers.presets import preset_for
from providers.quota import COUNTING, used_up

log = logging.getLogger(__name__)


async def refresh(means: Means) -> None:
    """Ask for the counts of free calls that may have moved away from ours, each account's for itself.

    A server that doesn't tell is asked again the next time.
    """
    for name, settings in means.knowledge.catalog.providers.items():
        preset = preset_for(name, settings)
        if preset is None or preset.name != COUNTING:
            continue
        for key in range(len(settings.keys)):
            if means.free_days.due(free_account(name, key), means.now()):
                await _ask(means, name, key)


async def _ask(means: Means, name: str, key: int) -> None:
    try:
        with means.registry.lease(name, means.knowledge.catalog.providers[name], key) as live:
            calls = await live.free_calls() if isinstance(live, CountsFreeCalls) else None
    except ProviderError as error:
        means.free_days.silent(free_account(name, key), means.now())
        log.debug("%s does not tell how many free calls were made today: %s", keyed(name, key), error)
        return
    account, now = free_account(name, key), means.now()
    if calls is None:
        means.free_days.silent(account, now)
        return
    means.free_days.told(account, calls, now)
    if means.free_days.left(account, now):
        means.health.lift(account, now)
    else:
        means.health.hold(account, used_up(now), now)
