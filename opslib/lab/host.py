"""One host of a lab, and what can befall it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from . import disk, image, machine, network
from .command import PLAIN_ENVIRONMENT, complete, tail
from .errors import LabError
from .processes import HostProcess, bounding_set, in_namespace_of
from .seed import host_folder, keypair
from .state import LabState

__all__ = ["LabHost"]

SSH_PORT = 22
_UNUSED_PORT = 1
_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


class LabHost:
    """A host of a lab. Made by Lab.

    name: its name, as `lab1`. address: its IPv4 address.
    root: its root folder as this machine sees it; absolute symbolic links in it lead astray, so prefer `read`.
    """

    def __init__(self, state: LabState, number: int, boot_timeout: float, cancelled: Callable[[], bool]) -> None:
        self.name = state.host_name(number)
        self.address = state.address(number)
        self.root = disk.root(state, number)
        self._state = state
        self._number = number
        self._boot_timeout = boot_timeout
        self._cancelled = cancelled
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<LabHost {self.name} {self.address}>"

    @property
    def host_key(self) -> str:
        """The public key that known_hosts has for the host, as `ssh-ed25519 AAAA…`."""
        public = host_folder(self._state, self._number) / f"seed{_HOST_KEY}.pub"
        return " ".join(public.read_text().split()[:2])

    # --- commands and files: not through ssh, so they work whatever was done to it ---

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | bytes | None = None,  # noqa: A002 - as subprocess.run calls it
        timeout: float = 60,
        user: str = "root",
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the host and return its exit code and output as text (UTF-8).

        check: raise LabError when the exit code is not 0. input: for its standard input, which is empty else.
        timeout: seconds until it is killed and LabError raised.
        """
        done = self._run_bytes(argv, data=input, timeout=timeout, user=user)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check and done.returncode:
            raise LabError(f"{self.name}: {list(argv)} ended with exit code {done.returncode}: {tail(err or out)}")
        return subprocess.CompletedProcess(list(argv), done.returncode, out, err)

    def write(self, path: str, content: str | bytes, mode: int = 0o644, owner: str = "root") -> None:
        """Write a file in the host, and the folders above it that are not there.

        owner: a user, whose main group becomes the group. Raises LabError when it cannot be written.
        """
        group = self.run(["id", "-gn", owner]).stdout.strip()
        options = ["-D", "-T", f"--mode={mode:o}", f"--owner={owner}", f"--group={group}"]
        self.run(["install", *options, "--", "/dev/stdin", path], input=content or b"")

    def read(self, path: str) -> str:
        """Return the text (UTF-8) of a file in the host. Raises LabError when it cannot be read."""
        return self.read_bytes(path).decode(errors="replace")

    def read_bytes(self, path: str) -> bytes:
        """Return the content of a file in the host. Raises LabError when it cannot be read."""
        done = self._run_bytes(["cat", "--", path], data=None, timeout=60, user="root")
        if done.returncode:
            raise LabError(f"{self.name}: {path} cannot be read: {tail(done.stderr.decode(errors='replace'))}")
        return done.stdout

    def pids(self) -> list[HostProcess]:
        """All processes of the host, by their number inside. Also works while it is frozen."""
        return in_namespace_of(self._leader())

    def save_layer(self, folder: Path) -> None:
        """Keep what was written to the host since its reset as the new folder `folder`, a layer for other labs.

        The host must be off: cut the power with `kill`, after stopping what would need a recovery. Its identity, keys,
        passwords, journal and temporary files stay out of the layer. Raises LabError when the host is on.
        """
        if self.running():
            raise LabError(f"{self.name} is on; kill() it before its layer is saved")
        disk.save(self._state, self._number, folder)

    # --- power ---

    def running(self) -> bool:
        """Whether the host is powered on."""
        return machine.leader(self._state, self._number) is not None

    def boot(self) -> None:
        """Power the host on, with the disk as it is, and wait until it has booted and can be reached.

        Raises LabError when it is on already, or does not come up in time.
        """
        if self.running():
            raise LabError(f"{self.name} is on already")
        self.collect()  # of a host that powered itself off
        network.attach(self._state, self._number)
        self._process = machine.power_on(self._state, self._number, self._boot_timeout, self._cancelled)
        self._await_network()

    def kill(self) -> None:
        """Cut the power. Peers hear nothing of it; what was written stays on the disk. Does nothing when it is off."""
        if self.running():
            # Else the kernel, closing the sockets of the dying processes, would tell the peers.
            network.set_link(self._state, self._number, up=False)
        machine.power_off(self._state, self._number, self._process)
        network.detach(self._state, self._number)
        self._process = None

    def reset(self) -> None:
        """Back to the pristine host, whatever was done to it: empty disk layer, fresh network, booted. Same keys."""
        self.kill()
        disk.discard(self._state, self._number)
        disk.provide(self._state, self._number, image.unpacked(self._state.image))
        self.boot()

    # --- faults ---

    def freeze(self) -> None:
        """Stop every process where it is. The kernel still accepts connections, but nothing answers."""
        self._leader()
        machine.group_of(self._state, self._number).freeze(True)

    def thaw(self) -> None:
        """Let a frozen host go on."""
        self._leader()
        machine.group_of(self._state, self._number).freeze(False)

    def cut(self) -> None:
        """Unplug the network: packets vanish, nobody is told."""
        self._leader()
        network.set_link(self._state, self._number, up=False)

    def mend(self) -> None:
        """Plug the network in again."""
        self._leader()
        network.set_link(self._state, self._number, up=True)

    def fill_disk(self, leave_bytes: int = 0) -> None:
        """Take the free space of the host's disk but for `leave_bytes` (bytes, rounded up to whole pages)."""
        disk.fill(self._state, self._number, leave_bytes)

    def free_disk(self) -> None:
        """Give back what `fill_disk` took."""
        disk.free(self._state, self._number)

    def kill_sshd(self) -> None:
        """Stop sshd and kill its sessions: connections break, new ones are refused. Lasts until `start_sshd`."""
        self.run(["systemctl", "stop", "ssh.service", "ssh.socket"], check=False)
        for process in self.pids():
            if process.command and Path(process.command[0]).name.startswith("sshd"):
                with suppress(ProcessLookupError):
                    os.kill(process.outer_pid, signal.SIGKILL)

    def start_sshd(self) -> None:
        """Start sshd and wait until it listens."""
        self.run(["systemctl", "reset-failed", "ssh.service"], check=False)
        self.run(["systemctl", "restart", "ssh.service"])

    def rekey(self) -> str:
        """Give the host another host key, as if another host answered at its address, and return the public one.

        known_hosts keeps the old key, and `reset` brings it back.
        """
        with tempfile.TemporaryDirectory(prefix="rekey-", dir=host_folder(self._state, self._number)) as folder:
            private = Path(folder, "key")
            public = keypair(private, f"root@{self.name}")
            self.write(_HOST_KEY, private.read_bytes(), 0o600)
            self.write(f"{_HOST_KEY}.pub", f"{public}\n")
        self.start_sshd()
        return public

    def collect(self) -> None:
        """Collect the child process of a host that is no more."""
        if self._process is not None:
            self._process.wait(10)
            self._process = None

    def _leader(self) -> int:
        pid = machine.leader(self._state, self._number)
        if pid is None:
            raise LabError(f"{self.name} is off; boot() it first")
        return pid

    def _run_bytes(
        self, argv: Sequence[str], *, data: str | bytes | None, timeout: float, user: str
    ) -> subprocess.CompletedProcess[bytes]:
        if isinstance(argv, str) or not argv:
            raise LabError(f"run: {argv!r} is no argument list; give one such as ['ls', '-l']")
        pid = self._leader()
        # A program that enters the host keeps the rights of this machine's root, which could set its clock; so they
        # are cut down to those of the host's own root.
        enter = ["setpriv", f"--bounding-set={bounding_set(pid)}", "--"]
        enter += [
            "nsenter",
            f"--target={pid}",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--cgroup",
            "--root",
            "--wd",
            "--",
        ]
        become = [] if user == "root" else ["runuser", "-u", user, "--"]
        text = data.encode() if isinstance(data, str) else data
        try:
            return complete([*enter, *become, *argv], data=text, timeout=timeout, env=PLAIN_ENVIRONMENT)
        except LabError as error:
            raise LabError(f"{self.name}: {error}") from error

    def _await_network(self) -> None:
        """Wait until the host can be reached.

        A refusal by a port where nothing listens says so without a trace. A connection to sshd, of which systemd
        knows that it listens, would put an error into the journal of every pristine host.
        """
        deadline = time.monotonic() + self._boot_timeout
        problem: object = "cancelled"
        while time.monotonic() < deadline and not self._cancelled():
            try:
                with socket.create_connection((self.address, _UNUSED_PORT), timeout=1):
                    return
            except ConnectionRefusedError:
                return
            except OSError as error:
                problem = error
            time.sleep(0.02)
        raise LabError(f"{self.name} booted but is not reached on {self.address}: {problem}")
