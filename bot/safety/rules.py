"""Who may do what, on whose words: `decide`, one pure function. docs/SAFETY.md shows it as a table.

A person's own words are theirs. Everything that came from elsewhere (web pages, tools' output, files from outside,
quoted and forwarded text, and whatever a model wrote after it had read such) is untrusted: it may hold instructions
that nobody here gave. As long as such text is in a model's context, what can't be undone or leaves the house is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from providers.types import Tier


class Role(StrEnum):
    """What a person is here."""

    OWNER = "owner"
    USER = "user"


class Trust(StrEnum):
    """Whose words a text is."""

    OWN = "own"
    UNTRUSTED = "untrusted"


def worst(*labels: Trust) -> Trust:
    """The label of what is made from texts with these labels."""
    return Trust.UNTRUSTED if Trust.UNTRUSTED in labels else Trust.OWN


class Act(StrEnum):
    """What a tool call amounts to, as far as safety goes."""

    LOOK = "look"
    """Reads what belongs to the person who asks: files, memory, the clock, jobs."""
    SEARCH = "search"
    """Asks the search engine that the owner configured."""
    FETCH = "fetch"
    """Fetches an address that stood word for word in the person's text, on a page or in a search's results."""
    FETCH_OTHER = "fetch_other"
    """Fetches an address that a model made up: it could carry something out."""
    CREATE = "create"
    """Makes a new file in the workspace."""
    CHANGE = "change"
    """Overwrites, edits or deletes a file of the workspace."""
    RUN = "run"
    """Runs a command in the sandbox, on a scratch copy, without network."""
    RUN_OPEN = "run_open"
    """Runs a command that may change the workspace or reach the network."""
    RUN_BARE = "run_bare"
    """Runs a command where there is no sandbox."""
    NOTE = "note"
    """Remembers what the person has just said in these words, or forgets it."""
    REMEMBER = "remember"
    """Remembers anything else as a fact."""
    REMIND = "remind"
    """Sets, lists or cancels a plain reminder for the same person."""
    SCHEDULE = "schedule"
    """Sets a job that will run tools."""
    SEND = "send"
    """Writes to the same person on another of their channels."""
    SEND_OTHERS = "send_others"
    """Writes to somebody else."""
    DELEGATE = "delegate"
    """Hands work to another model, which stands under the same rules."""


class Verdict(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Situation:
    """On whose behalf a model acts: the person's role, the worst label in its context, its own tier, and whether
    the conversation is private.
    """

    role: Role = Role.OWNER
    trust: Trust = Trust.OWN
    tier: Tier = "strong"
    private: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    reason: str = ""
    """Why it isn't simply allowed, for the one who is asked or refused."""


_ALLOW = Decision(Verdict.ALLOW)
READING = frozenset({Act.LOOK, Act.SEARCH, Act.FETCH})
"""What even a weak model may do with untrusted text before it."""
UNDOABLE = READING | {Act.CREATE, Act.RUN, Act.NOTE, Act.REMIND, Act.SEND, Act.DELEGATE}
"""What untrusted text can at worst waste time with."""
_ALWAYS_ASKED = {
    Act.RUN_BARE: "it would run without a sandbox",
    Act.SEND_OTHERS: "it goes to somebody else",
}
_OWNERS_ALONE = frozenset({Act.RUN_OPEN, Act.SCHEDULE})
_NOT_IN_GROUPS = frozenset({Act.NOTE, Act.REMEMBER, Act.SCHEDULE, Act.SEND})
_ASKED_IN_GROUPS = frozenset({Act.CHANGE, Act.RUN, Act.RUN_OPEN})
_TOO_MUCH_FOR_WEAK = frozenset({Act.RUN, Act.RUN_OPEN, Act.SCHEDULE})


def decide(situation: Situation, act: Act) -> Decision:
    """Whether a call may run, must be asked for, or is refused."""
    untrusted = situation.trust is Trust.UNTRUSTED
    if untrusted and situation.tier == "weak" and act not in READING:
        return Decision(Verdict.REFUSE, "a weak model that has read untrusted text may only read")
    if not situation.private and act in _NOT_IN_GROUPS:
        return Decision(Verdict.REFUSE, "a group has no share in a person's memory, channels and jobs")
    if act in _ALWAYS_ASKED:
        return Decision(Verdict.ASK, _ALWAYS_ASKED[act])
    if untrusted and act not in UNDOABLE:
        return Decision(Verdict.ASK, "text from outside is in the conversation, and may have asked for this")
    if situation.role is not Role.OWNER and act in _OWNERS_ALONE:
        return Decision(Verdict.ASK, "only the owner may decide this")
    if not situation.private and act in _ASKED_IN_GROUPS:
        return Decision(Verdict.ASK, "the conversation is a group's")
    if situation.tier == "weak" and act in _TOO_MUCH_FOR_WEAK:
        return Decision(Verdict.ASK, "the model is a weak one")
    return _ALLOW
