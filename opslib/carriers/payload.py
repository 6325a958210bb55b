"""Make what a target runs: the command that starts Python, and the bytes that it reads."""

from __future__ import annotations

import functools
import importlib.util
import marshal
import re
import secrets
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType
from typing import Any

from opslib.errors import UsageError
from opslib.host.task import Task

__all__ = ["MARK", "READY", "Job", "command", "encode", "module_of", "prepare", "source"]

MARK = b"opslib-payload-1\n"
READY = b"opslib-ready\n"
_LOADER = (
    'import sys,zlib;f=sys.stdin.buffer;print("opslib-ready",flush=True);'
    'any(x==b"opslib-payload-1\\n" for x in iter(f.readline,b"")) or sys.exit(71);'
    "exec(zlib.decompress(f.read(int(f.readline()))))"
)
_PACKAGE = "opslib.host"
_BUILDING = threading.Lock()  # the first thread builds, the others wait for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One batch of steps for one host, as the runtime reads it.

    token: begins each line of the answer; steps: what `opslib.host.runtime` documents; check: change nothing;
    deadline: seconds the target may take, None for no limit; watch: the run dies when its standard input closes;
    changed: ids of steps that changed something in earlier jobs, with their groups, for handlers.
    """

    steps: Sequence[Mapping[str, Any]]
    tasks: Sequence[type[Task]]
    check: bool = False
    deadline: float | None = None
    watch: bool = True
    changed: Sequence[tuple[int, int | None]] = ()
    token: str = ""

    @staticmethod
    def new_token() -> str:
        """Return a token that a host cannot have guessed."""
        return "opslib:" + secrets.token_hex(12)


def command(interpreter: str = "python3") -> list[str]:
    """Return the argument vector that starts a payload: it holds no parameter of any task.

    `-I -S -B`: nothing from the environment or the working directory, no site packages, no byte code written.
    """
    return [interpreter, "-ISB", "-c", _LOADER]


def encode(job: Job) -> bytes:
    """Return what the started command reads from standard input.

    The modules' source is part of it only where no `watch` is kept, so that nobody hears a payload ask for it. Raises
    UsageError for a task whose module cannot be sent, and for two tasks of one name.
    """
    homes = {task.name: (module_of(task), task.__name__) for task in job.tasks}
    if len(homes) < len(set(job.tasks)):
        raise UsageError(f"two tasks of one name cannot be sent together: {', '.join(sorted(homes))}")
    modules = _names(job)
    plan = {
        "token": job.token,
        "steps": [dict(step) for step in job.steps],
        "check": job.check,
        "deadline": job.deadline,
        "watch": job.watch,
        "changed": list(job.changed),
    }
    with _BUILDING:
        head, bytecode, text = _boot(), _bytecode(modules), b"" if job.watch else _source(modules)
    body = marshal.dumps(
        {
            "token": job.token,
            "magic": MAGIC_NUMBER,
            "bytecode": bytecode,
            "source": text,
            "tasks": homes,
            "job": plan,
        },
        2,
    )
    return b"%s%d\n%s%d\n%s" % (MARK, len(head), head, len(body), body)


def source(job: Job) -> bytes:
    """Return what a payload reads that has asked for source: its Python is of another version than this one."""
    with _BUILDING:
        data = _source(_names(job))
    return b"%d\n%s" % (len(data), data)


def prepare(tasks: Iterable[type[Task]]) -> None:
    """Build what `encode` sends for these tasks, once for all jobs that use them; UsageError as `encode` raises it."""
    names = _names(Job(steps=(), tasks=tuple(tasks)))
    with _BUILDING:
        _boot()
        _bytecode(names)


def _names(job: Job) -> tuple[str, ...]:
    return tuple(sorted({module_of(task) for task in job.tasks}))


def module_of(task: type[Task]) -> str:
    """Return the module that a task is defined in. Raises UsageError for a script's: nobody else can import that."""
    if task.__module__ == "__main__":
        raise UsageError(f"{task.__name__} is defined in a script; put it into a module of its own, which can be sent")
    return task.__module__


@dataclass(frozen=True, slots=True)
class _Module:
    """A module as it is sent: byte code for the same Python version, text for others; `needs`: those it imports."""

    code: CodeType
    text: str
    needs: tuple[str, ...]


@functools.cache
def _module(name: str) -> _Module:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise UsageError(f"{name} cannot be sent to a host: it has no source file")
    text = Path(spec.origin).read_text(encoding="utf-8")
    code = spec.loader.get_code(name) if isinstance(spec.loader, SourceFileLoader) else None  # kept by Python, mostly
    if code is None:
        code = compile(text, spec.origin, "exec", dont_inherit=True)
    return _Module(code, text, tuple(dict.fromkeys(_imports(name, text))))


def _imports(name: str, text: str) -> Iterator[str]:
    """Yield the modules of the host package that a module imports, wherever it does, but for type checkers alone."""
    text = re.sub(r"^if TYPE_CHECKING:\n(?:[ \t]+.*\n|\n)+", "", text, flags=re.MULTILINE)
    for found in re.finditer(
        r"^[ \t]*(?:from[ ]([\w.]+)[ ]import[ ](\([^)]*\)|.*)|import[ ]([\w.]+))", text, re.MULTILINE
    ):
        base, names, plain = found.groups()
        if plain:
            base = plain
        elif base.startswith("."):
            base = importlib.util.resolve_name(base, name.rpartition(".")[0])
        if not _within(base, _PACKAGE):
            continue
        if _is_package(base):
            names = "" if plain else names.strip("()")
            yield from (f"{base}.{each.split()[0]}" for each in names.split(",") if each.strip())
        else:
            yield base


def _within(name: str, package: str) -> bool:
    """Whether a module is this package or lies in it."""
    return name == package or name.startswith(package + ".")


@functools.cache
def _is_package(name: str) -> bool:
    """Whether a name of the host package is that of a package: those hold no code and are not sent."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


@functools.cache
def _boot() -> bytes:
    return zlib.compress(_module(f"{_PACKAGE}.boot").text.encode(), 9)


@functools.cache
def _bytecode(names: tuple[str, ...]) -> bytes:
    """Return the modules that a set of task modules needs, in import order, as byte code."""
    return zlib.compress(marshal.dumps([(name, _module(name).code) for name in _closure(names)]), 3)


@functools.cache
def _source(names: tuple[str, ...]) -> bytes:
    """Return the same modules as text, in a form that every Python can read."""
    return zlib.compress(marshal.dumps([(name, _module(name).text) for name in _closure(names)], 2), 3)


def _closure(names: Sequence[str]) -> list[str]:
    """Return the runtime, modules, and those of the host package that they need, each after those it imports."""
    order: list[str] = []
    begun: set[str] = set()

    def visit(name: str) -> None:
        if name not in begun:
            begun.add(name)
            for needed in _module(name).needs:
                visit(needed)
            order.append(name)

    for name in (f"{_PACKAGE}.runtime", *names):
        visit(name)
    return order
