"""What a valid file becomes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.config import Config, load_config
from bot.errors import ConfigError
from tests.unit.config.conftest import Load

# The two examples of the plan that this program goes back to, word for word.
HYBRID = """
# Providers are a map — extensible without code changes
[providers.openrouter]
api_key = "sk-or-..."

[providers.local]
api_base = "http://localhost:8080/v1"

[providers.anthropic]
api_key = "sk-ant-..."

# Model aliases — roles map to specific models
[models]
main = "anthropic/claude-opus-4-20250514"            # Smartest: reasoning + conversation
rlm = "anthropic/claude-haiku"                       # Capable: autonomous tool execution
memory = "openrouter/google/gemma-3-27b-it:free"     # Cheap: summarization + fact extraction
local_main = "local/qwen3-30b"                       # Local big model
local_worker = "local/nanbeige4.1-3b"                # Local small model

# Role assignments — which model serves each purpose
[roles]
reasoning = "main"          # Primary conversation
rlm = "rlm"                # Runner Language Model (tool execution agent)
compaction = "memory"       # Context compression
reflection = "memory"       # Observation → facts distillation

# Fallback chains — what to try when primary fails
[fallback]
main = ["main", "rlm", "local_main"]
rlm = ["rlm", "memory", "local_worker"]
memory = ["memory", "local_worker", "rlm"]
"""
FREE_TIER = """
[providers.openrouter]
api_key = "sk-or-..."
# Rate limit tracking (auto-populated)
rate_limit_rpm = 20        # requests per minute for free tier
rate_limit_remaining = 15  # tracked at runtime

[fallback]
# When main model fails or is rate-limited
main = ["main", "fast", "local"]
# Delegation can use cheapest available
rlm = ["rlm", "local_worker", "main"]
"""


def test_the_plans_first_example_loads_as_written(load: Load, file: Path) -> None:
    loaded = load(HYBRID)

    config = loaded.config
    assert loaded.origin == file
    assert loaded.notices == ()
    assert list(config.providers) == ["openrouter", "local", "anthropic"]
    key = config.providers["anthropic"].api_key
    assert key is not None
    assert key.get_secret_value() == "sk-ant-..."
    assert config.providers["local"].api_base == "http://localhost:8080/v1"
    assert config.models["memory"] == "openrouter/google/gemma-3-27b-it:free"
    assert config.roles.given == {
        "reasoning": "main",
        "rlm": "rlm",
        "compaction": "memory",
        "reflection": "memory",
    }
    assert config.fallback["main"] == ["main", "rlm", "local_main"]


def test_the_plans_second_example_loads_as_written_and_says_what_it_ignores(load: Load, file: Path) -> None:
    loaded = load(FREE_TIER)

    assert loaded.config.providers["openrouter"].rate_limit_rpm == 20
    assert loaded.config.fallback["main"] == ["main", "fast", "local"]
    ignored, unused, *left_out = loaded.notices
    assert ignored == (
        f"{file}:6: [providers.openrouter] rate_limit_remaining: tracked at run time; the value is ignored"
    )
    assert unused.startswith(f"{file}:10: [fallback] main: no role and no alias has this name")
    assert left_out == [
        (
            f'{file}:10: [fallback] main: no alias, provider or known model is called "main" or "fast" or "local"; '
            "left out unless a provider lists it"
        ),
        (
            f'{file}:12: [fallback] rlm: no alias, provider or known model is called "rlm" or "local_worker" '
            'or "main"; left out unless a provider lists it'
        ),
    ]


def test_a_chain_may_name_a_provider(load: Load) -> None:
    loaded = load(
        '[providers.local]\n[models]\nmain = "local/qwen3"\n[fallback]\nmain = ["main", "local"]\n',
    )

    assert loaded.notices == ()


def test_free_is_a_name_with_openrouter_or_without_any_provider_named(load: Load) -> None:
    text = '[models]\nmain = "free"\n[roles]\nrlm = "free"\n[fallback]\nmain = ["main", "free"]\nfree = ["free"]\n'

    assert load(text).notices == ()
    assert load(text + '[providers.openrouter]\napi_key = "sk-or-1"\n').notices == ()


@pytest.mark.parametrize("name", ["kilo", "llm7"])
def test_a_gateway_without_a_key_is_used_once_its_price_was_read(load: Load, file: Path, name: str) -> None:
    line = (
        f"{file}:1: [providers.{name}]: is not used yet: {name} answers without a key or an account; in return, what "
        "you write there may be logged, read, and used to train models: leave out whatever is private; if that is all "
        "right, set anonymous = true"
    )
    assert load(f"[providers.{name}]\n").notices == (line,)
    assert load(f"[providers.{name}]\nanonymous = true\n").notices == ()
    assert load(f'[providers.{name}]\napi_key = "k"\n').notices == ()


def test_a_provider_that_wants_a_key_serves_no_strangers(load: Load, file: Path) -> None:
    assert (
        f"{file}:3: [providers.groq] anonymous: groq serves nobody without a key"
        in load('[providers.groq]\napi_key = "x"\nanonymous = true\n').notices
    )


def test_an_empty_file_gives_the_defaults(load: Load) -> None:
    config = load("").config

    assert config == Config()
    assert config.agent.max_steps == 30
    assert config.agent.max_tokens == 4096
    assert config.agent.temperature is None
    assert config.agent.turn_deadline == 600
    assert config.agent.max_tool_result_chars == 16_000
    assert config.agent.max_concurrent_turns == 8
    assert config.workspace.path is None
    assert config.tools.off == []


def test_values_of_every_section_arrive(load: Load) -> None:
    config = load("""
        [agent]
        max_steps = 3
        temperature = 1
        turn_deadline = 9.5
        [workspace]
        path = "~/notes"
        [tools]
        off = ["clock"]
        [providers.mine]
        api_base = "https://example.org/v1"
        models = ["one"]
        model_info.one = { tools = false, tier = "capable" }
    """).config

    assert config.agent.max_steps == 3
    assert config.agent.temperature == 1.0
    assert config.agent.turn_deadline == 9.5
    assert config.workspace.path == "~/notes"
    assert config.tools.off == ["clock"]
    assert config.providers["mine"].model_info["one"].tier == "capable"


def test_a_channels_section_becomes_the_settings_that_the_channel_declares(load: Load) -> None:
    config = load('[channels.pigeon]\nseed = "grain-1"\nlofts = ["east", "west"]\n').config

    settings = config.channels["pigeon"]
    assert type(settings).__name__ == "PigeonSettings"
    assert settings.model_dump()["lofts"] == ("east", "west")


def test_people_are_known_by_the_key_of_a_channel(load: Load) -> None:
    people = load("""
        [people.anna]
        role = "owner"
        ring = 7
        [people.ben]
        role = "owner"
        ring = [8, "09", 8]
        [people.eve]
    """).config.people

    assert people["anna"].role == "owner"
    assert people["anna"].identities == {"pigeon": ["7"]}
    assert people["ben"].identities == {"pigeon": ["8", "9"]}
    assert people["eve"].role == "user"
    assert people["eve"].identities == {}


def test_the_configuration_can_not_be_changed(load: Load) -> None:
    config = load("").config

    with pytest.raises(ValidationError, match="frozen"):
        config.agent.max_steps = 5


def test_a_windows_editors_mark_and_line_ends_are_no_problem(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[agent]\r\nmax_steps = 5\r\n")

    assert load_config(file, {}).config.agent.max_steps == 5


def test_names_of_models_that_only_a_server_knows_are_told_not_refused(load: Load, file: Path) -> None:
    loaded = load('[providers.local]\n[models]\nmain = "qwen3"\n[roles]\nrlm = "phi"\n')

    assert loaded.notices == (
        f'{file}:3: [models] main: "qwen3" is no alias, provider or known model; it works once a provider lists it',
        f'{file}:5: [roles] rlm: "phi" is no alias, provider or known model; it works once a provider lists it',
    )


def test_a_chain_may_be_given_to_a_name_that_only_a_role_uses(load: Load) -> None:
    loaded = load('[providers.local]\n[roles]\nreasoning = "best"\n[fallback]\nbest = ["local/a"]\n')

    assert loaded.notices == ()


def test_without_providers_the_names_of_those_that_may_be_found_are_known(load: Load) -> None:
    assert load('[roles]\nreasoning = "openrouter/openrouter/free"\nrlm = "ollama"\n').notices == ()


def test_a_provider_without_its_key_is_pointed_out(load: Load, file: Path) -> None:
    text = "[providers.groq]\n"

    assert load(text).notices == (
        f"{file}:1: [providers.groq]: has no key; set api_key, or GROQ_API_KEY in the environment",
    )
    assert load(text, GROQ_API_KEY="k").notices == ()


class TestWhereItIs:
    def test_none_at_all_gives_the_defaults(self, tmp_path: Path) -> None:
        loaded = load_config(None, {"HOME": str(tmp_path)})

        assert (loaded.config, loaded.origin, loaded.notices) == (Config(), None, ())

    def test_in_the_users_folder(self, tmp_path: Path) -> None:
        path = tmp_path / ".config" / "nanobot" / "config.toml"
        path.parent.mkdir(parents=True)
        path.write_text("[agent]\nmax_steps = 4\n")

        loaded = load_config(None, {"HOME": str(tmp_path)})

        assert loaded.origin == path
        assert loaded.config.agent.max_steps == 4

    def test_named_in_the_environment(self, file: Path) -> None:
        assert load_config(None, {"NANOBOT_CONFIG": str(file)}).origin == file

    def test_the_argument_comes_first(self, file: Path) -> None:
        assert load_config(file, {"NANOBOT_CONFIG": "/nowhere"}).origin == file

    @pytest.mark.parametrize(
        ("given", "env", "by"),
        [("x.toml", {}, "--config"), (None, {"NANOBOT_CONFIG": "x.toml"}, "$NANOBOT_CONFIG")],
    )
    def test_a_named_file_has_to_exist(self, given: str | None, env: dict[str, str], by: str) -> None:
        with pytest.raises(ConfigError) as caught:
            load_config(Path(given) if given else None, env)

        assert caught.value.problems == [
            f"x.toml: can't be read: No such file or directory; {by} has to name a file"
        ]

    def test_a_folder_in_its_place_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / ".config" / "nanobot" / "config.toml"
        path.mkdir(parents=True)

        with pytest.raises(ConfigError, match="Is a directory; make it readable, or move it away"):
            load_config(None, {"HOME": str(tmp_path)})


def test_a_channel_that_somebody_prefers_and_that_does_not_run_is_mentioned(load: Load, file: Path) -> None:
    text = '[people.anna]\nprefers = "pigeon"\n[people.ben]\nprefers = "terminal"\n'
    line = f"{file}:2: [people.anna] prefers: there is no [channels.pigeon] here; what they used last counts"
    assert load(text).notices == (line,)
    assert load(text + '[channels.pigeon]\nseed = "env:SEED"\n', SEED="grain-1").notices == ()
