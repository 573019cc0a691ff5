"""Names over any configuration: resolved within bounds, or an error that says so; never a loop, never a
duplicate.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.errors import UnknownName
from providers.refs import Known, Names, resolve
from providers.types import Route

WORD = st.sampled_from(["a", "b", "c", "main", "rlm", "x", "y:free"])
NAME = WORD | st.tuples(WORD, WORD).map("/".join) | st.tuples(WORD, WORD, WORD).map("/".join)
NAMES = st.builds(
    Names,
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.builds(Known, st.lists(NAME, max_size=3).map(tuple), st.sampled_from(["", "x"])),
    ),
    st.dictionaries(WORD, NAME, max_size=5),
    st.dictionaries(st.sampled_from(["reasoning", "rlm"]), NAME),
    st.dictionaries(WORD | st.just("reasoning"), st.lists(NAME, max_size=4).map(tuple), max_size=4),
)


@given(NAME | st.just("reasoning"), NAMES)
def test_a_name_resolves_to_known_providers_each_route_once_or_says_why_not(name: str, names: Names) -> None:
    try:
        resolution = resolve(name, names)
    except UnknownName as error:
        unknown = error
    else:
        assert resolution.routes
        assert len(set(resolution.routes)) == len(resolution.routes)
        assert {route.provider for route in resolution.routes} <= set(names.providers)
        assert resolution.steps
        return
    assert unknown.tried
    assert unknown.nearest != ""


@given(st.sampled_from(["a", "b", "c"]), st.text(min_size=1).filter(lambda text: "/" not in text[:0]), NAMES)
def test_a_configured_providers_model_is_taken_as_it_is(provider: str, model: str, names: Names) -> None:
    name = f"{provider}/{model}"
    if provider in names.providers and name not in names.aliases:
        assert resolve(name, names).routes[0] == Route(provider, model)


@given(NAMES)
def test_the_roles_own_chain_stands_before_its_aliases(names: Names) -> None:
    own = Names(
        {**names.providers, "p": Known()},
        {"target": "p/first"},
        {"reasoning": "target"},
        {"reasoning": ("p/own",), "target": ("p/other",)},
    )
    assert resolve("reasoning", own).routes == (Route("p", "first"), Route("p", "own"))


@given(NAME, NAMES)
def test_a_chains_members_are_not_expanded_again(member: str, names: Names) -> None:
    """A member that has a chain of its own stands for one route at most."""
    chained = Names(
        {"p": Known()},
        {**names.aliases, "top": "p/first", "inner": "p/inner"},
        {},
        {"top": ("inner", member), "inner": ("p/never",), member: ("p/never",)},
    )
    assert Route("p", "never") not in resolve("top", chained).routes
