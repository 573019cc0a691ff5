"""The account: what was sent, taken, answered, seen; and how memory and open files went."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.soak.brain import NUMBER
from tests.soak.people import People, tally

_BEGINNING = 60


class Sample(NamedTuple):
    """`at` in seconds since the beginning, `rss` in bytes."""

    at: float
    rss: int
    files: int


class Slope(NamedTuple):
    """Of a straight line through samples, for each hour, with half the width of its 95 % confidence interval."""

    value: float
    error: float


@dataclass
class Account:
    sent: int
    taken: int
    answered: int
    """Inbox rows that are done and linked to one turn whose last row of the outbox is sent."""
    lost: list[str]
    """Numbers that are neither: nothing of theirs was ever committed as answered."""
    unseen: list[str]
    """Numbers whose answer nobody sees, though it was committed: a failure of every model is told without numbers."""
    repeated_and_marked: int
    doubled: list[str]
    kills: int
    children_left: int
    exit_code: int
    faults: int = 0
    instead: Counter[str] = field(default_factory=Counter)
    """How the answers begin that those got whose numbers nobody sees."""
    shown: list[str] = field(default_factory=list)
    """Where what was doubled is seen."""
    samples: list[Sample] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.lost and not self.doubled and not self.children_left and self.exit_code == 0

    @classmethod
    def of(
        cls, sent: list[str], people: list[People], database: Path, *, kills: int, left: int, code: int
    ) -> Account:
        with closing(sqlite3.connect(database)) as db:
            rows = db.execute("SELECT text, state, turn FROM inbox").fetchall()
            last = db.execute(
                "SELECT turn, state, text FROM outbox o WHERE turn IS NOT NULL "
                "AND id = (SELECT max(id) FROM outbox WHERE turn = o.turn)"
            ).fetchall()
        settled = {turn: text for turn, state, text in last if state in ("sent", "relayed")}
        taken: set[str] = set()
        answered: set[str] = set()
        for text, state, turn in rows:
            numbers = NUMBER.findall(text)
            taken |= set(numbers)
            answered |= set(numbers) if state == "done" and turn in settled else set()
        plain, marked = tally(people)
        doubled = {number for number in sent if plain[number] > 1}
        shown = [
            f"{each.kind} {where}: {text!r}"
            for each in people
            for where, text in each.seen()
            if doubled & set(NUMBER.findall(text))
        ]
        unseen = [number for number in sent if not plain[number] and not marked[number]]
        instead = Counter(
            settled.get(turn, "nothing")[:_BEGINNING]
            for text, _, turn in rows
            if set(NUMBER.findall(text)) & set(unseen)
        )
        return cls(
            sent=len(sent),
            taken=len(taken),
            answered=len(answered),
            lost=[number for number in sent if number not in answered],
            unseen=unseen,
            instead=instead,
            repeated_and_marked=sum(marked.values()),
            doubled=sorted(doubled),
            shown=shown,
            kills=kills,
            children_left=left,
            exit_code=code,
        )


def report(account: Account, plot: Path | None) -> str:
    lines = [
        f"sent                {account.sent}",
        f"taken               {account.taken}",
        f"answered            {account.answered}",
        f"repeated and marked {account.repeated_and_marked}",
        f"lost                {len(account.lost)} {' '.join(account.lost[:20])}".rstrip(),
        f"doubled unmarked    {len(account.doubled)} {' '.join(account.doubled[:20])}".rstrip(),
        f"told of no model    {len(account.unseen)}",
        f"kills               {account.kills}",
        f"model faults        {account.faults}",
        f"processes left over {account.children_left}",
        f"exit code           {account.exit_code}",
    ]
    lines += [f"{'':19} {count} {text!r}" for text, count in account.instead.most_common(10)]
    lines += account.shown[:40]
    samples = account.samples
    if len(samples) > _FEWEST and not account.kills:
        # The first minutes fill caches; what counts is how it goes on, and whether it comes to rest.
        for part, when in ((1 / 4, "after its first quarter"), (3 / 4, "in its last quarter")):
            later = [one for one in samples if one.at > samples[-1].at * part]
            lines += [
                _course("memory", " MB", [(one.at / 3600, one.rss / 1e6) for one in later], when),
                _course("open files", "", [(one.at / 3600, float(one.files)) for one in later], when),
            ]
    if plot is not None and samples:
        plot.write_text(svg(samples), encoding="utf-8")
        lines.append(f"plot                {plot}")
    return "\n".join(lines)


_FEWEST = 40


def _course(name: str, unit: str, points: list[tuple[float, float]], when: str) -> str:
    hours, values = [at for at, _ in points], [value for _, value in points]
    slope = trend(hours, values)
    return (
        f"{name:19} {values[0]:.1f} to {values[-1]:.1f}{unit}, "
        f"slope {slope.value:+.2f} ± {slope.error:.2f}{unit} an hour {when}"
    )


def trend(xs: list[float], ys: list[float]) -> Slope:
    """Least squares; the error is 1.96 standard errors, which takes the samples for independent of each other."""
    count = len(xs)
    mean_x, mean_y = sum(xs) / count, sum(ys) / count
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    return Slope(slope, 1.96 * math.sqrt(rest / max(count - 2, 1) / spread))


_WIDTH, _HEIGHT, _LEFT, _GAP = 720, 160, 60, 40


def svg(samples: list[Sample]) -> str:
    """Two curves over time, one below the other."""
    memory = _curve([(one.at, one.rss / 1e6) for one in samples], "memory, MB", 0)
    files = _curve([(one.at, float(one.files)) for one in samples], "open files", _HEIGHT + _GAP)
    height = 2 * (_HEIGHT + _GAP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + _LEFT + 20} {height}" '
        'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
    )
    return f"{head}{memory}{files}</svg>\n"


def _curve(points: list[tuple[float, float]], name: str, top: float) -> str:
    last = max(x for x, _ in points) or 1.0
    most = max(y for _, y in points) * 1.1 or 1.0
    step = max(len(points) // _WIDTH, 1)
    path = " ".join(
        f"{_LEFT + x / last * _WIDTH:.1f},{top + 20 + _HEIGHT * (1 - y / most):.1f}"
        for x, y in points[::step]
    )
    base = top + 20 + _HEIGHT
    return (
        f'<text x="{_LEFT}" y="{top + 14}">{name}</text>\n'
        f'<line x1="{_LEFT}" y1="{base}" x2="{_LEFT + _WIDTH}" y2="{base}" stroke="#999"/>\n'
        f'<text x="4" y="{base}">0</text><text x="4" y="{top + 30}">{most:.0f}</text>\n'
        f'<text x="{_LEFT + _WIDTH - 60}" y="{base + 14}">{last / 60:.0f} min</text>\n'
        f'<polyline fill="none" stroke="#06c" points="{path}"/>\n'
    )
