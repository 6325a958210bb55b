"""What a unit said last, fit to be shown. Source: journalctl(1)."""

from __future__ import annotations

import time

from opslib.host import wire
from opslib.host.command import run
from opslib.host.task import TaskError
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from .systemd import Unit

MAX_LINE = 500
_LAST_WORDS = 0.15  # seconds until what a program said last, before it died, is in the journal


def tail(unit: Unit, lines: int, whole: bool = False) -> list[str]:
    """Return a unit's last lines from the journal: of its current or last run where known, unless `whole`.

    What is secret in the unit's environment, or looks like a secret, is masked. Never raises: a log that cannot be
    read is one line that says so.
    """
    if not lines:
        return []
    time.sleep(_LAST_WORDS)
    tail = ["journalctl", "--quiet", "--no-pager", "--output=short-iso", "--lines=%d" % lines, "--unit=" + unit.id]
    # Not by INVOCATION_ID: the journal cannot tell that of what a program said just before it died.
    # A unit that systemd is about to start again has begun anew with its failure, so its words are from before that.
    recent = bool(unit.started) and not (whole or unit.restarting)
    began = "--since=@%d" % (time.time() - time.monotonic() + unit.started)
    try:
        text = run((*tail, began), timeout=20).out if recent else ""
        return parse(text, unit) or parse(run(tail, timeout=20).out, unit)
    except TaskError as error:
        return ["the journal cannot be read: %s" % error]


def parse(text: str, unit: Unit | None = None) -> list[str]:
    """Return journal lines fit to be shown: masked, printable, not too long, without journalctl's own remarks.

    unit: the one whose secrets are masked, None for none.
    """
    found = [line for line in text.split("\n") if line and not line.startswith("-- ")]
    if not found:
        return []
    from opslib.host.logs.patterns import unsecret

    secrets: Iterable[str] = ()
    if unit is not None:
        from . import environ

        secrets = environ.of_unit(unit.id, unit.main_pid).secrets
    return [printable(unsecret(wire.mask(line, secrets))[:MAX_LINE]) for line in found]
