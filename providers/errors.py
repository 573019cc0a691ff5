"""Everything that can go wrong between us and a model, and what follows from it.

    ProviderError
    ├── Unreachable ........ provider   no connection: DNS, TCP, TLS, hung up before any answer
    ├── ServerError ........ provider   5xx without a better explanation
    ├── Overloaded ......... model      busy: 503/529 and the 429s that mean it
    ├── Misconfigured ...... provider   our settings can't work: kind, address, certificate
    ├── Denied ............. credential 401/403
    ├── OutOfMoney ......... credential 402 and the 429s that mean it
    ├── RateLimited ........ model      429 (account-wide where the body says so)
    ├── UnknownModel ....... model      404 and friends
    │   └── Withheld                    it is there, but not for this account: privacy settings, region, plan
    ├── NoToolSupport ...... model      it answers, but not with tools
    ├── NoImageSupport ..... model      it answers, but takes no images
    ├── NotSupported ....... request    it does nothing of this kind: write speech down, speak
    ├── TooLong ............ request    the prompt exceeds the model's window
    ├── Loading ............ provider   a local server that is still loading its model
    ├── BadRequest ......... request    our request is at fault
    │   └── UnknownParameter            a part of it that this server doesn't know, another one may
    │       └── BadThoughts             it does not accept the thinking that it was given back
    ├── Refused ............ request    the provider's policy, not ours
    ├── CostsMoney ......... request    it would be the first to cost something, which nobody allowed
    ├── OverLimit .......... request    it would go over a cap of `[limits]`
    │   ├── OverAllowance               over what whoever asks allows for this one call
    │   └── Unpriced                    what it would cost is not known, so that no cap could be kept
    └── BadAnswer .......... model      it answered, but not usably
        ├── Malformed, Empty, CutStream, Stalled
    NoModel                             every candidate was tried or rests; carries the path
    UnknownName                         a name that resolves to nothing

The class alone decides: its attributes say which scope rests, whether the same candidate is tried again,
whether the next one is, and whether the owner has to act. httpx's errors become these in `providers.http`,
what servers say of a failure in `providers.failures`, and nowhere else.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from providers.types import Attempt, RateWindow

Scope = Literal["provider", "credential", "account", "model", "request"]


class ProviderError(Exception):
    """One failed attempt; `detail` is one line for a person, free of secrets.

    `retry_after` is the wait in seconds that the server asked for. `scope` may be widened for one instance (a
    rate limit that the body says is the whole account's), `retries` changed (where the server says whether to).
    """

    scope: Scope = "model"
    retries: int = 0
    """How often the same candidate may be tried again within the call."""
    moves_on: ClassVar[bool] = True
    """Whether the next candidate may answer instead."""
    strikes: ClassVar[bool] = False
    """Whether it counts towards opening the breaker of its scope."""
    needs_owner: ClassVar[bool] = False
    """Whether it stays until a person acts."""
    summary: ClassVar[str] = "failed"
    """What a user reads of it, after the model's name."""
    limits: tuple[RateWindow, ...] = ()
    """Those that the server told beside its refusal."""

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: float | None = None,
        scope: Scope | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(detail or self.summary)
        self.detail = detail
        self.retry_after = retry_after
        self.status = status
        if scope is not None:
            self.scope = scope


class Unreachable(ProviderError):
    scope: Scope = "provider"
    retries = 1
    strikes = True
    summary = "can't be reached"


class ServerError(ProviderError):
    scope: Scope = "provider"
    retries = 1
    strikes = True
    summary = "has a server error"


class Overloaded(ProviderError):
    retries = 1
    strikes = True
    summary = "is overloaded"


class Misconfigured(ProviderError):
    scope: Scope = "provider"
    needs_owner = True
    summary = "is not set up right"


class Denied(ProviderError):
    scope: Scope = "credential"
    needs_owner = True
    summary = "refused the key"


class OutOfMoney(ProviderError):
    scope: Scope = "credential"
    needs_owner = True
    summary = "is out of credit"


class RateLimited(ProviderError):
    summary = "is rate-limited"


class UnknownModel(ProviderError):
    needs_owner = True
    summary = "doesn't know the model"


class Withheld(UnknownModel):
    summary = "withholds the model from your account"


class NoToolSupport(ProviderError):
    summary = "can't use tools"


class NoImageSupport(ProviderError):
    summary = "can't see images"


class NotSupported(ProviderError):
    scope: Scope = "request"
    summary = "can't do this"


class TooLong(ProviderError):
    """`window` is the model's context window in tokens, where the server told it."""

    scope: Scope = "request"
    summary = "can't take a conversation this long"

    def __init__(self, detail: str = "", *, window: int | None = None, status: int | None = None) -> None:
        super().__init__(detail, status=status)
        self.window = window


class Loading(ProviderError):
    scope: Scope = "provider"
    summary = "is still loading"


class BadRequest(ProviderError):
    scope: Scope = "request"
    moves_on = False
    summary = "didn't accept the request"


class UnknownParameter(BadRequest):
    """`parameter` is its name on the wire, where the server told it."""

    moves_on = True
    summary = "doesn't know a part of the request"

    def __init__(self, detail: str = "", *, parameter: str = "", status: int | None = None) -> None:
        super().__init__(detail, status=status)
        self.parameter = parameter


class BadThoughts(UnknownParameter):
    """The signatures of one conversation don't hold; others' may."""

    summary = "doesn't accept its own thinking back"


class Refused(ProviderError):
    scope: Scope = "request"
    moves_on = False
    summary = "refused to answer this"


class CostsMoney(ProviderError):
    scope: Scope = "request"
    summary = "would cost money, which you have not allowed"


class OverLimit(ProviderError):
    scope: Scope = "request"
    summary = "would go over your limit"


class OverAllowance(OverLimit):
    summary = "would cost more than one message may"


class Unpriced(OverLimit):
    needs_owner = True
    summary = "costs nobody knows what, so that your limit can't be kept"


class BadAnswer(ProviderError):
    retries = 1
    strikes = True
    summary = "gave no usable answer"


class Malformed(BadAnswer):
    summary = "sent something unreadable"


class Empty(BadAnswer):
    summary = "sent an empty answer"


class CutStream(BadAnswer):
    summary = "broke off its answer"


class Stalled(BadAnswer):
    retries = 0  # it has cost its whole wait already
    summary = "stopped answering"


class NoModel(Exception):
    """No candidate answered. `path` holds every attempt; `retry_at` the earliest time (epoch seconds) one may
    be back.
    """

    def __init__(self, path: tuple[Attempt, ...], retry_at: float | None = None) -> None:
        super().__init__(
            "; ".join(f"{a.route}: {a.detail or a.error}" for a in path) or "no model is configured"
        )
        self.path = path
        self.retry_at = retry_at


class UnknownName(Exception):
    """A name that is no role, alias, `provider/model` or listed model; `tried` says how it was looked up."""

    def __init__(self, name: str, tried: tuple[str, ...], nearest: str | None = None) -> None:
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"unknown model {name!r}: {', '.join(tried)}{hint}")
        self.name = name
        self.tried = tried
        self.nearest = nearest
