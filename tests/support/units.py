"""Systemd units for lab hosts: those that work, and those that fail in a certain way."""

from __future__ import annotations

from pathlib import Path

from opslib.lab import LabHost

__all__ = ["Units", "website"]

WEBSITE = Path(__file__).with_name("website.py")


class Units:
    """Installs units on a host, and takes them away again."""

    def __init__(self, host: LabHost) -> None:
        self.host = host
        self._folders: dict[str, str] = {}

    def add(
        self, name: str, *service: str, unit: str = "", install: bool = False, folder: str = "/etc/systemd/system"
    ) -> str:
        """Install `name`.service with these lines of its [Service] section, and return its full name.

        unit: lines of its [Unit] section; install: whether it can be enabled.
        """
        full = f"{name}.service"
        text = f"[Unit]\nDescription=A unit of a test\n{unit}\n[Service]\n" + "\n".join(service) + "\n"
        if install:
            text += "[Install]\nWantedBy=multi-user.target\n"
        self.host.write(f"{folder}/{full}", text)
        self.host.run(["systemctl", "daemon-reload"])
        self._folders[full] = folder
        return full

    def control(self, *words: str, check: bool = True) -> None:
        """Run systemctl."""
        self.host.run(["systemctl", *words], check=check)

    def show(self, name: str, attribute: str) -> str:
        """Return a property of a unit."""
        return self.host.run(["systemctl", "show", "--value", "-p", attribute, name]).stdout.strip()

    def close(self) -> None:
        """Stop all units and remove their files."""
        if not self._folders:
            return
        names = list(self._folders)
        self.control("kill", "--signal=KILL", "--", *names, check=False)
        self.control("stop", "--", *names, check=False)
        files = [f"{folder}/{name}" for name, folder in self._folders.items()]
        links = [f"/etc/systemd/system/{where}{name}" for name in names for where in ("", "multi-user.target.wants/")]
        self.host.run(["rm", "-f", "--", *files, *links])
        self.control("daemon-reload")
        self.control("reset-failed")


def website(host: LabHost) -> str:
    """Put the web site of tests on a host and return the command that runs it, but for its port."""
    host.write("/usr/local/lib/website.py", WEBSITE.read_bytes())
    return "/usr/bin/python3 /usr/local/lib/website.py"
