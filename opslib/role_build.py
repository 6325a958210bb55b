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
    options: dict[str, dict[str, Mapping[str, Any]]] = {}
    for entry, spec in entries.items():
        for name, option in (spec.get("options") or {}).items():
            options.setdefault(name, {})[entry] = option
    for name, users in options.items():
        used = "all" if len(users) == len(entries) else ", ".join(users)
        kind = _type(next(iter(users.values())))
        lines.append(f"| `{name}` | {kind} | {_default(users)} | {used} | {_all_words(users)} |")
    for name, users in options.items():
        if inner := next(iter(users.values())).get("options"):
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
    one = " or ".join(f"`{choice}`" for choice in option.get("choices", ())) or option.get("elements") or kind
    return f"list of {one}" if kind == "list" and one != kind else str(one)


def _default(users: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what a variable is when nobody gives it; there is one default for all entry points."""
    needed = [entry for entry, option in users.items() if option.get("required")]
    if needed:
        return "required" if len(needed) == len(users) else f"required for {', '.join(needed)}"
    value = next((option["default"] for option in users.values() if "default" in option), None)
    shown = value if isinstance(value, str) and value else json.dumps(value)
    return "" if value is None else f"`{shown}`".replace("|", "\\|")


def _all_words(users: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a variable's description, or, where they differ, that of each entry point."""
    entries: dict[str, list[str]] = {}
    for entry, option in users.items():
        entries.setdefault(_words(option), []).append(f"`{entry}`")
    if len(entries) == 1:
        return next(iter(entries))
    return " ".join(f"{', '.join(names)}: {words}" for words, names in entries.items())


def _words(option: Mapping[str, Any]) -> str:
    text = option.get("description", "")
    return _markdown(" ".join(text) if isinstance(text, list) else str(text))


def _markdown(text: str) -> str:
    return re.sub(r"[COV]\(([^()]*)\)", r"`\1`", text).replace("|", "\\|")


if __name__ == "__main__":
    write()
