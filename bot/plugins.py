"""The open folders: a file `<package>/<name>.py` (or a folder) exports `SPEC`, imported when asked for."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from bot.errors import BotError

T = TypeVar("T")


class PluginError(BotError):
    """A file of an open folder can't be used; says which, and what is wrong with it."""

    exit_code = 2


def names(package: str) -> list[str]:
    """Sorted names of what the package holds, none of it imported. A leading underscore hides one."""
    folders = importlib.import_module(package).__path__
    return sorted(module.name for module in pkgutil.iter_modules(folders) if not module.name.startswith("_"))


def load(package: str, name: str, expected: type[T]) -> T:
    """Import `package.name` and return its `SPEC`, which must be an `expected`. Raises `PluginError`."""
    installed = names(package)
    if name not in installed:
        near = difflib.get_close_matches(name, installed, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(installed) or 'none yet'}"
        raise PluginError(f"{package} has no {name!r}; {hint}")
    module = _import(package, name)
    file = module.__file__ or f"{package}.{name}"
    spec = getattr(module, "SPEC", None)
    if not isinstance(spec, expected):
        found = "exports no SPEC" if spec is None else f"exports a SPEC of type {type(spec).__name__}"
        raise PluginError(f"{file}: {found}; expected SPEC: {expected.__name__}")
    said = getattr(spec, "kind", None) or getattr(spec, "name", name)
    if said != name:
        raise PluginError(f"{file}: its SPEC is called {said!r}; expected {name!r}, the file's own name")
    return spec


def _import(package: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        raise PluginError(
            f"{_file(package, name)}: needs the Python module {error.name!r}, which is not installed"
        ) from error
    except SyntaxError as error:
        raise PluginError(f"{error.filename}:{error.lineno}: is not valid Python: {error.msg}") from error
    except Exception as error:
        # Whatever an extension's own code raises belongs to that file, and the reader should hear which one.
        raise PluginError(
            f"{_file(package, name)}: can't be imported: {type(error).__name__}: {error}"
        ) from error


def _file(package: str, name: str) -> Path:
    for folder in importlib.import_module(package).__path__:
        for file in (Path(folder, f"{name}.py"), Path(folder, name, "__init__.py")):
            if file.exists():
                return file
    return Path(*package.split("."), name)
