"""A copy of a virtual environment beside it, while pip works on the original, and the way back.

Names beside VENV, all hidden: `.VENV.opslib-copying` (not complete yet), `.VENV.opslib-before` (complete: as long as it
exists, work on the original is not done), `.VENV.opslib-trash`. A run that is killed leaves the copy, and the next puts
it back. Sources: cp(1), rename(2).
"""

from __future__ import annotations

import os

from opslib.host.command import run
from opslib.host.files import tree
from opslib.host.task import TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip import Venv

_SUFFIXES = COPYING, BEFORE, TRASH = (".opslib-copying", ".opslib-before", ".opslib-trash")
_LIMIT = 900


def beside(path: str, suffix: str) -> str:
    """Return a name beside an environment."""
    folder, name = os.path.split(path)
    return "%s/.%s%s" % ("" if folder == "/" else folder, name, suffix)


def left(path: str) -> list[str]:
    """Return what an earlier run left beside an environment."""
    return [beside(path, suffix) for suffix in _SUFFIXES if os.path.lexists(beside(path, suffix))]


def copy(venv: Venv) -> None:
    """Copy the environment. Raises TaskError, and leaves nothing, when it cannot be copied."""
    clear(venv)
    try:
        _do(venv, "cp", "-a", "--reflink=auto", "--", venv.path, beside(venv.path, COPYING))
        _do(venv, "sync", "-f", "--", beside(venv.path, COPYING))
    except TaskError as error:
        clear(venv)
        raise TaskError("%s cannot be copied aside, so it was left alone: %s" % (venv.path, error)) from error
    _move(venv, COPYING, BEFORE)


def put_back(venv: Venv) -> None:
    """Put the copy in place of the environment."""
    _remove(venv, TRASH)
    if os.path.lexists(venv.path):
        _do(venv, "mv", "-T", "--", venv.path, beside(venv.path, TRASH))
    _do(venv, "mv", "-T", "--", beside(venv.path, BEFORE), venv.path)
    clear(venv)


def done(venv: Venv) -> None:
    """Let go of the copy: the work on the environment is done."""
    _remove(venv, TRASH)
    _move(venv, BEFORE, TRASH)
    clear(venv)


def clear(venv: Venv) -> None:
    """Remove what is no complete copy."""
    _remove(venv, COPYING)
    _remove(venv, TRASH)


def _move(venv: Venv, one: str, other: str) -> None:
    _do(venv, "mv", "-T", "--", beside(venv.path, one), beside(venv.path, other))


def _remove(venv: Venv, suffix: str) -> None:
    path = beside(venv.path, suffix)
    if os.path.lexists(path):
        words = ("rm", "-rf", "--one-file-system", "--")
        try:
            _do(venv, *words, path)
        except TaskError:
            if os.geteuid() != 0:
                raise
            # What root has run in it may have left what its owner cannot remove. From within the folder around it, so
            # that nobody leads us to another.
            folder = tree.open_folder(os.path.dirname(path))
            try:
                inside = "/proc/%d/fd/%d" % (os.getpid(), folder)
                run((*words, "./" + os.path.basename(path)), timeout=_LIMIT, cwd=inside)
            finally:
                os.close(folder)


def _do(venv: Venv, *argv: str) -> None:
    """Run a program; as the owner where the folder around is the owner's too, who could swap names under root."""
    around = os.stat(os.path.dirname(venv.path))
    run(venv.as_owner(argv) if around.st_uid == venv.uid else argv, timeout=_LIMIT)
