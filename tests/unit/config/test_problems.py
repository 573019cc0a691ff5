"""Broken files: every line names the place, what is wrong, and the fix; all of them at once."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import plugins
from bot.config import Config, load_config
from bot.errors import ConfigError

Problems = Callable[..., list[str]]

SECTIONS = ", ".join(Config.model_fields)

FIVE = 'expected five fields, such as "0 3 * * *" for three o\'clock every night'
JOBS = ", ".join(plugins.names("bot.jobs"))

NO_ACCOUNT = (
    '"free": free models need an account at OpenRouter, which costs nothing: `nanobot login openrouter`'
)

CASES = {
    "a typo in a section": (
        "[agnet]\nmax_steps = 3\n",
        ["config.toml:1: [agnet]: unknown section; did you mean [agent]?"],
    ),
    "a typo in a named section": (
        '\n[provider.groq]\napi_key = "x"\n',
        ["config.toml:2: [provider]: unknown section; did you mean [providers.groq]?"],
    ),
    "a channel without its prefix": (
        '[pigeon]\nseed = "grain-1"\n',
        ["config.toml:1: [pigeon]: unknown section; did you mean [channels.pigeon]?"],
    ),
    "a section like no other": (
        "[[zebra]]\nx = 1\n",
        [f"config.toml:1: [zebra]: unknown section; there are: {SECTIONS}"],
    ),
    "a typo in a job": (
        "[jobs.prob]\nevery = 3\n",
        ["config.toml:1: [jobs.prob]: there is no such job; did you mean [jobs.probe]?"],
    ),
    "a job like no other": (
        "[jobs.zebra]\nevery = 3\n",
        [f"config.toml:1: [jobs.zebra]: there is no such job; there are: {JOBS}"],
    ),
    "conversations that are forgotten too soon": (
        "[retention]\nmessages = 7\n",
        [
            (
                "config.toml:2: [retention] messages: 7 days are too few: what a server offers again within a week "
                "would be answered twice; expected 0 (for ever) or at least 8"
            )
        ],
    ),
    "a job with two sorts of times, one of them none": (
        '[jobs.probe]\nevery = 3\ncron = "0 3 * *"\nevry = 1\n',
        [
            "config.toml:3: [jobs.probe] cron: stands beside every; expected one of the two",
            f'config.toml:3: [jobs.probe] cron: "0 3 * *" has 4 fields; {FIVE}',
            "config.toml:4: [jobs.probe] evry: unknown key; did you mean every?",
        ],
    ),
    "a weekday that there is not": (
        '[jobs.probe]\ncron = "0 3 * * 8"\n',
        [
            "config.toml:2: [jobs.probe] cron: \"0 3 * * 8\" has '8' for a weekday (they are sun to sat, or 0 to 7); "
            + FIVE
        ],
    ),
    "a key above every section": (
        "max_steps = 3\n",
        ["config.toml:1: max_steps: stands in no section; did you mean to put it below [agent]?"],
    ),
    "a section that is a value": (
        "agent = 5\nchannels = 6\npeople = 7\n",
        [
            "config.toml:1: [agent]: found 5; expected a table of keys and values",
            "config.toml:2: [channels]: found 6; expected sections of the form [channels.NAME]",
            "config.toml:3: [people]: found 7; expected a table of keys and values",
        ],
    ),
    "a typo in a key": (
        "[agent]\nmax_step = 3\n",
        ["config.toml:2: [agent] max_step: unknown key; did you mean max_steps?"],
    ),
    "a key like no other": (
        "[workspace]\nzebra = 3\n",
        ["config.toml:2: [workspace] zebra: unknown key; there are: path, max_file"],
    ),
    "a typo in a role": (
        '[roles]\nreasonning = "ollama"\n',
        ["config.toml:2: [roles] reasonning: unknown key; did you mean reasoning?"],
    ),
    "limits of a role that there isn't": (
        "[limits.roles.rml]\nusd_per_day = 1\n[limits.roles.zebra]\nusd_per_day = 1\n",
        [
            "config.toml:1: [limits] roles.rml: unknown name; did you mean rlm?",
            (
                "config.toml:3: [limits] roles.zebra: unknown name; "
                "there are: reasoning, rlm, compaction, reflection, transcription"
            ),
        ],
    ),
    "wrong types": (
        (
            '[agent]\nmax_steps = "30"\nmax_tokens = true\nturn_deadline = "soon"\n[tools]\noff = "clock"\n'
            '[workspace]\npath = 1979-05-27\n[providers.local]\nmodels = ["a", 2]\napi_key = 5\n'
        ),
        [
            'config.toml:2: [agent] max_steps: found "30"; expected a whole number of at least 1, without quotes',
            "config.toml:3: [agent] max_tokens: found true; expected a whole number of at least 1",
            'config.toml:4: [agent] turn_deadline: found "soon"; expected a number above 0 and of at most 86400',
            'config.toml:6: [tools] off: found "clock"; expected a list of text',
            "config.toml:8: [workspace] path: found a date or time; expected text that is not empty",
            "config.toml:10: [providers.local] models: found 2 in the list; expected text",
            (
                "config.toml:11: [providers.local] api_key: found a number; "
                'expected text, or "env:NAME", "file:PATH" or "credential:NAME"'
            ),
        ],
    ),
    "values out of bounds": (
        "[agent]\nmax_steps = 0\ntemperature = 2.5\nturn_deadline = inf\n",
        [
            "config.toml:2: [agent] max_steps: found 0; expected a whole number of at least 1",
            "config.toml:3: [agent] temperature: found 2.5; expected a number from 0 to 2",
            "config.toml:4: [agent] turn_deadline: found inf; expected a number above 0 and of at most 86400",
        ],
    ),
    "words of which only some count": (
        '[people.anna]\nrole = "admin"\n[providers.local.model_info."a/b"]\ntier = "best"\n',
        [
            'config.toml:2: [people.anna] role: found "admin"; expected "owner" or "user"',
            (
                'config.toml:4: [providers.local] model_info."a/b".tier: found "best"; '
                'expected "strong" or "capable" or "weak"'
            ),
        ],
    ),
    "providers": (
        (
            '[providers.opnrouter]\napi_key = "x"\n[providers.mine]\nkind = "opnai_compat"\n'
            '[providers.other]\napi_base = "localhost:8080"\n["providers"."a/b"]\napi_base = "http://x"\n'
        ),
        [
            (
                "config.toml:1: [providers.opnrouter] api_base: is missing; expected the server's address, "
                "http://... or https://...; did you mean [providers.openrouter]?"
            ),
            'config.toml:4: [providers.mine] kind: there is no kind "opnai_compat"; did you mean openai_compat?',
            (
                'config.toml:6: [providers.other] api_base: found "localhost:8080"; '
                "expected an address that begins with http:// or https://"
            ),
            (
                'config.toml:7: [providers."a/b"]: '
                "expected a name without a slash, which separates it from a model's name"
            ),
        ],
    ),
    "free models without an account": (
        (
            '[providers.groq]\napi_key = "x"\n[models]\nmain = "free"\n[roles]\nrlm = "free"\n'
            '[fallback]\nmain = ["groq", "free"]\n'
        ),
        [
            f"config.toml:4: [models] main: {NO_ACCOUNT}",
            f"config.toml:6: [roles] rlm: {NO_ACCOUNT}",
            f"config.toml:8: [fallback] main: {NO_ACCOUNT}",
        ],
    ),
    "names of models": (
        (
            '[providers.groq]\napi_key = "x"\n[models]\nmain = "grok/x"\nsmall = "openai/gpt"\n'
            '[roles]\nreasoning = "mian"\nrlm = "zebra"\n[fallback]\nmaim = ["main"]\nrlm = ["smal", "q/z", "groq"]\n'
        ),
        [
            'config.toml:4: [models] main: there is no provider "grok"; did you mean groq/x?',
            'config.toml:5: [models] small: "openai/gpt" needs the provider openai; add a section [providers.openai]',
            'config.toml:7: [roles] reasoning: there is no "mian"; did you mean main?',
            (
                'config.toml:8: [roles] rlm: "zebra" is no alias, provider or known model; '
                "expected PROVIDER/MODEL or a name from [models]"
            ),
            "config.toml:10: [fallback] maim: no role and no alias has this name; did you mean main?",
            'config.toml:11: [fallback] rlm: there is no "smal"; did you mean small?',
            'config.toml:11: [fallback] rlm: there is no provider "q"; there are: groq',
        ],
    ),
    "a name that may be a typo or a server's model": (
        '[providers.llama]\n[roles]\nreasoning = "llama3"\n',
        [
            'config.toml:3: [roles] reasoning: there is no "llama3"; did you mean llama? (as a model: llama/llama3)'
        ],
    ),
    "aliases in a circle": (
        '[models]\na = "b"\nb = "a"\nc = "a"\n',
        [
            'config.toml:2: [models] a: "b" leads back to itself; expected PROVIDER/MODEL',
            'config.toml:3: [models] b: "a" leads back to itself; expected PROVIDER/MODEL',
        ],
    ),
    "tools": (
        '[tools]\noff = ["clock",\n  "clok"]\n',
        ['config.toml:3: [tools] off: there is no tool "clok"; did you mean clock?'],
    ),
    "channels": (
        '[channels.pidgeon]\n[channels.pigeon]\nsede = "x"\nspeed = -1\n',
        [
            "config.toml:1: [channels.pidgeon]: unknown channel; did you mean [channels.pigeon]?",
            (
                "config.toml:2: [channels.pigeon] seed: is missing; "
                'expected text, or "env:NAME", "file:PATH" or "credential:NAME"'
            ),
            "config.toml:3: [channels.pigeon] sede: unknown key; did you mean seed?",
            "config.toml:4: [channels.pigeon] speed: found -1; expected a number above 0",
        ],
    ),
    "what a channel's own check refuses": (
        '[channels.pigeon]\nseed = "corn"\n',
        ["config.toml:2: [channels.pigeon] seed: is no seed; expected grain-... as the shop prints it"],
    ),
    "people": (
        (
            '[people.anna]\nring = ["x",\n 0, []]\nrings = 4\n[people."../eve"]\nring = 5\n[people.ben]\nring = [5]\n'
            "[people.cleo]\nring = []\n[people.dora]\nidentities = {}\n"
        ),
        [
            'config.toml:2: [people.anna] ring: found "x"; expected the number on the ring, 1 or more',
            "config.toml:3: [people.anna] ring: found 0; expected the number on the ring, 1 or more",
            "config.toml:3: [people.anna] ring: found a list; expected the number on the ring, 1 or more",
            "config.toml:4: [people.anna] rings: unknown key; did you mean ring?",
            'config.toml:5: [people."../eve"]: expected a name made of letters, digits, - and _',
            "config.toml:8: [people.ben] ring: 5 is ../eve's already; expected one person only",
            "config.toml:10: [people.cleo] ring: found a list; expected the number on the ring, 1 or more",
            "config.toml:12: [people.dora] identities: unknown key; there are: language, prefers, role, timezone, ring",
        ],
    ),
    "channels that somebody prefers": (
        '[people.anna]\nprefers = "pigoen"\n[people.ben]\nprefers = "zebra"\n[people.cleo]\nprefers = "terminal"\n',
        [
            'config.toml:2: [people.anna] prefers: there is no channel "pigoen"; did you mean pigeon?',
            'config.toml:4: [people.ben] prefers: there is no channel "zebra"; there are: pigeon, terminal',
        ],
    ),
    "missing secrets": (
        '[providers.groq]\napi_key = "env:NO_SUCH_KEY"\n[channels.pigeon]\nseed = "file:seed.txt"\n',
        [
            (
                "config.toml:2: [providers.groq] api_key: the environment variable NO_SUCH_KEY is not set; "
                "set it where nanobot is started (for a unit: EnvironmentFile=), or use file:PATH"
            ),
            (
                "config.toml:4: [channels.pigeon] seed: seed.txt can't be read: No such file or directory; "
                "make that file, readable only by the user that nanobot runs as"
            ),
        ],
    ),
}

SYNTAX = {
    "text without quotes": (
        "[agent]\n[providers.groq]\napi_key = sk-verysecret\n",
        'config.toml:3: column 11: this is no value; text stands in quotes, as in key = "text"',
    ),
    "a capital truth value": (
        "a = 1\nb = True\n",
        "config.toml:2: column 5: this is no value; write true or false, in small letters",
    ),
    "a value cut short": (
        'a = "x\nb = 1\n',
        "config.toml:1: column 7: a text isn't closed; expected a quote at the end of the line",
    ),
    "no equals sign": (
        "[agent]\nmax_steps 5\n",
        "config.toml:2: column 11: expected = between a key and its value, as in key = 1",
    ),
    "an open heading": (
        "[agent\nmax_steps = 5\n",
        "config.toml:1: column 7: a heading isn't closed; expected ] at its end, as in [agent]",
    ),
    "an open list": (
        "a = [1\n",
        "config.toml:1: at the end of the file: a list isn't closed; expected ] at its end",
    ),
    "a list cut short": (
        "a = [1,\n",
        "config.toml:1: at the end of the file: it ends in the middle of something; a ], a } or a value is missing",
    ),
    "a section twice": (
        "[agent]\n[tools]\n[agent]\n",
        "config.toml:3: column 7: this section stands a second time; put all its keys below one heading",
    ),
    "a key twice": (
        "[agent]\nmax_steps = 1\nmax_steps = 2\n",
        "config.toml:3: column 14: this key stands a second time in its section; remove one of the two",
    ),
    "a Windows path": (
        'path = "C:\\dir"\n',
        "config.toml:1: column 13: a \\ in a text has to be doubled, or the text put into single quotes: 'C:\\dir'",
    ),
    "something else entirely": (
        "agent:\n  max_steps: 5\n",
        "config.toml:1: column 6: expected = between a key and its value, as in key = 1",
    ),
    "a list after a value": (
        "a = 1 2\n",
        "config.toml:1: column 7: something follows the value; expected the end of the line, or quotes around text",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_problem_is_one_line_with_place_and_fix(name: str, problems: Problems) -> None:
    text, expected = CASES[name]

    assert problems(text) == expected


@pytest.mark.parametrize("name", SYNTAX)
def test_what_is_not_toml_is_explained(name: str, problems: Problems) -> None:
    text, expected = SYNTAX[name]

    assert problems(text) == [expected]


def test_another_encoding_is_named_with_its_line(file: Path) -> None:
    file.write_bytes('[people.anna]\nrole = "owner" # \xe4\n'.encode("latin-1"))

    with pytest.raises(ConfigError, match=f"{file}:2: is not UTF-8 text; save the file in that encoding"):
        load_config(file, {})


def test_endless_nesting_is_no_crash(problems: Problems) -> None:
    assert problems("a = " + "[" * 5000) == [
        "config.toml: lists or tables are nested too deeply; expected a few levels"
    ]


def test_a_secret_in_the_wrong_place_is_not_repeated(problems: Problems) -> None:
    secret = "sk-or-v1-0123456789abcdef0123456789abcdef"

    lines = problems(
        f'[providers.openrouter]\napi_base = "{secret}"\nkind = "{secret}"\n[roles]\nrlm = "{secret}"\n'
    )

    assert len(lines) >= 2
    assert not [line for line in lines if secret in line]


words = st.sampled_from(
    [
        "providers",
        "channels",
        "people",
        "roles",
        "models",
        "fallback",
        "tools",
        "agent",
        "workspace",
        "groq",
        "pigeon",
        "seed",
        "ring",
        "role",
        "api_key",
        "api_base",
        "model_info",
        "kind",
        "off",
        "max_steps",
        "main",
        "reasoning",
    ]
)
texts = st.one_of(words, st.sampled_from(["env:X", "file:x", "file:", "credential:x", "a/b", "groq/x", "/"]))
scalars = st.one_of(
    texts.map(lambda text: f'"{text}"'),
    st.sampled_from(
        ["1", "-1", "0.5", "nan", "inf", "true", "1979-05-27", "07:32:00", "99999999999999999999"]
    ),
)
pairs = st.tuples(words.map(lambda word: f'"{word}"'), st.deferred(lambda: values))
tables = st.lists(pairs, max_size=4, unique_by=lambda pair: pair[0])
values: st.SearchStrategy[str] = st.one_of(
    scalars,
    st.lists(st.deferred(lambda: values), max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    tables.map(lambda entries: "{" + ", ".join(f"{key} = {value}" for key, value in entries) + "}"),
)


@given(tables)
def test_whatever_a_file_says_it_is_loaded_or_explained(entries: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.toml")
        file.write_text("".join(f"{key} = {value}\n" for key, value in entries))
        try:
            said = list(load_config(file, {}).notices)
        except ConfigError as error:
            said = error.problems
            assert said

    assert not [
        line for line in said if not re.match(rf"{re.escape(str(file))}:\d+: \S", line) or "\n" in line
    ]
