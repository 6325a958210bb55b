"""Verify hosts against what a role promises: its testinfra suite, run over the inventory's own connection settings.

A role keeps its suite in `tests/test_ENTRY.py`; what must hold besides is named there, as `ALSO = ("ENTRY", ...)`. The
suite knows nothing of opslib's tasks: testinfra reads the state of a host by its own means, so a mistake in our parsers
cannot hide itself. The fixture `variables` gives a suite the variables of the host it looks at: the role's defaults,
overlaid by the inventory.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xml.sax import saxutils

from opslib import openssh, verify_reach
from opslib.carriers.local import LocalConnection
from opslib.errors import InventoryError, MissingError, PlaybookError, UnwrittenError
from opslib.host import wire
from opslib.result_file import ResultFile
from opslib.target import Target

if TYPE_CHECKING:
    from opslib.inventory import Inventory

__all__ = ["verify"]

_KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSH_AUTH_SOCK"),
    *("TERM", "NO_COLOR", "COLUMNS", "CI", "PYTHONPATH"),
)
_PYTEST = (
    *("-P", "-m", "pytest", "-q", "-p", "opslib.verify_fixtures", "-p", "no:cacheprovider"),
    *("--import-mode=importlib", "--tb=short", "--show-capture=no", "--disable-warnings", "-rfEs"),
)
_AS_PROMISED, _NOT_AS_PROMISED = 0, 1


def verify(
    role: str,
    inventory: Inventory | str | Path | Sequence[str | Path],
    *,
    limit: str | None = None,
    junit: str | Path | None = None,
    on_output: Callable[[str], object] | None = None,
) -> int:
    """Run the suite of `ROLE` or `ROLE:ENTRY` against hosts; return 0 when all is as promised, 2 when it is not.

    Where every test left itself out nothing was verified, and that is not as promised either.

    Of an entry point that builds on others, theirs are run too; of a role all suites are. Hosts that do not answer are
    found out first, all at once; they are not as promised, and the others are looked at all the same.

    limit: a host pattern; junit: where to write a JUnit report; on_output: gets the lines of pytest's output. Secrets
    of the inventory are masked in both.

    Raises PlaybookError when there is no such suite or it cannot be run, InventoryError for hosts that testinfra cannot
    reach the way the inventory says, UsageError for a report that cannot be written as things are, UnwrittenError when
    that turns out in the end, MissingError without an ssh client.
    """
    from opslib.inventory import Inventory

    suites, defaults = _suites(role)
    kept = ResultFile(str(junit), "the JUnit report") if junit is not None else None
    hosts = inventory if isinstance(inventory, Inventory) else Inventory.load(inventory)
    targets = hosts.select("all", limit)
    if any(target.carrier == "ssh" for target in targets) and shutil.which("ssh") is None:
        raise MissingError("verify needs an ssh client: apt-get install openssh-client")
    if sum(target.carrier == "local" for target in targets) > 1:
        raise InventoryError("more than one host of the inventory is this machine; choose one with a limit")
    variables = {_pytest_id(target): {**defaults, **hosts.variables(target.name)} for target in targets}
    secrets = frozenset(hosts.secrets.union(*(target.all_secrets() for target in targets)))
    for warning in hosts.warnings:
        _tell(on_output, f"warning: {warning}", secrets)
    with tempfile.TemporaryDirectory(prefix="opslib-verify-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        config, environment = _ssh(targets, folder)
        specs = {target.name: _hostspec(target, config) for target in targets}
        silent = verify_reach.silent([one.name for one in targets if one.carrier == "ssh"], config, environment)
        for host, why in silent.items():
            _tell(on_output, f"{host}: unreachable: {why}", secrets)
        answering = [spec for host, spec in specs.items() if host not in silent]
        code, text = _AS_PROMISED, ""
        if answering:
            tell = functools.partial(_tell, on_output, secrets=secrets)
            code = _pytest(suites, answering, variables, folder, environment, tell)
            report = folder / "junit.xml"
            if code not in (_AS_PROMISED, _NOT_AS_PROMISED) or not report.is_file():
                raise PlaybookError(f"the suite of {role} cannot be run (exit code {code} of pytest); see its output")
            text = report.read_text(encoding="utf-8")
            if _nothing_was_looked_at(text):
                tell("nothing was verified: all tests left themselves out, for the reasons above")
                code = _NOT_AS_PROMISED
        if kept is not None:
            _write(kept, _masked_xml(verify_reach.with_silent(text, silent), secrets))
    return 0 if code == _AS_PROMISED and not silent else 2


def _suites(role: str) -> tuple[list[Path], dict[str, Any]]:
    """Return the test files of a role's entry point (all of them when none is named) and the role's defaults."""
    import yaml

    from opslib.engines.roles import role_folder

    name, _, entry = role.partition(":")
    folder = role_folder(name).resolve()
    known = {path.stem.removeprefix("test_"): path for path in sorted(folder.glob("tests/test_*.py"))}
    suites = list(_with_others(entry, known)) if entry else list(known.values())
    if not suites:
        raise PlaybookError(f"there is no suite to verify {role} with; {name} has {', '.join(known) or 'none'}")
    defaults = folder / "defaults" / "main.yml"
    try:
        loaded = yaml.safe_load(defaults.read_text(encoding="utf-8")) if defaults.is_file() else None
        return suites, dict(loaded or {})
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise PlaybookError(f"{defaults} cannot be read: {' '.join(str(error).split())}") from error


def _with_others(entry: str, known: Mapping[str, Path]) -> dict[Path, None]:
    """Return the test file of an entry point and those of the entry points that it builds on; nothing without one."""
    found: dict[Path, None] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop(0)
        if name not in known:
            if name == entry:
                break
            raise PlaybookError(f"{next(reversed(found))}: ALSO names {name!r}, of which there is no suite")
        if known[name] not in found:
            found[known[name]] = None
            waiting += _also(known[name])
    return found


def _also(suite: Path) -> Sequence[str]:
    """Read what a suite says in ALSO, without running it."""
    try:
        body = ast.parse(suite.read_text(encoding="utf-8")).body
        for node in body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ALSO":
                return [str(name) for name in ast.literal_eval(node.value)]
    except (OSError, ValueError, TypeError, SyntaxError):  # pytest will say what is wrong with it
        return ()
    return ()


def _ssh(targets: Sequence[Target], folder: Path) -> tuple[Path, dict[str, str]]:
    """Return ssh's configuration and the environment in which it gets to targets; folder: private."""
    config = folder / "ssh_config"
    config.write_text(openssh.configuration(targets, folder), encoding="utf-8")
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return config, {**kept, **openssh.askpass(targets, folder)}


def _pytest(
    suites: Sequence[Path],
    hosts: Sequence[str],
    variables: Mapping[str, Mapping[str, Any]],
    folder: Path,
    environment: Mapping[str, str],
    tell: Callable[[str], object],
) -> int:
    """Run pytest and return its exit code; hosts: as testinfra takes them; folder: private, for `junit.xml` too."""
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\n", encoding="utf-8")
    roles = suites[0].parents[2]
    arguments = [
        *("-c", settings, f"--rootdir={roles}", f"--junitxml={folder / 'junit.xml'}"),
        "--hosts=" + ",".join(hosts),
        *suites,
    ]
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, *_PYTEST, *map(str, arguments)],
        env={**environment, "OPSLIB_VERIFY_FD": str(reader), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=roles,
        pass_fds=(reader,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
    )
    os.close(reader)
    threading.Thread(target=_hand_over, args=(writer, variables), daemon=True).start()
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                tell(line.rstrip("\n"))
            return process.wait()
        except BaseException:
            process.kill()
            raise


def _nothing_was_looked_at(report: str) -> bool:
    """Whether all tests of a JUnit report left themselves out."""
    cases = list(ET.fromstring(report).iter("testcase"))  # noqa: S314 - pytest's own
    return bool(cases) and all(case.find("skipped") is not None for case in cases)


def _hand_over(writer: int, variables: Mapping[str, Mapping[str, Any]]) -> None:
    """Give pytest the variables through a pipe: what is in a vault must reach no file."""
    with contextlib.suppress(BrokenPipeError), os.fdopen(writer, "w", encoding="utf-8") as pipe:
        json.dump(variables, pipe, default=str)


def _pytest_id(target: Target) -> str:
    """Return by what testinfra calls a host in pytest's reports."""
    return "local" if target.carrier == "local" else f"ssh://{target.name}"


def _hostspec(target: Target, config: Path) -> str:
    options: dict[str, str] = {}
    login = LocalConnection().user if target.carrier == "local" else target.user
    if target.become and target.become.user != login:
        if target.become.password:
            raise InventoryError(
                f"{target.name}: testinfra cannot give sudo a password; verify as a user whose sudo asks for none"
            )
        options.update(sudo="true", sudo_user=target.become.user)
    if target.carrier == "local":
        return f"local://?{urllib.parse.urlencode(options)}"
    options.update(ssh_config=str(config), controlpersist="0", timeout=str(verify_reach.PATIENCE))
    return f"ssh://{target.name}?{urllib.parse.urlencode(options)}"


def _tell(on_output: Callable[[str], object] | None, line: str, secrets: frozenset[str]) -> None:
    if on_output is not None:
        on_output(wire.mask(line, secrets))


def _masked_xml(text: str, secrets: frozenset[str]) -> str:
    quoted = {saxutils.escape(secret, {'"': "&quot;"}) for secret in secrets}
    masked: str = wire.mask(text, secrets | quoted)
    return masked


def _write(file: ResultFile, text: str) -> None:
    try:
        file.write(text)
    except OSError as error:
        raise UnwrittenError(f"the JUnit report {file.path} cannot be written: {error.strerror}") from error
