"""The library's modules as syntax trees, and what they import."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import opslib

ROOT = Path(opslib.__file__).parent


@dataclass(frozen=True)
class Import:
    """One import: of which module, at which line; for type checkers only or not."""

    module: str
    line: int
    typing_only: bool


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the library by its full name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["opslib", *path.relative_to(ROOT).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


@functools.cache
def imports(name: str) -> tuple[Import, ...]:
    """Return what a module imports, wherever in it; `from package import module` is an import of the module."""
    return tuple(_imports(name))


def _imports(name: str) -> Iterator[Import]:
    package = name if (ROOT / Path(*name.split(".")[1:]) / "__init__.py").exists() else name.rpartition(".")[0]
    for node, typing_only in _walk(modules()[name], False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, typing_only)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(_home(base, alias.name), node.lineno, typing_only)


def _home(base: str, name: str) -> str:
    """Return the module that `from base import name` really loads."""
    if f"{base}.{name}" in modules():
        return f"{base}.{name}"
    if base == "opslib" and name in opslib._HOMES:
        return f"opslib.{opslib._HOMES[name]}"
    return base


def _walk(node: ast.AST, typing_only: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        only = typing_only
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for part in child.body:
                yield part, True
                yield from _walk(part, True)
            for part in child.orelse:
                yield part, only
                yield from _walk(part, only)
            continue
        yield child, only
        yield from _walk(child, only)
