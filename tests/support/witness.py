"""A witness: testinfra over its ssh backend, which sees a lab host with no code of ours."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import testinfra

from opslib.lab import Lab, LabHost

__all__ = ["Witnesses"]


class Witnesses:
    """Gives testinfra hosts that share one connection each. Use `forget` when a host was reset, and `close`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._folder = Path(tempfile.mkdtemp(prefix="witness-"))  # a socket's path must be short
        self._known: dict[str, Any] = {}

    def __call__(self, host: LabHost) -> Any:
        """Return a testinfra host for a lab host, as root."""
        if host.name not in self._known:
            self._known[host.name] = testinfra.get_host(
                f"ssh://{host.name}",
                ssh_config=str(self._lab.ssh_config),
                ssh_extra_args=f"-o ControlPath={self._folder / host.name}",
                timeout=20,
            )
        return self._known[host.name]

    def forget(self, host: LabHost) -> None:
        """Close the connection to a host."""
        if self._known.pop(host.name, None) is not None:
            options = ["-F", str(self._lab.ssh_config), "-o", f"ControlPath={self._folder / host.name}"]
            subprocess.run(["ssh", *options, "-O", "exit", host.name], capture_output=True, check=False, timeout=30)

    def close(self) -> None:
        """Close all connections."""
        for host in self._lab.hosts:
            self.forget(host)
        shutil.rmtree(self._folder, ignore_errors=True)
