"""Whatever an old configuration holds: it becomes one that can be used, every key of it is spoken of, no secret is."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.config.document import Document
from bot.config.load import faults
from bot.legacy import check, detect, source
from bot.legacy.jobs import errands
from bot.legacy.old import called
from bot.legacy.source import NotReadable
from bot.legacy.transcripts import talk
from tests.legacy.conversion import Converted, converted
from tests.legacy.conversion import example as old_example

FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
EXAMPLES = st.sampled_from(["rust", "python"])
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["${HOME}", "a${X}b", "file:/etc/passwd", "*", "0.0.0.0", "none", "auto", "\ud800", "a\nb", "/", ""]
    ),
    st.lists(st.one_of(st.text(max_size=4), st.integers(), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=4), st.one_of(st.text(max_size=4), st.integers()), max_size=2),
)


def places(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    steps = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, below in steps:
        yield from places(below, (*at, step))


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """An example with some values replaced, dropped, or joined by others."""
    data = copy.deepcopy(old_example(draw(EXAMPLES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.sampled_from(sorted(places(data), key=repr)))
        table: Any = data
        for step in at[:-1]:
            table = table[step]
        match draw(st.sampled_from(["replace", "replace", "drop", "add"])):
            case "replace":
                table[at[-1]] = draw(ODD)
            case "drop":
                del table[at[-1]]
            case _ if isinstance(table, dict):
                table[draw(st.text(min_size=1, max_size=6))] = draw(ODD)
        if not data:
            break
    return data


def usable(found: Converted) -> bool:
    around = check.environment(found.made, {})
    return not faults(Document(Path("config.toml"), found.toml, {}), around)


def taken(data: Any) -> Converted | None:
    raw = json.dumps(data).encode()
    if detect.format_of(source.parse(raw, Path("config.json"))) is None:
        return None
    return converted(data)


@given(mutated())
@FEW
@example({"agents": None, "providers": [], "channels": "x", "memory": {}})
@example(
    {
        "providers": {"a/b": {"apiKey": "k", "apiBase": "http://x"}},
        "modelPresets": {"": {"provider": "a/b", "model": "m"}},
    }
)
@example({"providers": {"openrouter": {"apiKey": "file:/etc/shadow"}}})
@example({"channels": {"sendProgress": {}, "websocket": [], "telegram": []}})
def test_any_old_configuration_becomes_one_that_can_be_used(data: Any) -> None:
    found = taken(data)

    assert found is None or usable(found)


def leaves(data: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(data, dict) and data:
        for key, below in data.items():
            yield from leaves(below, (*at, key))
    elif at:
        yield at


def is_told(found: Converted, leaf: tuple[str, ...]) -> bool:
    told = {note.old for note in found.made.notes}
    return any(called(leaf[:end]) in told for end in range(1, len(leaf) + 1))


@pytest.mark.parametrize("name", ["rust", "python"])
def test_every_key_of_the_examples_is_told(name: str) -> None:
    data = old_example(name)
    found = converted(data)

    assert [leaf for leaf in leaves(data) if not is_told(found, leaf)] == []


@given(mutated())
@FEW
def test_every_key_is_told(data: Any) -> None:
    found = taken(data)

    if found is not None:
        assert [leaf for leaf in leaves(data) if not is_told(found, leaf)] == []


SECRET = "s3cr3t-value"


@given(EXAMPLES, st.data())
@FEW
def test_no_secret_is_told(name: str, data: st.DataObject) -> None:
    old = old_example(name)
    kinds = (
        "apiKey",
        "token",
        "password",
        "imapPassword",
        "smtpPassword",
        "proxy",
        "extraHeaders",
        "env",
        "args",
    )
    secret = [at for at in places(old) if at[-1] in kinds]
    for at in data.draw(st.lists(st.sampled_from(secret), min_size=1, max_size=4)):
        table: Any = old
        for step in at[:-1]:
            table = table[step]
        table[at[-1]] = data.draw(st.sampled_from([SECRET, {"x": SECRET}, [SECRET], f"http://u:{SECRET}@h"]))

    assert SECRET not in converted(old).said()


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@example(b"[" * 100_000)
@example(b'{"a":' * 60 + b"1" + b"}" * 60)
@example(b'{"a": NaN}')
@example(b'{"a": ' + b"9" * 5000 + b"}")
@example(b"\xff\xfe{}")
@example(b'\xef\xbb\xbf{"providers": {}}')
def test_any_file_is_read_or_refused_in_words(content: bytes) -> None:
    with suppress(NotReadable):
        source.parse(content, Path("config.json"))


def test_bad_json_is_refused_with_its_place() -> None:
    with pytest.raises(NotReadable, match=r"config\.json:3: column 2"):
        source.parse(b'{"a": 1,\n "b": 2,\n x}', Path("config.json"))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["jobs", "id", "schedule", "kind", "atMs", "everyMs", "expr", "payload", "message"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_list_of_jobs_is_read(data: Any) -> None:
    for one in errands(data, 1.8e9)[0]:
        assert one.text
        assert bool(one.at) + bool(one.every) + bool(one.cron) == 1


LINE = st.one_of(
    st.text(max_size=30),
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system", 3])},
        optional={
            "content": st.one_of(st.text(max_size=9), st.none(), JSON),
            "timestamp": st.one_of(
                st.text(max_size=9), st.integers(), st.floats(), st.just("2026-02-01T10:00:00")
            ),
            "tool_calls": JSON,
            "_type": st.just("metadata"),
            "key": st.just("telegram:1"),
        },
    ).map(json.dumps),
)


@given(st.lists(LINE, max_size=9), st.text(max_size=9))
def test_any_conversation_is_read(lines: list[str], stem: str) -> None:
    found = talk(lines, stem, 1.8e9)

    for turn in found.turns if found else ():
        assert turn[0].role == "user"
        assert all(line.text.encode() and line.at > 0 for line in turn)
