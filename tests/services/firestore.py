"""Google's own Firestore emulator, which the Google Cloud CLI brings: the data, exports, imports and security rules.

It holds any number of projects and databases, each with documents of its own; rules go by project. Times of documents
and reads at an earlier time are real. It cannot show: quotas, indexes that are missing, IAM, backups, or how long an
export of many documents takes.
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

__all__ = ["FirestoreEmulator", "Refused"]

_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_PATIENCE = 200.0
OPEN = "rules_version='2';service cloud.firestore{match /databases/{d}/documents{match /{p=**}{allow read,write;}}}"


class Refused(Exception):
    """The emulator answered an error; status: of HTTP; body: what it said."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body.decode(errors='replace')}")
        self.status, self.body = status, body

    @property
    def message(self) -> str:
        """What it said, in words."""
        try:
            told = json.loads(self.body)
            return str((told[0] if isinstance(told, list) else told)["error"]["message"])
        except (ValueError, KeyError, IndexError, TypeError):
            return self.body.decode(errors="replace")


class FirestoreEmulator:
    """The emulator in a process of its own; a context manager. Raises RuntimeError when it is not installed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path()
        self._port = 0
        self._ruled: set[str] = set()
        self._used: set[tuple[str, str]] = set()

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        java, jar = _found()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.folder = Path(tempfile.mkdtemp(prefix="opslib-firestore-"))
        self._log = self.folder / "log"
        line = [java, "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", str(jar), _CLASS, "--host=127.0.0.1"]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                mortal([*line, f"--port={self._port}"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )
        self._await()
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Where its REST interface is, without a slash at the end."""
        return f"http://{self.address}"

    @property
    def environment(self) -> dict[str, str]:
        """The variable by which Google's clients find it."""
        return {"FIRESTORE_EMULATOR_HOST": self.address}

    def reset(self) -> None:
        """Remove all documents and rules that were put there through this object."""
        for project, database in self._used:
            self.request("DELETE", f"/emulator/v1/projects/{project}/databases/{database}/documents")
        for project in self._ruled:
            self.set_rules(project, OPEN)
        self._used.clear()
        self._ruled.clear()

    def use(self, project: str, database: str = "(default)") -> None:
        """Remember a database that `reset` is to empty."""
        self._used.add((project, database))

    def set_rules(self, project: str, text: str) -> None:
        """Put a project's rules into force. Raises Refused when they cannot be compiled."""
        self._ruled.add(project)
        files = {"rules": {"files": [{"name": "firestore.rules", "content": text}]}}
        self.request("PUT", f"/emulator/v1/projects/{project}:securityRules", files)

    def export(self, project: str, database: str, folder: Path, name: str) -> None:
        """Write an export of a database into a folder, as `name/name.overall_export_metadata` and more."""
        where = {"database": f"projects/{project}/databases/{database}", "export_directory": str(folder)}
        self.request("POST", f"/emulator/v1/projects/{project}:export", {**where, "export_name": name})

    def import_(self, project: str, database: str, metadata: Path) -> None:
        """Read an export into a database. Raises Refused when it is not whole."""
        self.use(project, database)
        where = {"database": f"projects/{project}/databases/{database}", "export_directory": str(metadata)}
        self.request("POST", f"/emulator/v1/projects/{project}:import", where)

    def allowed(self, path: str, *, user: str | None = None, method: str = "GET", body: Any = None) -> bool:
        """Whether the rules let somebody do this; path: `/v1/projects/P/databases/(default)/documents/...`."""
        token = None if user is None else _unsigned(path.split("/")[3], user)
        try:
            self.request(method, path, body, token=token)
        except Refused as refused:
            if refused.status == 404:
                return True
            if refused.status != 403:
                raise
            return False
        return True

    def request(self, method: str, path: str, body: Any = None, *, token: str | None = "owner") -> bytes:
        """Send a request as the owner, as a user with a token, or as nobody (None). Raises Refused."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read()) from None

    def _await(self) -> None:
        assert self._process is not None
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                self.request("GET", "/")
            except (OSError, urllib.error.URLError):
                time.sleep(0.02)
            else:
                return
        said = self._log.read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"the Firestore emulator did not start:\n{said}")


def _found() -> tuple[str, Path]:
    """Return java and the emulator's archive. Raises RuntimeError that says what is missing."""
    java = shutil.which("java")
    if java is None:
        raise RuntimeError("java is missing; these tests need it: apt-get install default-jre-headless")
    gcloud = shutil.which("gcloud")
    root = Path(os.path.realpath(gcloud)).parent.parent if gcloud else Path("/usr/lib/google-cloud-sdk")
    jar = root / "platform" / "cloud-firestore-emulator" / "cloud-firestore-emulator.jar"
    if not jar.exists():
        raise RuntimeError(
            f"the Firestore emulator is missing ({jar}); these tests need it: "
            "gcloud components install cloud-firestore-emulator, or apt-get install google-cloud-cli-firestore-emulator"
        )
    return java, jar


def _unsigned(project: str, user: str) -> str:
    """Return a token of Firebase Authentication as the emulator takes it: without a signature."""
    now = int(time.time())
    claims = {
        "iss": f"https://securetoken.google.com/{project}",
        "aud": project,
        "sub": user,
        "user_id": user,
        "iat": now,
        "exp": now + 3600,
        "auth_time": now,
        "firebase": {"sign_in_provider": "custom", "identities": {}},
    }
    return ".".join([*map(_segment, ({"alg": "none", "typ": "JWT"}, claims)), ""])


def _segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
