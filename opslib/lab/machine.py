"""Power on and off: one systemd-nspawn(1) per host, booted until systemd says that it is ready (sd_notify(3))."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .cgroup import ControlGroup
from .command import PLAIN_ENVIRONMENT, tail
from .disk import root
from .errors import LabError
from .launch import launch
from .seed import host_folder
from .spec import Bind
from .state import LabState

__all__ = ["command_line", "group_of", "leader", "power_off", "power_on"]

_PROPAGATE = Path("/run/systemd/nspawn/propagate")


def group_of(state: LabState, number: int) -> ControlGroup:
    """Return the control group with all processes of a host."""
    return ControlGroup(f"{state.control_group}/{state.host_name(number)}")


def leader(state: LabState, number: int) -> int | None:
    """Find the process of this machine that is PID 1 in the host; None when the host is off."""
    return next(iter(group_of(state, number).leaders()), None)


def command_line(state: LabState, number: int) -> list[str]:
    """Return the argument list that boots a host."""
    return [
        "systemd-nspawn",
        "--quiet",
        "--settings=no",
        "--register=no",
        "--keep-unit",
        "--boot",
        "--notify-ready=yes",
        "--console=pipe",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--rlimit=NOFILE=1024:524288",  # what systemd gives itself on a real machine
        f"--directory={root(state, number)}",
        f"--machine={state.namespace(number)}",
        f"--hostname={state.host_name(number)}",
        "--capability=CAP_NET_ADMIN",  # given by systemd-nspawn only for a network that it made itself
        f"--network-namespace-path=/run/netns/{state.namespace(number)}",
        *(_bind_option(bind) for bind in state.spec.binds),
    ]


def power_on(
    state: LabState, number: int, timeout: float, cancelled: Callable[[], bool]
) -> subprocess.Popen[bytes] | None:
    """Start a host, whose disk and network are there, and wait until it has booted.

    timeout: seconds. cancelled: asked several times a second whether to give up.
    Returns the child process to collect at the end; None for a lab to keep, whose hosts are nobody's children.
    Raises LabError, with the end of the console, when the host does not come up.
    """
    folder = host_folder(state, number)
    console, notify = folder / "console", folder / "notify"
    notify.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(notify))
        env = {
            **PLAIN_ENVIRONMENT,
            "NOTIFY_SOCKET": str(notify),
            # cgroup v2 inside, whatever this machine has; /tmp on the host's disk, as Debian has it; sysctl of its
            # own network only.
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            "SYSTEMD_NSPAWN_TMPFS_TMP": "0",
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        }
        argv = command_line(state, number)
        process = launch(argv, group=group_of(state, number), log=console, env=env, orphan=state.keep)
        try:
            problem = _await_ready(inbox, None if state.keep else process, timeout, cancelled)
        finally:
            notify.unlink(missing_ok=True)
    if problem:
        power_off(state, number, process)
        said = tail(console.read_text(errors="replace"))
        raise LabError(f"{state.host_name(number)} did not boot: {problem}; its console said: {said or 'nothing'}")
    return None if state.keep else process


def power_off(state: LabState, number: int, process: subprocess.Popen[bytes] | None) -> None:
    """Cut the power: nothing in the host gets to say a last word.

    Raises LabError when processes of it are left after some seconds.
    """
    group = group_of(state, number)
    # PID 1 first: its end is the end of the whole PID namespace, and then systemd-nspawn ends by itself. The other
    # way round the host would run on.
    if (pid := leader(state, number)) is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(LabError, OSError):
            group.freeze(False)
    if pid is None or not group.empty(5):
        group.kill()
        if not group.empty(10):
            raise LabError(f"processes of {state.host_name(number)} do not die: {group.pids()}")
    if process is not None:
        process.wait(10)
    group.remove()
    _forget(state.namespace(number))


def _forget(machine: str) -> None:
    """Remove what systemd-nspawn leaves on this machine when it could not end by itself."""
    shutil.rmtree(_PROPAGATE / machine, ignore_errors=True)


def _await_ready(
    inbox: socket.socket, process: subprocess.Popen[bytes] | None, timeout: float, cancelled: Callable[[], bool]
) -> str:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if select.select([inbox], [], [], 0.2)[0] and "READY=1" in inbox.recv(4096).decode().splitlines():
            return ""
        if cancelled():
            return "cancelled"
        if process is not None and process.poll() is not None:
            return f"systemd-nspawn ended with exit code {process.returncode}"
    return f"not ready after {timeout:g} seconds"


def _bind_option(bind: Bind) -> str:
    escaped = [path.replace("\\", "\\\\").replace(":", "\\:") for path in (bind.source, bind.target)]
    return f"--bind{'' if bind.writable else '-ro'}={':'.join(escaped)}"
