"""The source tree as the architecture's tests see it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "channels", "providers")


def modules(root: Path, *packages: str) -> list[str]:
    """Dotted names of all modules, but for migrations, which Alembic runs as scripts."""
    files = (path.relative_to(root) for package in packages for path in (root / package).rglob("*.py"))
    names = (".".join(path.with_suffix("").parts) for path in files if "migrations" not in path.parts)
    return sorted(name.removesuffix(".__init__") for name in names)
