"""The sample system (tests/systems) on lab hosts: how it gets there, and what tests do to it.

It is installed once, on a host whose files are then kept as a layer of lab images, in the lab's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from opslib import Fleet, HostResult, Step
from opslib.host.task import Task
from opslib.lab import Lab, LabHost
from opslib.lab.image import Image
from opslib.lab.places import cache_folder, locked
from opslib.lab.pytest_plugin import LabFactory
from support.apply import Steps, target_for
from support.hosts import eventually, left_behind
from support.looks import fingerprint
from support.witness import Witnesses
from systems import install, wheels

__all__ = ["System", "layer", "running", "system_lab"]

DISK = "2G"
_FILES = Path(install.__file__).parent
_SEED = _FILES / "seed.sql"
_FAULTS = "/run/ai-cost-dashboard/faults"


class System:
    """The sample service on a lab host, running. Others may share the lab; `close` the witness at the end."""

    unit = install.UNIT
    folder = install.FOLDER
    remote = install.REMOTE
    env_file = install.ENV_FILE
    port = 8000
    password = install.PASSWORD
    environment: Mapping[str, str] = install.ENVIRONMENT

    def __init__(self, lab: Lab, host: LabHost) -> None:
        self.lab = lab
        self.host = host
        self._witnesses = Witnesses(lab)

    # --- what it is ---

    @property
    def witness(self) -> Any:
        """A testinfra host, as root."""
        return self._witnesses(self.host)

    def url(self, path: str = "") -> str:
        """Return a URL as seen from the host."""
        return f"http://127.0.0.1:{self.port}{path}"

    def outside(self, path: str = "") -> str:
        """Return a URL as seen from this machine and other hosts."""
        return f"http://{self.host.address}:{self.port}{path}"

    def get(self, path: str, *words: str) -> tuple[int, str]:
        """Ask the service with curl, on the host: status (0: no answer) and body."""
        command = ["curl", "-s", "-m", "5", "-w", "\n%{http_code}", *words, self.url(path)]
        body, _, status = self.host.run(command, check=False).stdout.rpartition("\n")
        return int(status or 0), body

    def json(self, path: str, *words: str) -> Any:
        """Ask the service with curl and return its JSON answer."""
        return json.loads(self.get(path, *words)[1])

    def sql(self, text: str, database: str = "ai_cost") -> str:
        """Run SQL as the database's administrator and return the rows, columns between bars."""
        psql = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]
        return self.host.run(psql, input=text, user="postgres").stdout.strip()

    def commit(self, ref: str) -> str:
        """Return the commit of a tag or branch of the service's repository."""
        return self.host.run(["git", "-C", self.remote, "rev-parse", f"{ref}^{{commit}}"]).stdout.strip()

    def push(self, ref: str, files: Mapping[str, str], parent: str = "v1.2.0") -> str:
        """Push a commit with these files to a branch or tag (`refs/tags/…`) of the repository; return the commit."""
        people = [
            f"GIT_{who}_{what}=nobody@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        ]
        git = ["env", "GIT_INDEX_FILE=/tmp/push-index", *people, "git", "-C", self.remote]
        self.host.run([*git, "read-tree", parent])
        for path, text in files.items():
            blob = self.host.run([*git, "hash-object", "-w", "--stdin"], input=text).stdout.strip()
            self.host.run([*git, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}"])
        tree = self.host.run([*git, "write-tree"]).stdout.strip()
        commit = self.host.run([*git, "commit-tree", "-m", "More", "-p", parent, tree]).stdout.strip()
        self.host.run([*git, "update-ref", ref, commit])
        self.host.run(["rm", "/tmp/push-index"])
        return commit

    # --- steps, as other tests run them ---

    def apply(self, steps: Steps, *, check: bool = False, login: str = "root", timeout: float = 240) -> HostResult:
        """Run steps on the host, which leaves nothing running there."""
        given = [steps] if isinstance(steps, Task | Step) else list(steps)
        with Fleet([target_for(self.lab, self.host, login)], timeout=timeout) as fleet:
            result = fleet.run(given, check=check).hosts[self.host.name]
        assert eventually(lambda: left_behind(self.host) == []), left_behind(self.host)
        return result

    def rehearse(self, steps: Steps, **options: Any) -> HostResult:
        """Run steps in check mode; fails when the host does not look the same afterwards, but for what lives."""
        before = self.look()
        result = self.apply(steps, **{**options, "check": True})
        after = self.look()
        assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == set()
        return result

    def look(self) -> dict[str, Any]:
        """Return what the host looks like, but for what a database and a service write all the time."""
        alive = (f"{self.folder}/logs", "/var/lib/postgresql", "/var/log/postgresql")
        return {
            key: value for key, value in fingerprint(self.host).items() if not str(key).lstrip("'\"").startswith(alive)
        }

    def inventory(self, path: Path, **changes: Any) -> Path:
        """Write an inventory with the variables that an operator would have for the roles, and return its path.

        changes: other values (None: leave the variable out).
        """
        given = {**_variables(self), **changes}
        text = self.lab.inventory_text(user="ops", hosts=[self.host])
        text += "".join(f"    {name}: {json.dumps(value)}\n" for name, value in given.items() if value is not None)
        path.write_text(text)
        return path

    # --- what befalls it ---

    def faults(self, *words: str) -> None:
        """Switch on these faults (see dashboard/faults.py) in the running service, and all others off."""
        self.host.write(_FAULTS, " ".join(words))

    def configure(self, **changes: str | None) -> None:
        """Change variables of the environment file (None: remove); a restart makes them real."""
        variables: dict[str, str | None] = {**self.environment, **changes}
        given = {key: value for key, value in variables.items() if value is not None}
        self.host.write(self.env_file, install.env_text(given), mode=0o600)

    def restart(self) -> None:
        """Restart the service and return when it answers."""
        self.host.run(["systemctl", "reset-failed", self.unit], check=False)
        self.host.run(["systemctl", "restart", self.unit])
        self.await_up()

    def await_up(self, seconds: float = 60) -> None:
        """Wait until the service answers."""
        if not eventually(lambda: self.get("/health")[0] == 200, seconds):
            said = self.host.run(["journalctl", "-n", "30", "--no-pager", "-u", self.unit], check=False).stdout
            raise AssertionError(f"{self.unit} does not answer:\n{said}")

    def hold_port(self, port: int = 8000) -> None:
        """Stop the service, and let another unit take its port."""
        self.host.run(["systemctl", "stop", self.unit])
        command = ["systemd-run", "-q", "--unit=squatter", "python3", "-m", "http.server", str(port)]
        self.host.run(command)
        assert eventually(lambda: f":{port}" in self.host.run(["ss", "-Htln"]).stdout)

    def stop_database(self) -> None:
        """Stop PostgreSQL."""
        self.host.run(["systemctl", "stop", "postgresql@15-main"])

    def start_database(self) -> None:
        """Start PostgreSQL."""
        self.host.run(["systemctl", "start", "postgresql@15-main"])

    # --- life ---

    def begin(self) -> Self:
        """Fill the database with records until today, and return when the service answers."""
        if not eventually(lambda: self.host.run(["pg_isready", "-q"], check=False).returncode == 0, 60):
            raise AssertionError("PostgreSQL does not start")
        self.seed()
        self.await_up()
        return self

    def seed(self) -> None:
        """Fill the database with records and runs of jobs until now, in place of what is there."""
        self.sql(_SEED.read_text())

    def reset(self) -> None:
        """Take the host back to what it was, with the service running."""
        self._witnesses.forget(self.host)
        self.host.reset()
        self.begin()

    def close(self) -> None:
        """Close the witness."""
        self._witnesses.close()


def _variables(system: System) -> dict[str, Any]:
    """Return variables of the roles health, scheduler and forecast."""
    return {
        "health_url": system.url(),
        "health_public_url": system.outside(),
        "scheduler_url": system.url("/health/scheduler"),
        "scheduler_trigger_url": system.url("/api/scheduler/trigger"),
        "scheduler_log_paths": [f"{system.folder}/logs/app.log"],
        "forecast_url": system.url("/api/forecast"),
        "forecast_venv": f"{system.folder}/venv",
        "forecast_modules": ["trendcast"],
        "forecast_unit_user": "aicost",
        "forecast_log_paths": [f"{system.folder}/logs/app.log"],
        "forecast_env_file": system.env_file,
        "forecast_memory_warn": "2%",
        "forecast_memory_fail": "1%",
    }


@contextmanager
def running(lab: Lab, host: LabHost) -> Iterator[System]:
    """Give the system of a host whose database is filled; the host is reset afterwards."""
    system = System(lab, host)
    try:
        yield system.begin()
    finally:
        system.close()
        host.reset()


def system_lab(boot: LabFactory, hosts: int = 1) -> Lab:
    """Boot a lab whose hosts have the system. boot: the fixture `lab_factory`."""
    return boot(hosts, packages=install.PACKAGES, layers=[layer()], disk=DISK)


def layer() -> Path:
    """Return the folder with the installed system, a layer for Lab(packages=install.PACKAGES). Made when not there."""
    cache = cache_folder().with_name("systems")
    files = sorted(path for path in _FILES.rglob("*") if path.suffix in (".py", ".sql", ".txt") and path != _SEED)
    content = [Image("bookworm", install.PACKAGES).key.encode(), *(path.read_bytes() for path in files)]
    folder = cache / f"ai-cost-{hashlib.sha256(b'|'.join(content)).hexdigest()[:16]}"
    with locked(cache / ".lock"):
        if not folder.exists():
            for old in cache.glob("ai-cost-*"):
                if time.time() - old.stat().st_mtime > 7 * 86400:
                    shutil.rmtree(old, ignore_errors=True)
            _make(folder, cache)
    return folder


def _make(folder: Path, cache: Path) -> None:
    collected = cache / f"wheels-{hashlib.sha256(wheels.REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    if not collected.exists():
        aside = Path(tempfile.mkdtemp(prefix="wheels.", dir=cache))
        wheels.collect(aside)
        aside.chmod(0o755)
        aside.rename(collected)
    with tempfile.TemporaryDirectory() as scratch, Lab(hosts=1, packages=install.PACKAGES, disk=DISK) as lab:
        (Path(scratch) / "wheels").symlink_to(collected)
        host = lab.hosts[0]
        install.install(host, Path(scratch))
        host.run(["systemctl", "start", install.UNIT])
        system = System(lab, host)
        try:
            system.begin()
        finally:
            system.close()
        host.run(["systemctl", "stop", install.UNIT, "postgresql@15-main"])
        host.run(["find", f"{install.FOLDER}/logs", "/var/log/postgresql", "-type", "f", "-delete"])
        host.kill()
        host.save_layer(folder)
