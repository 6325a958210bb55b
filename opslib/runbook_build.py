"""Write the README's table of what the runbooks' sections are automated by: `python -m opslib.runbook_build`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from opslib.runbook_map import RunbookMap, State, runbook_maps

__all__ = ["BEGIN", "END", "outdated", "table", "write"]

BEGIN = "<!-- runbooks: begin, written by python -m opslib.runbook_build -->"
END = "<!-- runbooks: end -->"
README = Path(__file__).parents[1] / "README.md"


def table(maps: Sequence[RunbookMap]) -> str:
    """Return what each role does as a Markdown table, and how far the runbooks are automated."""
    sections: dict[str, dict[str, dict[str, None]]] = {}
    for each in maps:
        for section in each.sections:
            for name in section.roles:
                role, _, entry = name.partition(":")
                found = sections.setdefault(role, {})
                found.setdefault("entries", {}).setdefault(f"`{entry}`")
                found.setdefault("headings", {}).setdefault(section.heading[-1])
    rows = ["| role | entry points | sections of the runbooks |", "|---|---|---|"]
    rows += [
        f"| `{role}` | {', '.join(found['entries'])} | {', '.join(found['headings'])} |"
        for role, found in sorted(sections.items())
    ]
    counts = [
        f"{each.title}: " + ", ".join(f"{each.count(state)} {state.value}" for state in State if each.count(state))
        for each in maps
    ]
    return "\n".join([*rows, "", *(f"- {line}" for line in counts)])


def outdated(readme: Path = README) -> bool:
    """Whether the table of a README is not what `write` would make it. Raises ValueError where marks are missing."""
    return readme.read_text(encoding="utf-8") != _renewed(readme)


def write(readme: Path = README) -> bool:
    """Renew the table of a README; return whether it changed."""
    if not outdated(readme):
        return False
    readme.write_text(_renewed(readme), encoding="utf-8")
    return True


def _renewed(readme: Path) -> str:
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme} lacks the line {BEGIN if not begin else END}")
    return f"{before}{BEGIN}\n\n{table(runbook_maps())}\n\n{END}{after}"


if __name__ == "__main__":
    write()
