"""Write the generated part of each role's README.md: its entry points and variables, from `meta/argument_specs.yml`.

`python -m opslib.role_build` in a checkout brings them up to date; a test fails while they are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["FOLDER", "outdated", "table", "write"]

FOLDER = Path("roles")
BEGIN, END = "<!-- variables: begin, written by python -m opslib.role_build -->", "<!-- variables: end -->"


def outdated(folder: Path = FOLDER) -> list[str]:
    """Return the README files below a folder of roles whose generated part is not as it should be."""
    return [str(path) for path in _readmes(folder) if path.read_text(encoding="utf-8") != _renewed(path)]


def write(folder: Path = FOLDER) -> list[str]:
    """Bring the README files up to date and return those written; ValueError where a mark is missing."""
    changed = outdated(folder)
    for name in changed:
        path = Path(name)
        path.write_text(_renewed(path), encoding="utf-8")
    return changed


def table(specs: Mapping[str, Any]) -> str:
    """Return the entry points of a role, and its variables in the order in which they first occur, as Markdown."""
    entries = {name: spec for name, spec in specs.items() if name != "main"}
    lines = ["| entry point | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {_markdown(spec.get('short_description', ''))} |" for name, spec in entries.items()]
    lines += ["", "| variable | type | default | used by | what it is |", "|---|---|---|---|---|"]
    users: dict[str, list[str]] = {}
    options: dict[str, Mapping[str, Any]] = {}
    for entry, spec in entries.items():
        for name, option in (spec.get("options") or {}).items():
            users.setdefault(name, []).append(entry)
            options.setdefault(name, option)
    for name, option in options.items():
        used = "all" if len(users[name]) == len(entries) else ", ".join(users[name])
        lines.append(f"| `{name}` | {_type(option)} | {_default(option)} | {used} | {_words(option)} |")
    for name, option in options.items():
        if inner := option.get("options"):
            lines += ["", f"Each of `{name}` has:", "", "| key | type | what it is |", "|---|---|---|"]
            lines += [f"| {_key(key, each)} | {_type(each)} | {_words(each)} |" for key, each in inner.items()]
    return "\n".join(lines)


def _readmes(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*/README.md"))


def _renewed(path: Path) -> str:
    specs = yaml.safe_load((path.parent / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the line {BEGIN if not begin else END}")
    return f"{before}{BEGIN}\n\n{table(specs['argument_specs'])}\n\n{END}{after}"


def _key(name: str, option: Mapping[str, Any]) -> str:
    return f"`{name}`" + (" (required)" if option.get("required") else "")


def _type(option: Mapping[str, Any]) -> str:
    kind = option.get("type", "str")
    if option.get("choices"):
        return " or ".join(f"`{choice}`" for choice in option["choices"])
    return f"list of {option['elements']}" if option.get("elements") else str(kind)


def _default(option: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "required"
    value = option.get("default")
    return "" if value is None else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _words(option: Mapping[str, Any]) -> str:
    text = option.get("description", "")
    return _markdown(" ".join(text) if isinstance(text, list) else str(text))


def _markdown(text: str) -> str:
    return re.sub(r"[COV]\(([^()]*)\)", r"`\1`", text).replace("|", "\\|")


if __name__ == "__main__":
    write()
