"""The attacks as a table in docs/SAFETY.md, between two marks."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.cases import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "SAFETY.md"
BEGIN, END = "<!-- attacks -->", "<!-- /attacks -->"
_ENDS = {
    "refused": "refused",
    "asked": "the owner is asked",
    "empty": "nothing is found or done",
    "hidden": "the secret is left out",
}


def made() -> str:
    """The table as the cases have it."""
    lines = ["| kind | tried | ends |", "|---|---|---|"]
    for kind, attacks in KINDS.items():
        lines += [f"| {kind} | {attack.title} | {_ENDS[attack.must]} |" for attack in attacks]
    return "\n".join(lines)


def kept() -> str:
    """The table as the page has it."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def write() -> None:
    """Renew the page's table."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{made()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
