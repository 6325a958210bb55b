"""A scratch PostgreSQL 15 on loopback, with Debian's own programs, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from services.mortal import mortal

__all__ = ["Cluster", "free_port"]

PROGRAMS = Path("/usr/lib/postgresql/15/bin")


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Cluster:
    """A cluster that trusts whoever comes over loopback; it runs as `postgres` when the tests run as root."""

    def __init__(self) -> None:
        self.port = 0
        self.user: str | None = "postgres" if os.geteuid() == 0 else None
        self._folder: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Make the cluster and wait until it answers."""
        if not (PROGRAMS / "initdb").exists():
            raise RuntimeError(f"{PROGRAMS}/initdb is missing; these tests need it: apt-get install postgresql")
        self._folder = Path(tempfile.mkdtemp(prefix="opslib-postgres-"))
        if self.user:
            shutil.chown(self._folder, self.user)
        data = str(self._folder / "data")
        line = [str(PROGRAMS / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*line, "--locale=C.UTF-8"], check=True, user=self.user, cwd="/", stdout=subprocess.DEVNULL)
        self.port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "16MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self._folder / "log", "wb") as log:
            self._server = subprocess.Popen(
                mortal([str(PROGRAMS / "postgres"), "-D", data, "-p", str(self.port), *options], "INT"),
                user=self.user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()
        return self

    def _wait(self) -> None:
        assert self._server is not None
        assert self._folder is not None
        for _turn in range(1000):
            if self._server.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
            with contextlib.suppress(subprocess.CalledProcessError):
                self.sql("SELECT 1")
                return
            time.sleep(0.02)
        raise RuntimeError("PostgreSQL does not answer")

    def stop(self) -> None:
        """Stop it and remove its folder."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(30)
            self._server = None
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def uri(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return where a database is."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run statements with psql and return what it prints."""
        line = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.uri(database), "-f", "-"]
        done = subprocess.run(line, input=text, capture_output=True, text=True, check=True)
        return done.stdout.strip()
