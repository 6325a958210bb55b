"""One run as its user lives it: files tried out, progress shown, Ctrl-C obeyed, results written, exit code given."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable

from opslib.cli.interruption import Interruption
from opslib.cli.live import LivePicture
from opslib.cli.presentation import Presentation
from opslib.cli.progress import LineByLine, Picture, Silence
from opslib.cli.rows import Heading
from opslib.cli.screen import UNWRITTEN, Screen
from opslib.cli.tally import Tally
from opslib.errors import InterruptedRunError, RunFailedError, UsageError
from opslib.events import OnEvent
from opslib.result import Report
from opslib.result_file import ResultFile

__all__ = ["Work", "carry_out"]

Work = Callable[[OnEvent, threading.Event], Report]
STDOUT = "-"
_SHOW_CURSOR = "\x1b[?25h"


def carry_out(work: Work, heading: Heading, how: Presentation) -> int:
    """Do the work and return the exit code.

    Progress and remarks go to standard error, the summary to standard output; with `--json -` standard output holds
    the JSON document and nothing else. When all is well but a report could not be written to where it was asked, the
    exit code is 74. Raises UsageError before anything is touched.
    """
    files = _Files(how)
    out, err = Screen(sys.stdout, how.color), Screen(sys.stderr, how.color)
    tally = Tally()
    picture = _picture(err, tally, heading, how)
    with contextlib.closing(picture), Interruption(lambda: _stopping(picture, tally), lambda: _leaving(err)) as stop:
        try:
            report = work(picture.take, stop.cancel)
        except (InterruptedRunError, RunFailedError) as error:
            report = error.report
    delivered = files.write(report, out, err)
    if how.json != STDOUT:
        _show(report, out, how)
    elif err.live:
        _show_end(report, err)
    if out.problem:
        err.print(f"opslib: standard output: {out.problem}")
        _show(report, err, how)
    return report.exit_code if delivered else report.exit_code or UNWRITTEN


def _picture(screen: Screen, tally: Tally, heading: Heading, how: Presentation) -> Picture:
    if screen.live:
        return LivePicture(screen, tally, heading, verbose=how.verbose)
    if how.json == STDOUT:
        return Silence(screen, tally)
    return LineByLine(screen, tally, heading, verbose=how.verbose)


def _stopping(picture: Picture, tally: Tally) -> None:
    hosts = f" on {tally.running} host{'s' * (tally.running != 1)}" if tally.running else ""
    picture.say(f"stopping{hosts}; press Ctrl-C again to leave at once")


def _leaving(screen: Screen) -> None:
    """Say that we leave, with as little as can be: locks may be held by the thread that hangs."""
    text = "\nopslib: left at once; hosts end what is running there when they notice that the connection is gone\n"
    with contextlib.suppress(OSError, ValueError):
        os.write(screen.stream.fileno(), ((_SHOW_CURSOR if screen.live else "") + text).encode())


def _show_end(report: Report, screen: Screen) -> None:
    from opslib.output.summary import last_line

    screen.print(last_line(report))


def _show(report: Report, screen: Screen, how: Presentation) -> None:
    from opslib.output.summary import last_line, summary

    screen.print(*summary(report, diff=how.diff, verbose=how.verbose), last_line(report))


class _Files:
    """The files that a report goes to, tried out on making. Raises UsageError when one cannot be written."""

    def __init__(self, how: Presentation) -> None:
        self._to_stdout = how.json == STDOUT
        if how.junit == STDOUT:
            raise UsageError("--junit: give a file; only --json writes to standard output")
        if how.json is not None and how.junit is not None and os.path.realpath(how.json) == os.path.realpath(how.junit):
            raise UsageError(f"--json and --junit both name {how.json}; give two files")
        self._json = ResultFile(how.json, "--json") if how.json is not None and not self._to_stdout else None
        self._junit = ResultFile(how.junit, "--junit") if how.junit is not None else None

    def write(self, report: Report, out: Screen, err: Screen) -> bool:
        """Write all of them; what cannot be written goes to the screen, with a word of why. Return whether all were."""
        done = True
        if self._json is not None or self._to_stdout:
            from opslib.output.document import to_json

            text = to_json(report)
            if self._json is None:
                done = out.write(text) or out.problem is None
            else:
                done = self._put(self._json, text, out, err)
        if self._junit is not None:
            from opslib.output.junit import to_junit

            done = self._put(self._junit, to_junit(report), out, err) and done
        return done

    def _put(self, file: ResultFile, text: str, out: Screen, err: Screen) -> bool:
        try:
            file.write(text)
        except OSError as error:
            spare, name = (err, "error") if self._to_stdout else (out, "output")
            err.print(f"opslib: cannot write {file.path}: {error.strerror or error}; it follows on standard {name}")
            spare.write(text)
            return False
        return True
