"""The last word is the configuration's own: what it would refuse is left out of the new file, and said."""

from __future__ import annotations

import tomllib

from bot.config.document import Document
from bot.config.edit import Place, edited
from bot.config.load import faults
from bot.config.report import Finding, dotted
from bot.errors import ConfigError
from bot.legacy.made import Made
from bot.legacy.notes import Fate, Note
from bot.legacy.source import NotReadable, Source
from bot.paths import Env

_ROUNDS = 50
_STAND_IN = "1:stands-in"
"""For a secret in a variable that isn't set here, and will be where nanobot is started; it passes for a token, too."""


def settle(made: Made, source: Source, env: Env) -> str:
    """The text of the new config.toml. Takes out of `made`, with a note, what would be refused. Raises NotReadable."""
    around = environment(made, env)
    for _ in range(_ROUNDS):
        try:
            text = edited("", made.values, made.comments)
            data = tomllib.loads(text)
        except (ConfigError, tomllib.TOMLDecodeError, ValueError) as error:
            raise NotReadable(f"{source.file}: what it says can't be written as TOML: {error}") from error
        # The old file's name stands for the new one's, which there isn't yet.
        found = faults(Document(source.file, data, {}), around)
        if not found:
            return text
        for finding in found:
            _take_out(made, finding)
    raise NotReadable(f"{source.file}: can't be turned into a configuration; `nanobot init` begins a new one")


def environment(made: Made, env: Env) -> dict[str, str]:
    """As it will be where nanobot is started."""
    return {
        **dict.fromkeys(made.variables, _STAND_IN),
        **{name: value for name, value in env.items() if value},
    }


def _take_out(made: Made, finding: Finding) -> None:
    """The value that a finding is about, else all that stands around it."""
    at: Place = tuple(str(step) for step in finding.loc)
    for end in range(len(at), 0, -1):
        about = [place for place in made.values if place[:end] == at[:end]]
        if not about:
            continue
        for place in about:
            del made.values[place]
        made.notes.append(Note(Fate.WRONG, "", dotted(at[:end]), f"left out: {finding.text}"))
        return
