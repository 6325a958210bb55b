"""The `opslib` program."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence

import click

import opslib
from opslib.cli.click_parts import CONTEXT, Group
from opslib.cli.library import Library
from opslib.errors import (
    CarrierError,
    InterruptedRunError,
    OpslibError,
    RunFailedError,
    UnreachableError,
    UnwrittenError,
)
from opslib.host.params import ParamError as HostParamError

__all__ = ["main", "program", "start"]

EXAMPLES = (
    ("opslib list", "What there is to run."),
    ("opslib run maintenance:weekly -i inventories/production --check --diff", "Rehearse; change nothing."),
    ("opslib task service unit=nginx state=restarted -i inventories/production -l web1 -b", "Do one thing."),
)
COMMANDS = {
    "run": ("Run a playbook or a role on hosts.", "opslib.cli.run:run"),
    "task": ("Run one task on hosts.", "opslib.cli.task:task"),
    "list": ("List playbooks, roles and tasks.", "opslib.cli.listing:listing"),
    "show": ("Explain a task, a role or a playbook.", "opslib.cli.show:show"),
    "verify": ("Verify that hosts are as a role promises.", "opslib.cli.verify:verify"),
    "logs": ("Read or follow logs of many hosts at once.", "opslib.cli.logs:logs"),
    "runbook": ("Say what of the runbooks is automated.", "opslib.cli.runbook:runbook"),
    "lab": ("Boot disposable systemd hosts to rehearse on.", "opslib.cli.lab:lab"),
    "completion": ("Print or install completion for your shell.", "opslib.cli.completion:completion"),
}
USAGE, FAILED, UNREACHABLE, INTERRUPTED, DEFECT = 1, 2, 4, 130, 70
NO_DEFECTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)
VARIABLE = "_OPSLIB_COMPLETE"
TRACEBACK = "OPSLIB_TRACEBACK"


@click.group("opslib", cls=Group, homes=COMMANDS, examples=EXAMPLES, context_settings=CONTEXT)
@click.version_option(opslib.__version__, message="opslib %(version)s")
def program() -> None:
    """Operations runbooks as code: run, rehearse, check and trust them.

    Exit codes: 0 all well; 1 something was wrong with what was asked, nothing was touched; 2 some host failed; 4 some
    host was unreachable, none failed; 74 all is well on the hosts, but a report or output could not be written; 130
    interrupted.
    """


def main(args: Sequence[str] | None = None, library: Library | None = None) -> int:
    """Run the program and return its exit code. library: what the commands use, a stand-in for tests."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if VARIABLE in os.environ:
        from click.shell_completion import add_completion_class

        from opslib.cli.completion import Bash

        add_completion_class(Bash)
    try:
        code = program.main(
            args=None if args is None else list(args),
            prog_name="opslib",
            complete_var=VARIABLE,
            standalone_mode=False,
            obj=library or Library(),
            color=False if os.environ.get("NO_COLOR") else None,
        )
    except SystemExit as ended:  # how click ends after it answered a shell that completes
        return ended.code if isinstance(ended.code, int) else USAGE
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        return _explain(error)
    return code if isinstance(code, int) else 0


def start() -> int:
    """Run the program in a process of its own, and return its exit code."""
    gc.set_threshold(50_000, 20, 20)  # what is loaded at the start stays to the end: looking it through is for nothing
    try:
        return main()
    finally:
        gc.freeze()  # the same goes for the end


def _explain(error: Exception) -> int:
    """Say what went wrong and return the exit code for it."""
    from opslib.cli.screen import UNWRITTEN, Screen

    screen = Screen(sys.stderr)
    if isinstance(error, click.Abort):
        screen.print("opslib: interrupted")
        return INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return USAGE
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "opslib"
        screen.print(f"{path}: {_in_words(error)}", f"`{path} --help` explains.")
        return USAGE
    if isinstance(error, OpslibError | HostParamError):
        for number, text in enumerate(str(error).splitlines()):
            screen.print(f"  {text}" if number else f"opslib: {text}")
        if isinstance(error, RunFailedError | InterruptedRunError):
            return error.report.exit_code
        if isinstance(error, CarrierError | UnwrittenError):
            return FAILED if isinstance(error, CarrierError) else UNWRITTEN
        return UNREACHABLE if isinstance(error, UnreachableError) else USAGE
    if isinstance(error, OSError) and error.errno in NO_DEFECTS:
        where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        screen.print(f"opslib: this machine says: {error.strerror}{where}")
        return UNWRITTEN
    screen.print(
        f"opslib: internal error: {type(error).__name__}: {error}",
        f"This is a defect of opslib. {TRACEBACK}=1 shows where it is; a report of that would help.",
    )
    return DEFECT


def _in_words(error: click.ClickException) -> str:
    text = error.format_message().strip().removesuffix(".")
    return text[:1].lower() + text[1:]


if __name__ == "__main__":
    sys.exit(start())
