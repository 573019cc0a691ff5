"""Files of the workspace: read, write, edit, list, search. Nothing outside it, by no path trick.

How a path is opened is `bot.workspace`'s matter.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, Field

from bot.gateway.parts import INBOX
from bot.safety.rules import Trust
from bot.storage import origins
from bot.text import valid
from bot.toolbox import Act, Kit, Output, ToolContext, ToolError, ToolFunction, ToolSpec
from bot.workspace import MAX_DEPTH, anothers, folder_at, opened, parts_of, plainly

_MAX_BYTES = 2_000_000
_MAX_HITS = 200
_MAX_FILES = 20_000
_READ_ONLY = ("agents", "skills", "memory", "persona.md")
"""What lies at the top and may not be written, in small letters: not every file system tells them from capitals."""


class ReadArguments(BaseModel):
    path: str = Field(description="file in the workspace, e.g. notes/today.md")
    first_line: int = Field(default=1, ge=1, description="line to start from")
    lines: int = Field(default=2000, ge=1, le=10_000, description="how many lines at most")


class WriteArguments(BaseModel):
    path: str = Field(description="file in the workspace; folders are made as needed")
    text: str = Field(description="the file's whole new content")


class EditArguments(BaseModel):
    path: str = Field(description="file in the workspace")
    old: str = Field(min_length=1, description="text to replace; must occur exactly once")
    new: str = Field(description="what stands there instead")


class ListArguments(BaseModel):
    path: str = Field(default=".", description="folder in the workspace")


class SearchArguments(BaseModel):
    text: str = Field(min_length=1, description="text to find, upper and lower case alike")
    path: str = Field(default=".", description="folder in the workspace to search in")


async def read(context: ToolContext, arguments: ReadArguments) -> Output:
    def run() -> str:
        with opened(context, arguments.path, os.O_RDONLY) as fd:
            text = _read_text(fd, arguments.path)
        lines = text.splitlines(keepends=True)
        start = arguments.first_line - 1
        shown = lines[start : start + arguments.lines]
        rest = len(lines) - start - len(shown)
        if lines and not shown:
            return f"(the file has {len(lines)} lines)"
        note = f"\n[{rest} more lines; go on with first_line={start + len(shown) + 1}]" if rest > 0 else ""
        return "".join(shown) + note or "(the file is empty)"

    return Output(await asyncio.to_thread(run), await _trust(context, [arguments.path]))


async def write(context: ToolContext, arguments: WriteArguments) -> str:
    def run() -> str:
        # Two writes at once may both have found nothing there; only what may not change a file must not.
        new = context.act is Act.CREATE and context.situation.trust is Trust.UNTRUSTED
        _replace(context, arguments.path, arguments.text, new=new)
        return f"Wrote {len(arguments.text)} characters to {arguments.path}."

    _refuse(context, arguments.path)
    untrusted = context.situation.trust is Trust.UNTRUSTED
    if untrusted:
        await _mark(context, arguments.path)
    said = await asyncio.to_thread(run)
    if not untrusted and context.lent is not None:
        plain = "/".join(parts_of(arguments.path))
        await context.desk.database.write(partial(origins.clear, paths=[plain]))
    return said


async def edit(context: ToolContext, arguments: EditArguments) -> str:
    def run() -> str:
        with opened(context, arguments.path, os.O_RDONLY) as fd:
            text = _read_text(fd, arguments.path, errors="strict")
        found = text.count(arguments.old)
        if found != 1:
            raise ToolError(
                f"The text to replace occurs {found} times in {arguments.path}; it must occur once."
            )
        _replace(context, arguments.path, text.replace(arguments.old, arguments.new))
        return f"Changed {arguments.path}."

    _refuse(context, arguments.path)
    if context.situation.trust is Trust.UNTRUSTED:
        await _mark(context, arguments.path)
    return await asyncio.to_thread(run)


async def list_folder(context: ToolContext, arguments: ListArguments) -> Output:
    inside = parts_of(arguments.path)

    def run() -> list[tuple[str, str]]:
        with opened(context, arguments.path, os.O_RDONLY | os.O_DIRECTORY) as fd:
            found = sorted(os.listdir(fd))  # noqa: PTH208 -- by descriptor, not by path
            entries = [entry for entry in found if not anothers(context, [*inside, entry])]
            return [("/".join([*inside, entry]), _describe(fd, entry)) for entry in entries]

    found = await asyncio.to_thread(run)
    folders = frozenset(path for path, line in found if line.endswith("/"))
    trust = await _trust(context, [path for path, _ in found if path not in folders], folders)
    return Output("\n".join(line for _, line in found) or "(empty)", trust)


async def search(context: ToolContext, arguments: SearchArguments) -> Output:
    def readable(name: str) -> bool:
        return not anothers(context, parts_of(name))

    files: set[str] = set()

    def run() -> str:
        hits: list[str] = []
        with opened(context, arguments.path, os.O_RDONLY | os.O_DIRECTORY) as top:
            inside = (one for one in _walk(top, PurePosixPath(arguments.path)) if readable(one[0]))
            for count, (name, fd) in enumerate(inside):
                if count >= _MAX_FILES:
                    return "\n".join([*hits, f"[stopped after {_MAX_FILES} files; search in a folder]"])
                found = _hits(fd, name, arguments.text.casefold(), _MAX_HITS - len(hits))
                files.update([name] if found else ())
                hits += found
                if len(hits) >= _MAX_HITS:
                    return "\n".join([*hits, f"[stopped at {_MAX_HITS} lines; search for something rarer]"])
        return "\n".join(hits) or f"{arguments.text!r} was not found."

    found = await asyncio.to_thread(run)
    return Output(found, await _trust(context, files))


async def writes(context: ToolContext, arguments: WriteArguments) -> Act:
    """Whether a write makes a new file or changes one."""

    def run() -> Act:
        try:
            with opened(context, arguments.path, os.O_RDONLY):
                return Act.CHANGE
        except ToolError:
            # Not there, or not to be opened: the write itself says which.
            return Act.CREATE

    return await asyncio.to_thread(run)


async def _trust(context: ToolContext, paths: Iterable[str], folders: frozenset[str] = frozenset()) -> Trust:
    """Whose words these files hold, and the names of these folders."""
    if context.lent is None:
        return Trust.OWN
    paths = list(paths)
    marked = await context.desk.database.read(origins.untrusted)
    # No label can be kept of a name that is no text.
    if folders & marked or any(valid(path) != path for path in (*folders, *paths)):
        return Trust.UNTRUSTED
    for path in paths:
        names = list(PurePosixPath(path).parts)
        if (
            "/".join(names) in marked
            or names[0].casefold() == INBOX
            or not await context.desk.skills.own(names)
        ):
            return Trust.UNTRUSTED
    return Trust.OWN


async def _mark(context: ToolContext, path: str) -> None:
    """Remember that a file holds words from outside, and the names of folders that are made for it, before it is
    written: whatever ends us in between, it has its label.
    """
    if context.lent is None:
        return
    parts = parts_of(path)
    above = (parts[:count] for count in range(1, len(parts)))
    made = ["/".join(names) for names in above if not context.workspace.joinpath(*names).exists()]
    paths = [*made, "/".join(parts)]
    await context.desk.database.write(partial(origins.mark, paths=paths, now=context.clock()))


def _refuse(context: ToolContext, path: str) -> None:
    parts = parts_of(path)
    top = parts[0].casefold() if parts else ""
    if top in _READ_ONLY:
        raise ToolError(f"{path} can only be read here; its owner edits it.")
    if top == INBOX and (len(parts) < 3 or anothers(context, parts)):
        raise ToolError(f"{path} is not for this conversation to write.")


def _replace(context: ToolContext, path: str, text: str, *, new: bool = False) -> None:
    """Write a file whole or not at all: a crash leaves the old content or the new, never half of it. `new`: only
    where there is none.
    """
    data = text.encode()
    if len(data) > _MAX_BYTES:
        raise ToolError(f"The text has {len(data)} bytes; at most {_MAX_BYTES} can be written.")
    parts = parts_of(path)
    if not parts:
        raise ToolError("Name a file, not the workspace itself.")
    with plainly(path), folder_at(context, parts[:-1], make=True) as folder:
        name = parts[-1]
        mode = _mode(folder, name, path)
        draft = f".{secrets.token_hex(8)}.part"
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if new:
                # Fails where a file of that name has appeared meanwhile; a rename would replace it.
                os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.unlink(draft, dir_fd=folder)
            else:
                os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(draft, dir_fd=folder)
            raise


def _mode(folder: int, name: str, path: str) -> int:
    """The permissions of the file to replace, which stay; those of a new one are its owner's only."""
    try:
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return 0o600
    if not stat.S_ISREG(about.st_mode):
        raise ToolError(f"{path} is not an ordinary file.")
    return stat.S_IMODE(about.st_mode) & 0o777


def _read_text(fd: int, path: str, errors: str = "replace") -> str:
    if os.fstat(fd).st_size > _MAX_BYTES:
        raise ToolError(f"{path} is larger than {_MAX_BYTES} bytes; it can't be read whole.")
    with os.fdopen(os.dup(fd), "rb") as file:
        data = file.read(_MAX_BYTES)
    if b"\0" in data[:4096]:
        raise ToolError(f"{path} is not a text file.")
    try:
        return data.decode("utf-8", errors)
    except UnicodeDecodeError:
        raise ToolError(f"{path} is not UTF-8; an edit would damage it.") from None


def _describe(folder: int, name: str) -> str:
    try:
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return f"{name}  (just removed)"
    if stat.S_ISDIR(about.st_mode):
        return f"{name}/"
    return f"{name}  {about.st_size} bytes" if stat.S_ISREG(about.st_mode) else f"{name}  (not a file)"


def _walk(folder: int, at: PurePosixPath) -> Iterator[tuple[str, int]]:
    """Every readable file below a folder as (path, open descriptor), hidden ones and names that are no text left
    out, links not followed.
    """
    for name in sorted(os.listdir(folder)):
        if name.startswith(".") or valid(name) != name:
            continue
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError:  # a link, a socket, not ours to read, just removed
            continue
        try:
            about = os.fstat(fd)
            if stat.S_ISDIR(about.st_mode) and len(at.parts) < MAX_DEPTH:
                yield from _walk(fd, at / name)
            elif stat.S_ISREG(about.st_mode) and about.st_nlink == 1 and about.st_size <= _MAX_BYTES:
                yield str(at / name), fd
        finally:
            os.close(fd)


def _hits(fd: int, name: str, wanted: str, most: int) -> list[str]:
    try:
        text = _read_text(fd, name)
    except ToolError:
        return []
    lines = enumerate(text.splitlines(), 1)
    return [f"{name}:{number}: {line.strip()[:200]}" for number, line in lines if wanted in line.casefold()][
        :most
    ]


def _function(
    name: str,
    description: str,
    arguments: type[BaseModel],
    run: Callable[..., Any],
    act: Act | Callable[..., Awaitable[Act]] = Act.LOOK,
) -> ToolFunction:
    return ToolFunction(name, description, arguments, run, act, Kit.WORK, pure=act is Act.LOOK)


SPEC = ToolSpec(
    name="files",
    functions=(
        _function("files_read", "Reads a text file of the workspace.", ReadArguments, read),
        _function(
            "files_write",
            "Writes a text file in the workspace, replacing what was there.",
            WriteArguments,
            write,
            writes,
        ),
        _function("files_edit", "Replaces one piece of text in a file.", EditArguments, edit, Act.CHANGE),
        _function("files_list", "Lists a folder of the workspace.", ListArguments, list_folder),
        _function(
            "files_search",
            "Finds lines that contain a text in the workspace's files.",
            SearchArguments,
            search,
        ),
    ),
)
