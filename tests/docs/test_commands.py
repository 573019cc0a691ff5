"""Every command line that a page shows is one that there is, with these options, and its help can be read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bot.cli.commands import cli
from tests.docs.pages import ROOT, pages

_SHELL = ("sh", "console", "")
_NANOBOT = re.compile(r"(?:\S*/)?nanobot")
_SUDO = r"(?:sudo (?:-u \w+ )?)?"
_BEFORE = ("sudo", "exec", "time")
_NUMBERS = ("N", "NUMBER")
"""What stands for a number in the pages."""
_OPERATORS = frozenset(("|", "||", "&&", ";", "&", ">", ">>", "2>", "<"))


@cache
def root() -> Any:
    return typer.main.get_command(cli)


def words(line: str) -> list[list[str]]:
    """The commands of a shell's line, each as its words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.wordchars += "=[]{}$:%+@,"
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word in _OPERATORS:
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def of_nanobot(line: str) -> Iterator[list[str]]:
    """The arguments of each nanobot that a line calls."""
    for command in words(line):
        while command and command[0] in _BEFORE:
            del command[: 3 if command[1:2] == ["-u"] else 1]
        if command and _NANOBOT.fullmatch(command[0]):
            yield command[1:]


def shown() -> list[tuple[str, str]]:
    """Whole command lines of blocks: where, and the line."""
    found = []
    for page in pages():
        for block in page.blocks:
            if block.language not in _SHELL:
                continue
            text = block.text.replace("\\\n", "  ")
            for line in text.splitlines():
                said = line.removeprefix("$ ").lstrip()
                # What follows two spaces explains the command, in blocks that aren't a shell's.
                said = said if block.language == "sh" else re.split(r" {2,}", said)[0]
                if re.match(_SUDO + r"(?:\S*/)?nanobot( |$)", said):
                    found.append((str(block), said))
    return found


def named() -> list[tuple[str, str]]:
    """Commands within text, maybe without their arguments: where, and the words."""
    return [
        (f"{page.path.name}:{line}", span.replace("\\|", "|"))
        for page in pages()
        for line, span in page.spans()
        if re.match(_SUDO + r"nanobot( [a-z-]|$)", span)
    ]


def parse(arguments: list[str]) -> None:
    """Go through these arguments as the program does, and run nothing. Raises what its parser raises."""
    command, name = root(), "nanobot"
    given = ["1" if word in _NUMBERS else word for word in arguments]
    parent = None
    while True:
        group = hasattr(command, "commands")
        if group and (not given or given == ["--version"]):
            return
        if not group:
            break
        context = command.make_context(name, list(given), parent=parent)
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, given, parent = rest[0], rest[1:], context
        assert name in command.commands, f"there is no `{' '.join(arguments)}`"
        command = command.commands[name]
    command.make_context(name, list(given), parent=parent)


@pytest.mark.parametrize(("where", "line"), sorted(set(shown())))
def test_a_command_line_is_understood_as_it_stands(where: str, line: str) -> None:
    for arguments in of_nanobot(line):
        parse(arguments)


@pytest.mark.parametrize(("where", "line"), sorted(set(named())))
def test_a_command_that_is_named_is_there(where: str, line: str) -> None:
    plain = re.sub(r"\[(.*?)\]", r"\1", line)
    plain = re.sub(r"(\w+)(?:\|\w+)+", r"\1", plain)
    for arguments in of_nanobot(plain):
        try:
            parse(arguments)
        except typer.BadParameter as error:
            if type(error).__name__ != "MissingParameter":  # text may leave out what a command is about
                raise


def test_every_command_has_help_with_an_example() -> None:
    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        yield name, command
        for key, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{name} {key}")

    for name, command in walk(root(), "nanobot"):
        assert command.help, name
        shown = CliRunner().invoke(cli, [*name.split()[1:], "--help"])
        assert shown.exit_code == 0, name
        assert "Usage:" in shown.output, name
        assert "xample" in (command.epilog or ""), f"{name}: its help shows no example"
        for line in re.findall(r"`((?:sudo )?nanobot[^`]*)`", command.epilog or ""):
            for arguments in of_nanobot(line):
                parse(arguments)


def test_every_target_of_make_that_is_named_is_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for page in pages():
        spans = [(f"{page.path.name}:{line}", span) for line, span in page.spans()]
        lines = [(str(block), line) for block in page.blocks for line in block.text.splitlines()]
        for where, text in (*spans, *lines):
            called = re.match(r"make ([a-z-]+)", text)
            assert called is None or called[1] in targets, f"{where}: {text}"


def test_there_are_commands_to_look_at() -> None:
    assert len(shown()) > 40
    assert len(named()) > 40
