"""From a name to routes: role, alias, `provider/model`, provider, listed model, fallback chain. Pure
functions.

The order of the look-up, first match wins:

1. a role stands for what `[roles]` says, which is looked up from step 2 on;
2. an alias stands for what `[models]` says (an alias of an alias is followed, a loop is an error);
3. `provider/model`, split at the first `/`, where the head is a configured provider;
4. a provider's own name means its default model;
5. `free` means OpenRouter's free models, the best first;
6. a bare model name goes to the first provider that lists it;
7. the chain in `[fallback]` of the role, or else of the alias, adds its members in order. They are not
expanded again.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from providers.errors import UnknownName
from providers.types import Route

FREE = "free"
SIGN_IN = "free models need an account at OpenRouter, which costs nothing: `nanobot login openrouter`"


@dataclass(frozen=True, slots=True)
class Known:
    """One configured provider as names see it.

    `default` is what its bare name means; "" stands for whatever model the server holds, to be asked when
    called. `bare_prefix` is put before a model without a `/` (OpenRouter's own ids repeat its name:
    `openrouter/free`).
    """

    models: tuple[str, ...] = ()
    default: str = ""
    bare_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that a name can mean. `providers` is in the order in which bare model names are looked for.

    `free` is what the name of that name stands for; empty without OpenRouter.
    """

    providers: Mapping[str, Known] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    fallback: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    free: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name stands for: the routes in the order they are tried, and one sentence per step that led
    there.
    """

    name: str
    routes: tuple[Route, ...]
    steps: tuple[str, ...]


def resolve(name: str, names: Names) -> Resolution:
    """Look `name` up. Raises `UnknownName` where not one route comes out of it."""
    steps: list[str] = []
    trail = [name]
    if name in names.roles:
        trail.append(names.roles[name])
        steps.append(f"role {name} is {trail[-1]}")
    found, why_not = _single(trail, names, steps)
    routes = list(found)
    chain = next((n for n in trail if n in names.fallback), None)
    if chain is not None:
        steps.append(f"fallback of {chain}: {', '.join(names.fallback[chain]) or 'empty'}")
        routes += _members(names.fallback[chain], names, steps)
    unique = tuple(dict.fromkeys(routes))
    if not unique:
        raise UnknownName(name, (*steps, *why_not), nearest(trail[-1], names))
    return Resolution(name, unique, tuple(steps))


def nearest(name: str, names: Names) -> str | None:
    """The known name that looks most like `name`."""
    close = difflib.get_close_matches(name, list(_every(names)), n=1, cutoff=0.6)
    return close[0] if close else None


def split(name: str, names: Names) -> Route | None:
    """`provider/model` as a route, if its head is a configured provider."""
    head, slash, rest = name.partition("/")
    known = names.providers.get(head)
    if known is None or not slash or not rest:
        return None
    return Route(head, rest if "/" in rest else known.bare_prefix + rest)


def _single(trail: list[str], names: Names, steps: list[str]) -> tuple[tuple[Route, ...], tuple[str, ...]]:
    """Steps 2 to 6 for the last name of `trail`, which grows by the aliases followed: one route, several for
    `free`; or none, and why.
    """
    start = len(trail) - 1
    while (name := trail[-1]) in names.aliases:
        target = names.aliases[name]
        if target in trail[start:]:
            return (), (f"the alias {name} leads in a circle: {' → '.join([*trail[start:], target])}",)
        steps.append(f"{name} is an alias of {target}")
        trail.append(target)
    route = split(name, names)
    if route is not None:
        steps.append(f"{name} is the model {route.model} at the provider {route.provider}")
        return (route,), ()
    if name in names.providers:
        default = names.providers[name].default
        steps.append(f"{name} is a provider; its default model is {default or 'whichever it serves'}")
        return (Route(name, default),), ()
    if name == FREE and names.free:
        steps.append(f"{name} means the free models of the provider {names.free[0].provider}, the best first")
        return names.free, ()
    for provider, known in names.providers.items():
        if name in known.models:
            steps.append(f"{name} is a model that the provider {provider} lists")
            return (Route(provider, name),), ()
    return (), _tried(name, names)


def _members(chain: Iterable[str], names: Names, steps: list[str]) -> Iterator[Route]:
    for member in chain:
        found: list[str] = []
        routes, why_not = _single([member], names, found)
        if not routes:
            steps.append(f"{member} is left out: {'; '.join(why_not)}")
            continue
        if [member] != list(map(str, routes)):
            steps.append(f"{member} → {', '.join(map(str, routes))}")
        yield from routes


def _tried(name: str, names: Names) -> tuple[str, ...]:
    head, slash, _ = name.partition("/")
    if name == FREE:
        return (SIGN_IN,)
    return (
        "it is no role and no alias",
        f"no provider is called {head}" if slash else "no provider is called so",
        "no provider lists such a model",
        *(() if name in names.fallback else ("it has no fallback chain",)),
    )


def _every(names: Names) -> Iterator[str]:
    yield from names.roles
    yield from names.aliases
    yield from names.providers
    yield from names.fallback
    yield from (FREE,) if names.free else ()
    for provider, known in names.providers.items():
        for model in known.models:
            yield model
            yield f"{provider}/{model}"
