"""`nanobot local get`, `list` and `remove`: models' files on this machine."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from bot import local_models, part, paths
from bot.cli.choices import gguf_values
from bot.cli.draft import Draft
from bot.cli.options import Options
from bot.download import Progress, Source, gigabytes
from bot.errors import BotError
from bot.local_models import LocalModel
from providers import gguf, llama
from providers.machine import available_memory

SECTION = "local_model"
_COMMENT = "A model that nanobot runs on this machine, with llama.cpp."
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Wish:
    """`what` is a model's name, a URL, a file, or "" for the recommended one; `url` is where to fetch it instead."""

    what: str = ""
    url: str = ""
    sha256: str = ""
    write: bool = False


async def get(options: Options, wish: Wish) -> None:
    """Have the model here, and say or write what the configuration needs for it. Raises BotError."""
    if wish.sha256 and not _SHA256.fullmatch(wish.sha256):
        raise BotError("--sha256 takes 64 hexadecimal digits")
    file = await _file(options, wish)
    draft = Draft(options.config_file)
    for place, value in _values(options, draft, file).items():
        draft.put(place, value, _COMMENT if place[-1] == "kind" else "")
    if not draft.changes:
        print(f"{draft.file} names it already.")
    elif wish.write:
        draft.write(options.env)
        print(f"Written to {draft.file}; `nanobot reload`, if it runs.")
    else:
        print(f"To use it, put this into {draft.file} (or add --write):\n")
        print("\n".join(draft.shown()))
    if draft.names("providers") == [SECTION]:
        print(
            "Nothing else is looked for then: name other servers and keys beside it, or run `nanobot init`."
        )
    if why := llama.missing():
        print(f"To run it, {why}")


def listing(options: Options) -> list[str]:
    """What is here, and what could be fetched."""
    folder = paths.models_folder(options.data_folder)
    used = _used(options)
    here = sorted(folder.glob("*.gguf"))
    lines = [f"In {folder}:"] if here else [f"No model is in {folder}."]
    lines += [f"  {file.name}  {gigabytes(file.stat().st_size)}{used.get(file, '')}" for file in here]
    begun = sorted(folder.glob("*.part"))
    lines += [
        f"  {file.stem}  {gigabytes(file.stat().st_size)} of it; get it again to go on" for file in begun
    ]
    memory = available_memory()
    free = f", of which {gigabytes(memory)} are available now" if memory is not None else ""
    lines += ["", f"`nanobot local get NAME` fetches one of these (each needs so much memory{free}):"]
    for model in local_models.MODELS:
        needs = f"{gigabytes(model.size)} to fetch, {gigabytes(model.memory)} of memory"
        lines.append(f"  {model.name:10} {model.title}: {needs}; {model.note}")
    return lines


def remove(options: Options, name: str, *, force: bool) -> str:
    """Delete a model's file, or what has come of one. Raises BotError."""
    folder = paths.models_folder(options.data_folder)
    known = local_models.named(name)
    file = folder / (known.file if known else name)
    if file.parent != folder or file.suffix != ".gguf":
        raise BotError(f"{name}: is no model's file in {folder}; `nanobot local list` shows them")
    begun = part.discard(file)
    if file.is_file():
        if (by := _used(options).get(file)) and not force:
            raise BotError(f"{file.name}:{by}; take it out of the configuration first, or add --force")
        size = file.stat().st_size
        file.unlink()
        return f"{file.name} is gone, {gigabytes(size)} are free again."
    if begun:
        return f"What had come of {file.name} is gone."
    raise BotError(f"{folder} has no {file.name}; `nanobot local list` shows what is there")


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A bar on a terminal; elsewhere a line at the start and at the end."""
    if not sys.stdout.isatty():
        print(f"Fetching {title} ...")
        yield lambda _done, _total: None
        print(f"{title} is here.")
        return
    from rich import progress as bars  # noqa: PLC0415 -- only where somebody looks

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


async def _file(options: Options, wish: Wish) -> Path:
    folder = paths.models_folder(options.data_folder)
    if wish.what.startswith(("http://", "https://")):
        return await _by_url(wish, folder)
    model = local_models.named(wish.what) if wish.what else _recommended()
    if model is None:
        file = paths.expand(wish.what, options.env).absolute()
        if problem := gguf.problem(file):
            known = ", ".join(one.name for one in local_models.MODELS)
            raise BotError(f"{problem}. It is no URL and none of these names either: {known}")
        return file
    _warn(model)
    source = Source(wish.url or model.url, wish.sha256)
    with progress(f"{model.title} ({gigabytes(model.size)})") as shown:
        return await local_models.fetch_file(source, folder / model.file, shown)


async def _by_url(wish: Wish, folder: Path) -> Path:
    name = PurePosixPath(unquote(urlsplit(wish.what).path)).name
    if not name.endswith(".gguf"):
        raise BotError(f"{wish.what}: should end in the name of a .gguf file")
    with progress(name) as shown:
        return await local_models.fetch_file(Source(wish.url or wish.what, wish.sha256), folder / name, shown)


def _recommended() -> LocalModel:
    found = local_models.choices(available_memory())
    if not found:
        least = gigabytes(min(model.memory for model in local_models.MODELS))
        raise BotError(
            f"no model of the list fits the memory that is available (the smallest needs {least}); "
            "`nanobot local install` brings a tiny one, and `nanobot local get NAME` fetches one all the same"
        )
    return found[0]


def _warn(model: LocalModel) -> None:
    memory = available_memory()
    if memory is not None and memory < model.memory:
        have, needs = gigabytes(memory), gigabytes(model.memory)
        print(f"{model.title} needs {needs} of memory, and {have} are available now: it may be very slow.")


def _values(options: Options, draft: Draft, file: Path) -> dict[tuple[str, ...], object]:
    """The section of the configuration; by its name where the file lies in the folder of models."""
    here = file.parent == paths.models_folder(options.data_folder)
    name = file.name if here else str(file)
    for section in draft.names("providers"):
        said = draft.get(("providers", section, "gguf"))
        if isinstance(said, str) and paths.model_file(said, options.data_folder, options.env) == file:
            return {}
    values = {place: name if place[-1] == "gguf" else value for place, value in gguf_values(file).items()}
    taken = draft.names("providers")
    section = next(n for n in (SECTION, *(f"{SECTION}_{i}" for i in range(2, 100))) if n not in taken)
    return {(place[0], section, *place[2:]): value for place, value in values.items()}


def _used(options: Options) -> dict[Path, str]:
    """Which files the configuration names, with a word on where."""
    draft = Draft(options.config_file)
    used = {}
    for section in draft.names("providers"):
        said = draft.get(("providers", section, "gguf"))
        if isinstance(said, str):
            used[paths.model_file(said, options.data_folder, options.env)] = f"  used by providers.{section}"
    return used
