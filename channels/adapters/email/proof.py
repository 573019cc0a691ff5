"""By what a mail's sender is proved: the name with which the owner's mail server stamps what it checked.

Where it isn't configured it is learned from mail that is there, and what was learned is given up at once when a mail
from outside arrives without such a stamp: then the server does not stamp everything, and somebody who knows that could
write stamps of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from channels.adapters.email import authenticity
from channels.adapters.email.addresses import addresses
from channels.adapters.email.domains import domain_of, organisation
from channels.adapters.email.headers import Headers
from channels.adapters.email.mail import Mail
from channels.adapters.email.notes import Notes
from channels.adapters.email.settings import EmailSettings

log = logging.getLogger(__name__)


class Proof:
    """`tell` tells the owner a line."""

    def __init__(self, settings: EmailSettings, notes: Notes, tell: Callable[[str], None]) -> None:
        self._given = settings.authserv_id
        self._own = organisation(domain_of(settings.address))
        self._notes = notes
        self._tell = tell
        self._name = self._given
        self._supposed = ""

    async def load(self) -> None:
        """Recall what was learned."""
        if not self._given:
            self._name, self._supposed = await self._notes.authserv_id(), await self._notes.supposed_id()

    @property
    def missing(self) -> str:
        """What to do where the name isn't known; "" where it is."""
        return "" if self._name else unknown(self._supposed)

    @property
    def learns(self) -> bool:
        return not (self._name or self._supposed)

    async def learn(self, heads: Sequence[Headers]) -> None:
        """From the newest mails' headers: every mail from outside must have the same stamp."""
        bare = [head for head in heads if not head.one("Authentication-Results")]
        if any(self._outside(_author(head)) for head in bare):
            return
        learned = authenticity.learn(head for head in heads if head not in bare)
        if learned is None:
            return
        if not learned.sure:
            await self._suppose(learned.authserv_id)
            return
        self._name = learned.authserv_id
        await self._notes.learned(learned.authserv_id)
        log.info("email: the server stamps what it checked as %s", learned.authserv_id)

    async def lacking(self, mail: Mail) -> str:
        """Why nothing proves that a mail is from its sender; "" where that is proved."""
        verdict = authenticity.verdict(mail.headers, mail.sender, self._name)
        if verdict.authentic:
            return ""
        learned = self._name and not self._given
        if learned and self._outside(mail.sender) and not authenticity.stamped(mail.headers, self._name):
            await self._give_up(self._name)
        return f"its sender is not proved: {verdict.reason}"

    async def _give_up(self, name: str) -> None:
        await self._suppose(name)
        self._tell(
            f"A mail came that was not stamped by {name}, which I took for your mail server; until you say which "
            "it is, by `authserv_id` in [channels.email], I take no mail."
        )

    async def _suppose(self, name: str) -> None:
        self._name, self._supposed = "", name
        await self._notes.suppose(name)

    def _outside(self, address: str) -> bool:
        return organisation(domain_of(address)) != self._own


def unknown(supposed: str) -> str:
    """One line on a name that isn't known for certain."""
    if supposed:
        return (
            f'mail here is stamped by "{supposed}", but I can\'t be sure that this is your mail server; if it is, set '
            f'authserv_id = "{supposed}" in [channels.email]: until then no mail can prove its sender'
        )
    return (
        "it isn't known with which name your mail server stamps what it checked, so that no mail can prove its sender; "
        "look for Authentication-Results in any mail and set `authserv_id` in [channels.email]"
    )


def _author(head: Headers) -> str:
    return next((address for _, address in addresses(head.one("From"))), "")
