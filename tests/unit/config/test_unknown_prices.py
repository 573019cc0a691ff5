"""A model that a limit in dollars shuts out because nobody says what it costs, is named with what to set."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import load_config

UNKNOWN = (
    '[providers.corp]\napi_base = "https://llm.corp.example/v1"\napi_key = "sk-1"\ndefault_model = "big"\n'
)
PRICED = '[providers.corp.model_info."big"]\nprice = { prompt = 1.0, completion = 2.0 }\n'
LINE = (
    "[providers.corp]: corp/big is not asked while limits.{} holds, since its price is not known; "
    'set [providers.corp] model_info."big".price'
)


def notices(file: Path, text: str) -> list[str]:
    file.write_text(text)
    file.chmod(0o600)
    return [line.partition(": ")[2] for line in load_config(file, {}).notices]


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        ("[limits]\nusd_per_day = 1.0\n", "usd_per_day"),
        ("[limits]\nusd_per_turn = 1.0\n", "usd_per_turn"),
        ("[limits.roles.rlm]\nusd_per_month = 1.0\n", "roles.rlm.usd_per_month"),
    ],
)
def test_it_is_named(file: Path, limits: str, setting: str) -> None:
    assert notices(file, UNKNOWN + limits) == [LINE.format(setting)]


@pytest.mark.parametrize(
    "text",
    [
        UNKNOWN,
        UNKNOWN + "[limits]\ntokens_per_day = 1000\n",
        UNKNOWN + PRICED + "[limits]\nusd_per_day = 1.0\n",
        '[providers.home]\napi_base = "http://10.0.0.5:8080/v1"\ndefault_model = "m"\n[limits]\nusd_per_day = 1.0\n',
        '[providers.openai]\napi_key = "sk-1"\n[limits]\nusd_per_day = 1.0\n',
        '[providers.openrouter]\napi_key = "sk-1"\nmodels = ["x/y"]\n[limits]\nusd_per_day = 1.0\n',
    ],
    ids=["no limit", "in tokens", "with its price", "at home", "known", "told by its list"],
)
def test_nothing_is_said_where_nothing_is_shut_out(file: Path, text: str) -> None:
    assert notices(file, text) == []
