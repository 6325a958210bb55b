"""Verify hosts against what a role promises: its testinfra suite, run over the inventory's own connection settings.

A role keeps its suite in `tests/test_ENTRY.py`. The suite knows nothing of opslib's tasks: testinfra reads the state of
a host by its own means, so a mistake in our parsers cannot hide itself. The fixture `variables` gives a suite the
variables of the host it looks at: the role's defaults, overlaid by the inventory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opslib.errors import InventoryError, MissingError, PlaybookError
from opslib.target import Target

if TYPE_CHECKING:
    from opslib.inventory import Inventory

__all__ = ["verify"]

_ASKPASS = """#!/bin/sh
# Answers ssh's question for the password of one host; the passwords come in the environment.
exec "$OPSLIB_PYTHON" -ISc '
import json, os, sys
for user, address, password in json.loads(os.environ["OPSLIB_PASSWORDS"]):
    if sys.argv[1].startswith("%s@%s" % (user, address)):
        print(password)
' "$1"
"""
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "SSH_AUTH_SOCK", "TERM", "NO_COLOR", "COLUMNS", "CI")


def verify(
    role: str,
    inventory: Inventory | str | Path | Sequence[str | Path],
    *,
    limit: str | None = None,
    junit: str | Path | None = None,
    on_output: Callable[[str], object] | None = None,
) -> int:
    """Run the suite of `ROLE` or `ROLE:ENTRY` against hosts; return 0 when all is as promised, 2 when it is not.

    limit: a host pattern; junit: where to write a JUnit report; on_output: gets the lines of pytest's output,
    which go to standard output otherwise. Raises PlaybookError when there is no such suite, InventoryError for hosts
    that testinfra cannot reach the way the inventory says, MissingError without an ssh client.
    """
    from opslib.inventory import Inventory

    suites, defaults = _suites(role)
    hosts = inventory if isinstance(inventory, Inventory) else Inventory.load(inventory)
    targets = hosts.select("all", limit)
    if any(target.carrier == "ssh" for target in targets) and shutil.which("ssh") is None:
        raise MissingError("verify needs an ssh client: apt-get install openssh-client")
    variables = {target.name: {**defaults, **hosts.variables(target.name)} for target in targets}
    folder = Path(tempfile.mkdtemp(prefix="opslib-verify-"))
    try:
        return _pytest(suites, list(targets), variables, folder, junit, on_output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _suites(role: str) -> tuple[list[str], dict[str, Any]]:
    """Return the test files of a role's entry point (all of them when none is named) and the role's defaults."""
    import yaml

    from opslib.engines.playbook import role_folder

    name, _, entry = role.partition(":")
    folder = role_folder(name)
    files = sorted(folder.glob("tests/test_*.py"))
    if entry:
        files = [path for path in files if path.stem == f"test_{entry}"]
    if not files:
        known = ", ".join(path.stem.removeprefix("test_") for path in sorted(folder.glob("tests/test_*.py")))
        raise PlaybookError(f"{role}: there is no suite to verify it with; {name} has {known or 'none'}")
    defaults = folder / "defaults" / "main.yml"
    loaded = yaml.safe_load(defaults.read_text(encoding="utf-8")) if defaults.is_file() else None
    return [str(path.resolve()) for path in files], dict(loaded or {})


def _pytest(
    suites: list[str],
    targets: list[Target],
    variables: Mapping[str, Mapping[str, Any]],
    folder: Path,
    junit: str | Path | None,
    on_output: Callable[[str], object] | None,
) -> int:
    config = folder / "ssh_config"
    config.write_text("\n".join(line for target in targets for line in _ssh_config(target)), encoding="utf-8")
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= _askpass(targets, folder)
    reader, writer = os.pipe()
    environment["OPSLIB_VERIFY_FD"] = str(reader)
    command = [
        *(sys.executable, "-m", "pytest", "-p", "opslib.verify_fixtures", "-p", "no:cacheprovider", "-q"),
        *("--import-mode=importlib", "--tb=short", "--show-capture=no", "-c", os.devnull, f"--rootdir={folder}"),
        *(f"--hosts={_hostspec(target, config)}" for target in targets),
        *([f"--junitxml={Path(junit).resolve()}"] if junit else []),
        *suites,
    ]
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        pass_fds=(reader,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if on_output else None,
        stderr=subprocess.STDOUT if on_output else None,
        text=True,
        errors="backslashreplace",
    )
    os.close(reader)
    threading.Thread(target=_hand_over, args=(writer, variables), daemon=True).start()
    try:
        if on_output and process.stdout:
            for line in process.stdout:
                on_output(line.rstrip("\n"))
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return 0 if code == 0 else 2


def _hand_over(writer: int, variables: Mapping[str, Mapping[str, Any]]) -> None:
    """Give pytest the variables through a pipe: what is in a vault must reach no file."""
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        try:
            json.dump(variables, pipe, default=str)
        except BrokenPipeError:
            pass


def _hostspec(target: Target, config: Path) -> str:
    options: dict[str, str] = {}
    if target.become:
        if target.become.password:
            raise InventoryError(
                f"{target.name}: testinfra cannot give sudo a password; verify as a user whose sudo asks for none"
            )
        options.update(sudo="true", sudo_user=target.become.user)
    if target.carrier == "local":
        return "local://" + (f"?{urllib.parse.urlencode(options)}" if options else "")
    options.update(ssh_config=str(config), controlpersist="5", controlpath=str(config.parent / "%C"), timeout="20")
    return f"ssh://{target.name}?{urllib.parse.urlencode(options)}"


def _ssh_config(target: Target) -> Iterator[str]:
    """Yield the lines of ssh's configuration that say how to get to a host."""
    if target.carrier == "local":
        return
    if not all(char.isalnum() or char in "._-" for char in target.name):
        raise InventoryError(f"{target.name!r}: testinfra takes host names of letters, digits, '.', '_' and '-' only")
    checking = {"strict": "yes", "accept-new": "accept-new", "off": "no"}[target.host_keys]
    rows: list[tuple[str, object]] = [
        ("HostName", target.address),
        ("Port", target.port),
        ("User", target.user),
        ("ProxyJump", target.gateway),
        ("StrictHostKeyChecking", checking),
        ("BatchMode", None if target.password else "yes"),
        ("UserKnownHostsFile", os.devnull if target.host_keys == "off" else " ".join(map(_quoted, target.known_hosts))),
    ]
    yield f"Host {target.name}"
    for key, value in rows:
        if value:
            yield f"  {key} {value}"
    for path in target.identity_files:
        yield f"  IdentityFile {_quoted(path)}"
    yield "Match all"
    yield f"  Include {_quoted(target.ssh_config or '~/.ssh/config')}"
    yield ""


def _quoted(path: str) -> str:
    if '"' in path or "\n" in path:
        raise InventoryError(f"{path!r}: ssh's configuration cannot hold a path with a quote or a line break")
    return f'"{os.path.expanduser(path)}"'


def _askpass(targets: Sequence[Target], folder: Path) -> dict[str, str]:
    """Return the environment through which ssh learns passwords: neither an argument nor a file holds them."""
    rows = [[target.user or "", target.address or target.name, target.password] for target in targets if target.password]
    if not rows:
        return {}
    script = folder / "askpass"
    script.touch(mode=0o700)
    script.write_text(_ASKPASS, encoding="utf-8")
    return {
        "SSH_ASKPASS": str(script),
        "SSH_ASKPASS_REQUIRE": "force",
        "OPSLIB_PASSWORDS": json.dumps(rows),
        "OPSLIB_PYTHON": sys.executable,
    }
