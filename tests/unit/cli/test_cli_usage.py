"""Usage errors: exit code 1, nothing touched, and a word on how to do it right."""

from __future__ import annotations

import subprocess
import sys

import pytest

import opslib
from opslib.cli.main import COMMANDS, main
from opslib.errors import (
    CarrierError,
    InventoryError,
    OpslibError,
    ParamError,
    PlaybookError,
    UnreachableError,
    UsageError,
)
from support.fake_library import FakeLibrary

Out = pytest.CaptureFixture[str]


def run(*args: str, library: FakeLibrary | None = None) -> tuple[int, FakeLibrary]:
    """Run the program on a library of its own."""
    used = library or FakeLibrary()
    return main(list(args), used), used


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rnu"], "opslib: there is no command 'rnu'; did you mean run?"),
        (["xyzzy"], "there are run, task, list, show, verify, logs, runbook, lab, completion"),
        (["run", "p.yml"], "opslib run: missing option '-i' / '--inventory'"),
        (["run", "-i", "x"], "opslib run: missing argument 'PLAYBOOK|ROLE[:ENTRY]'"),
        (["run", "p.yml", "-i", "x", "--frks", "3"], "did you mean"),
        (["run", "p.yml", "-i", "x", "--forks", "many"], "'many' is not a valid integer"),
        (["run", "p.yml", "-i", "x", "--engine", "mitogen"], "'mitogen' is not one of"),
        (["run", "p.yml", "extra", "-i", "x"], "unexpected extra argument"),
        (["task", "servce", "-i", "x"], "no task is called 'servce'; did you mean service?"),
        (["task", "service", "unt=nginx", "-i", "x"], "'unt' is no parameter of service; did you mean unit?"),
        (
            ["task", "service", "nginx", "-i", "x"],
            "'nginx' is no assignment; a parameter of service is given as NAME=VALUE",
        ),
        (["task", "service", "unit=a", "unit=b", "-i", "x"], "unit is given twice"),
        (["task", "log_size", 'paths=["/a", "/b"]', "-i", "x"], "this is JSON; write paths:=... for it, or items with"),
        (["task", "env_file", "path=/a", 'set={"A": "b"}', "-i", "x"], "set: this is JSON; write set:=... for it"),
        (["task", "service", "state=started", "-i", "x"], "service: unit is required"),
        (["task", "service", "unit=-x", "-i", "x"], "see `opslib show service`"),
        (["task", "provider_status", "--engine", "ansible"], "--engine ansible: give an inventory with -i"),
        (["show", "servic"], "no task, no role and no playbook is called 'servic'; did you mean service?"),
        (["show", "service:restrt"], "role service has no entry point 'restrt'; did you mean restart?"),
        (["lab", "u"], "opslib lab: there is no command 'u'; did you mean up?"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
        (["run", "p.yml", "-i", "x", "--junit", "-"], "--junit: give a file"),
        (["run", "p.yml", "-i", "x", "--json", "/no/such/folder/r.json"], "the folder /no/such/folder does not exist"),
    ],
)
def test_a_usage_error(args: list[str], said: str, capsys: Out) -> None:
    code, library = run(*args)
    shown = capsys.readouterr()
    assert code == 1
    assert library.calls == []
    assert said.lower() in shown.err.lower()
    assert shown.out == ""
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("args", [[], ["lab"]])
def test_without_a_command_there_is_help_and_exit_code_1(args: list[str], capsys: Out) -> None:
    code, _library = run(*args)
    shown = capsys.readouterr()
    assert (code, shown.out) == (1, "")
    assert "Commands" in shown.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no"), 1),
        (InventoryError("no host matches 'x'"), 1),
        (PlaybookError("line 3"), 1),
        (ParamError("bad"), 1),
        (OpslibError("other"), 1),
        (UnreachableError("gone"), 4),
        (CarrierError("broken"), 2),
    ],
)
def test_errors_of_the_library_have_exit_codes(error: Exception, code: int, capsys: Out) -> None:
    assert run("run", "p.yml", "-i", "x", library=FakeLibrary(error=error))[0] == code
    assert capsys.readouterr().err == f"opslib: {error}\n"


def test_an_error_of_many_lines_is_shown_escaped(capsys: Out) -> None:
    run("run", "p.yml", "-i", "x", library=FakeLibrary(error=UsageError("one \x1b[2J\ntwo \u202e")))
    assert capsys.readouterr().err == "opslib: one \\x1b[2J\n  two \\u202e\n"


def test_a_defect_is_not_taken_for_a_usage_error(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeLibrary(error=ZeroDivisionError("oops"))
    assert run("run", "p.yml", "-i", "x", library=library)[0] == 70
    shown = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: oops" in shown
    assert "Traceback" not in shown
    monkeypatch.setenv("OPSLIB_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("run", "p.yml", "-i", "x", library=library)


def test_a_full_disk_is_not_taken_for_a_defect(capsys: Out) -> None:
    library = FakeLibrary(error=OSError(28, "No space left on device", "/tmp/x"))
    assert run("run", "p.yml", "-i", "x", library=library)[0] == 74
    assert capsys.readouterr().err == "opslib: this machine says: No space left on device: /tmp/x\n"


@pytest.mark.parametrize("command", ["list", "list --json", "show service", "runbook map", "completion bash"])
def test_output_that_is_lost_is_no_success(command: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert run(*command.split())[0] == 74
    assert "opslib: standard output: No space left on device" in capsys.readouterr().err


def test_version(capsys: Out) -> None:
    assert run("--version")[0] == 0
    assert capsys.readouterr().out == f"opslib {opslib.__version__}\n"


LOGS = ["logs tail", "logs follow", "logs errors", "logs search"]
BELOW = ["lab up", "lab down", "lab list", "lab inventory", "lab ssh", *LOGS, "runbook map", "runbook lint"]


@pytest.mark.parametrize("command", [*COMMANDS, *BELOW, ""])
def test_every_command_has_help(command: str, capsys: Out) -> None:
    assert run(*command.split(), "--help")[0] == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: {' '.join(['opslib', *command.split()])}")
    assert "-h, --help" in text
    for line in text.splitlines():
        assert "--" not in line[:4] or not line.rstrip().endswith("--"), line


def test_help_shows_sections_and_examples(capsys: Out) -> None:
    run("run", "-h")
    text = capsys.readouterr().out
    places = [text.index(f"\n{title}:\n") for title in ("Where", "How", "Results", "Other", "Examples")]
    assert places == sorted(places)
    options = ["--inventory", "--limit", "--tags", "--skip-tags", "--extra-vars", "--check", "--diff", "--engine"]
    options += ["--forks", "--timeout", "--json", "--junit", "--verbose", "--vault-password-file", "--list-hosts"]
    assert all(option in text for option in options)


def test_examples_of_the_help_parse(capsys: Out) -> None:
    """Every example names options and tasks that there are."""
    import shlex

    from opslib.cli.run import EXAMPLES as RUN
    from opslib.cli.task import EXAMPLES as TASK

    for text, _meaning in (*RUN, *TASK):
        words = shlex.split(text.split(" | ")[0])
        words = [word for word in words if word not in ("--junit", "out.xml")]
        code, library = run(*words[1:])
        assert (code, len(library.calls)) == (0, 1), (text, capsys.readouterr().err)


def test_importing_the_program_loads_nothing_heavy() -> None:
    heavy = (
        "rich",
        "ansible",
        "fabric",
        "paramiko",
        "yaml",
        "jinja2",
        "typer",
        "opslib.host.tasks.service",
        "xml",
        "json",
    )
    code = f"import sys, opslib.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_module_can_be_run() -> None:
    done = subprocess.run([sys.executable, "-m", "opslib.cli.main", "run"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "`opslib run --help` explains." in done.stderr
