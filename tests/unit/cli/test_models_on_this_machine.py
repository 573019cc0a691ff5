"""`nanobot local get`, `list` and `remove`, with a file server on loopback in Hugging Face's place."""

from __future__ import annotations

import asyncio
import os
import tomllib
from pathlib import Path

import pytest

from bot.cli import local_files
from bot.cli.local_files import Wish
from bot.cli.options import Options
from bot.errors import BotError
from bot.local_models import MODELS
from tests.fakes.files import FileServer
from tests.fakes.gguf import head, write

CONTENT = head() + os.urandom(50_000)
FILE = MODELS[0].file


@pytest.fixture
def options(tmp_path: Path) -> Options:
    config = tmp_path / "config.toml"
    config.write_text("[agent]\nmax_steps = 5  # enough\n")
    return Options(config, tmp_path / "data", verbose=False, env={"HOME": str(tmp_path)})


def folder(options: Options) -> Path:
    return options.data_folder / "models"


def configured(options: Options) -> dict[str, dict[str, str]]:
    assert options.config is not None
    found: dict[str, dict[str, str]] = tomllib.loads(options.config.read_text()).get("providers", {})
    return found


async def test_a_model_is_fetched_and_what_it_needs_is_printed(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FileServer(CONTENT, cuts=[20_000]) as server:
        await local_files.get(options, Wish("nanbeige", server.url))

    assert (folder(options) / FILE).read_bytes() == CONTENT
    assert configured(options) == {}
    said = capsys.readouterr().out
    assert f'[providers.local_model]\nkind = "llamacpp"\ngguf = "{FILE}"\n' in said
    assert "Nothing else is looked for then" in said


async def test_it_is_written_once_and_beside_what_stands_there(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FileServer(CONTENT) as server:
        await local_files.get(options, Wish("nanbeige", server.url, write=True))
        await local_files.get(options, Wish("qwen-4b", server.url, write=True))
        capsys.readouterr()
        await local_files.get(options, Wish("nanbeige", server.url, write=True))

    assert "names it already" in capsys.readouterr().out
    assert {name: section["gguf"] for name, section in configured(options).items()} == {
        "local_model": FILE,
        "local_model_2": MODELS[1].file,
    }
    assert options.config is not None
    assert "max_steps = 5  # enough" in options.config.read_text()
    settings = options.load().config.providers["local_model"]
    assert (settings.gguf, settings.default_model) == (str(folder(options) / FILE), Path(FILE).stem)


async def test_any_file_may_be_fetched_by_its_address(options: Options) -> None:
    async with FileServer(CONTENT) as server:
        await local_files.get(options, Wish(server.url, sha256=server.sha256.upper(), write=True))

    assert configured(options) == {"local_model": {"kind": "llamacpp", "gguf": "m.gguf"}}


async def test_a_file_of_ones_own_stays_where_it_is(options: Options, tmp_path: Path) -> None:
    own = write(tmp_path / "own.gguf")

    await local_files.get(options, Wish("~/own.gguf", write=True))

    assert configured(options) == {"local_model": {"kind": "llamacpp", "gguf": str(own)}}
    assert not folder(options).exists()


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish("gpt-5"), "none of these names either: nanbeige"),
        (Wish("https://example.org/page.html"), r"should end in the name of a \.gguf file"),
        (Wish("nanbeige", sha256="12"), "64 hexadecimal digits"),
        (Wish("http://example.org/m.gguf"), "not encrypted"),
    ],
)
async def test_what_cannot_be_had_is_said_and_changes_nothing(
    options: Options, wish: Wish, said: str
) -> None:
    with pytest.raises(BotError, match=said):
        await local_files.get(options, wish)

    assert configured(options) == {}


async def test_the_list_shows_what_is_here_what_is_begun_and_what_there_is(options: Options) -> None:
    assert local_files.listing(options)[0] == f"No model is in {folder(options)}."
    async with FileServer(CONTENT, hold=asyncio.Event()) as server:
        begun = asyncio.create_task(local_files.get(options, Wish("qwen-4b", server.url)))
        async with asyncio.timeout(30.0):
            while not list(folder(options).glob("*.json")):
                await asyncio.sleep(0.005)
        begun.cancel()
        await asyncio.wait([begun])
        server.hold = None
        await local_files.get(options, Wish("nanbeige", server.url, write=True))

    lines = "\n".join(local_files.listing(options))

    assert f"  {FILE}  0.1 MB  used by providers.local_model" in lines
    assert f"  {MODELS[1].file}  0.0 MB of it; get it again to go on" in lines
    assert all(model.name in lines for model in MODELS)


async def test_what_the_configuration_names_is_removed_only_by_force(options: Options) -> None:
    async with FileServer(CONTENT) as server:
        await local_files.get(options, Wish("nanbeige", server.url, write=True))
    with pytest.raises(BotError, match=r"used by providers\.local_model; take it out"):
        local_files.remove(options, "nanbeige", force=False)

    assert local_files.remove(options, FILE, force=True) == f"{FILE} is gone, 0.1 MB are free again."
    assert list(folder(options).iterdir()) == []


@pytest.mark.parametrize("name", ["../config.toml", "none.gguf", "/etc/passwd", "../../m.gguf"])
def test_nothing_else_is_removed(options: Options, name: str) -> None:
    folder(options).mkdir(parents=True)
    with pytest.raises(BotError, match="nanobot local list"):
        local_files.remove(options, name, force=True)


def test_on_no_terminal_progress_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with local_files.progress("It") as shown:
        shown(1, 2)

    assert capsys.readouterr().out == "Fetching It ...\nIt is here.\n"
