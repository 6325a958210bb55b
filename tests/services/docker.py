"""A real Docker engine and a real registry, of Debian's docker.io and docker-registry, on loopback.

The engine has no network of its own (no bridge, no packet filter), so that it can run anywhere where root can: images are
built from scratch, and pushed to 127.0.0.1. It needs root; who lacks it, or a program, is told so.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from services.mortal import mortal

__all__ = ["Engine", "Registry", "missing"]

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json"
)


def missing() -> str:
    """Return what is missing for an engine and a registry, in words; an empty string when nothing is."""
    if os.geteuid() != 0:
        return "Docker's engine needs root"
    lacking = [name for name in ("dockerd", "docker", "docker-registry") if shutil.which(name) is None]
    return f"{', '.join(lacking)} not found: apt-get install docker.io docker-registry" if lacking else ""


class _Program:
    """A program in a session and a folder of its own, which end with it."""

    def __init__(self) -> None:
        self.folder = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def line(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> Self:
        """Start, and wait until it answers."""
        self.folder = Path(tempfile.mkdtemp(prefix="opslib-docker-"))  # sockets must not have long paths
        with open(self.folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                mortal(self.line()), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        ends = time.monotonic() + 60
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > ends:
                said = (self.folder / "log").read_text(errors="replace")[-2000:]
                self.stop()
                raise RuntimeError(f"{self.line()[0]} does not start: {said}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End it, and remove what it kept."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None
        for mount in _mounts(self.folder):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Engine(_Program):
    """dockerd; `environment` points the `docker` command at it, with a configuration of its own."""

    def line(self) -> list[str]:
        folder = self.folder
        places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
        alone = ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
        return ["dockerd", *places, *alone, "-H", f"unix://{folder}/socket"]

    def answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as asked:
                asked.connect(f"{self.folder}/socket")
                asked.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in asked.recv(100)
        except OSError:
            return False

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DOCKER_HOST": f"unix://{self.folder}/socket",
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_BUILDKIT": "0",  # there is no buildx in Debian's package
        }

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run `docker`, and return what it says. Raises CalledProcessError."""
        found = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        return found.stdout


class Registry(_Program):
    """A registry; with `user` and `password` it wants them."""

    def __init__(self, user: str = "", password: str = "") -> None:
        super().__init__()
        self.port = 0
        self.user, self.password = user, password

    def start(self) -> Self:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        return super().start()

    @property
    def host(self) -> str:
        """Host and port, as names of images begin."""
        return f"127.0.0.1:{self.port}"

    def line(self) -> list[str]:
        settings: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "images")}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        if self.user:
            import bcrypt

            hashed = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(4)).decode()
            (self.folder / "htpasswd").write_text(f"{self.user}:{hashed}\n")
            settings["auth"] = {"htpasswd": {"realm": "images", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
        return ["docker-registry", "serve", str(self.folder / "config.yml")]

    def answers(self) -> bool:
        try:
            self._ask("/v2/")
        except OSError:
            return False
        return True

    def tags(self, repository: str) -> list[str]:
        """Return a repository's tags, sorted; none when there is no such repository."""
        try:
            found = json.loads(self._ask(f"/v2/{repository}/tags/list")[0])
        except urllib.error.HTTPError:
            return []
        return sorted(found["tags"] or [])

    def manifest(self, repository: str, reference: str) -> tuple[str, str]:
        """Return the digest and the manifest of a tag or a digest."""
        body, headers = self._ask(f"/v2/{repository}/manifests/{reference}")
        return headers["Docker-Content-Digest"], body.decode()

    def _ask(self, path: str) -> tuple[bytes, Any]:
        asked = urllib.request.Request(f"http://{self.host}{path}", headers={"Accept": MANIFESTS})
        if self.user:
            login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            asked.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.read(), answer.headers


def _mounts(folder: Path) -> list[str]:
    """Return what is mounted below a folder, the innermost first."""
    with open("/proc/self/mounts") as table:
        places = [line.split()[1] for line in table]
    return sorted((each for each in places if each.startswith(f"{folder}/")), reverse=True)
