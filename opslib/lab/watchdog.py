"""A small process that takes a lab down when the process that owns it dies, however it dies.

It holds the reading end of a pipe whose writing end the owner has. The kernel closes that when the owner ends, also
after SIGKILL. It asks the process table too, because children that the owner forked share the writing end.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from .command import PLAIN_ENVIRONMENT
from .state import load
from .teardown import tear_down

__all__ = ["Watchdog", "main"]

_PROGRAM = "import pathlib, sys, opslib.lab.watchdog as w; w.main(pathlib.Path(sys.argv[1]))"
_DISMISSED = b"q"
_LOOK_SECONDS = 2.0


class Watchdog:
    """Handle of the owner on its watchdog process."""

    def __init__(self, folder: Path) -> None:
        package_root = str(Path(__file__).resolve().parents[2])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**PLAIN_ENVIRONMENT, "PYTHONPATH": package_root},
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Tell it that there is nothing to watch any more, and wait for its end."""
        try:
            self._process.communicate(_DISMISSED, timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def main(folder: Path) -> None:
    """Watch standard input and the owner; tear the lab in `folder` down when the owner is gone."""
    while True:
        state = load(folder)
        if state is None or state.owner is None:
            return
        if select.select([0], [], [], _LOOK_SECONDS)[0]:
            if os.read(0, 1) == _DISMISSED:
                return
            break
        if not state.owner.alive():
            break
    # Again: hosts may have been added to the state meanwhile.
    state = load(folder)
    if state is not None and state.owner is not None:
        tear_down(state)
