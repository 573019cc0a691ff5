"""The workspace's files, opened so that no path leads out of it, nor into what is another person's.

Every path is opened step by step below the workspace's own descriptor without following links, so that what is
checked is what is opened: `..`, absolute paths, links and their swapping in between all end in a refusal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

from bot.desk import ToolContext, ToolError
from bot.gateway.parts import INBOX
from bot.memory.keeper import folder_name

MAX_DEPTH = 32
"""Folders within each other; a search holds one descriptor for each."""
MEMORY = "memory"
"""What is remembered: a folder for each person, and the household's file."""
PRIVATE = (MEMORY, INBOX)
"""Where each person has a folder that is nobody else's."""


def parts_of(path: str) -> list[str]:
    """The names on the way to a path, refused where they lead out of the workspace by their look."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise ToolError(f"{path!r} is outside the workspace; use a path relative to it, without '..'.")
    if len(pure.parts) > MAX_DEPTH:
        raise ToolError(f"The path is too deep; at most {MAX_DEPTH} folders lie within each other.")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ToolError(f"{path!r} is no path; use ordinary letters.") from None
    return [part for part in pure.parts if part != "."]


def anothers(context: ToolContext, parts: list[str]) -> bool:
    """Whether a path leads into what is remembered about somebody else or came from them; in a group all of it does."""
    if len(parts) > 2 and parts[0].casefold() == INBOX:
        return not context.situation.private or parts[1] != folder_name(context.person)
    if not parts or parts[0].casefold() != MEMORY:
        return False
    if not context.situation.private:
        return True
    # Compared to the letter: not every file system tells capitals apart, and then another spelling is refused.
    below = parts[1:]
    return bool(below) and below != ["household.md"] and below[0] != folder_name(context.person)


@contextmanager
def folder_at(context: ToolContext, parts: list[str], *, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder at `parts`, reached without following any link."""
    fd = os.open(context.workspace, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=fd)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


@contextmanager
def opened(context: ToolContext, path: str, flags: int) -> Iterator[int]:
    """A descriptor of what is at `path`: a folder or a regular file with one name, never a link, pipe or device."""
    parts = parts_of(path)
    if anothers(context, parts):
        raise ToolError(f"{path} is not for this conversation to read.")
    with plainly(path), folder_at(context, parts[:-1]) as folder:
        # O_NONBLOCK: opening a pipe that nobody writes to must not hang.
        fd = os.open(parts[-1] if parts else ".", flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            about = os.fstat(fd)
            if not stat.S_ISDIR(about.st_mode) and (not stat.S_ISREG(about.st_mode) or about.st_nlink > 1):
                raise ToolError(f"{path} is not an ordinary file.")
            if stat.S_ISDIR(about.st_mode) and not flags & os.O_DIRECTORY:
                raise ToolError(f"{path} is a folder; use files_list.")
            yield fd
        finally:
            os.close(fd)


@contextmanager
def plainly(path: str) -> Iterator[None]:
    """Say an operating system's refusal in words that help a model go on."""
    try:
        yield
    except FileNotFoundError:
        raise ToolError(f"{path} does not exist; files_list shows what does.") from None
    except NotADirectoryError:
        raise ToolError(f"{path}: a part of the path is not a folder (links are not followed).") from None
    except OSError as error:
        raise ToolError(f"{path} can't be opened: {error.strerror}.") from None


def content_of(context: ToolContext, path: str, most: int) -> bytes:
    """The bytes of a file, as safely as every other tool reads it; it blocks. Raises ToolError."""
    with opened(context, path, os.O_RDONLY) as fd:
        size = os.fstat(fd).st_size
        if size > most:
            raise ToolError(f"{path} is too large to send: {size / 1e6:.0f} MB.")
        with os.fdopen(os.dup(fd), "rb") as file:
            return file.read(most)
