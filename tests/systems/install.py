"""Puts the sample service on a lab host as its operators would have, down to release v1.1.0 running."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from opslib.lab import LabHost
from systems import history

__all__ = ["ENVIRONMENT", "ENV_FILE", "FOLDER", "PACKAGES", "PASSWORD", "REMOTE", "UNIT", "env_text", "install"]

PACKAGES = ("curl", "git", "nftables", "postgresql", "python3-venv")
UNIT = "ai-cost-dashboard.service"
FOLDER = "/srv/ai-cost-dashboard"
REMOTE = "/srv/git/ai-cost-dashboard.git"
WHEELS = "/srv/wheels"
ENV_FILE = "/etc/ai-cost-dashboard.env"
USER = "aicost"
PASSWORD = "blue-heron-4711"
# Due on leap days: no job writes while a test counts rows, or is late because a test had the service stopped.
_SELDOM = "0 0 29 2 *"
ENVIRONMENT: Mapping[str, str] = {
    "DATABASE_URL": f"postgresql://ai_cost:{PASSWORD}@127.0.0.1:5432/ai_cost",
    "ANTHROPIC_API_KEY": "sk-ant-not-a-real-one-0815",
    "PORT": "8000",
    "LOG_DIR": f"{FOLDER}/logs",
    "SCHEDULER_TIMEZONE": "UTC",
    "CRON_ANTHROPIC_COLLECTION": _SELDOM,
    "CRON_OPENAI_COLLECTION": _SELDOM,
    "CRON_AGGREGATE_REFRESH": _SELDOM,
    "CRON_FORECAST_TRAINING": _SELDOM,
}
UNIT_TEXT = f"""[Unit]
Description=AI cost dashboard
Wants=postgresql.service
After=network.target

[Service]
User={USER}
WorkingDirectory={FOLDER}
EnvironmentFile={ENV_FILE}
RuntimeDirectory=ai-cost-dashboard
ExecStart={FOLDER}/venv/bin/uvicorn dashboard.app:app --host 0.0.0.0 --port ${{PORT}} --timeout-graceful-shutdown 2
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def env_text(variables: Mapping[str, str]) -> str:
    """Write an environment file."""
    return "# Settings of the AI cost dashboard\n" + "".join(f"{key}={value}\n" for key, value in variables.items())


def install(host: LabHost, scratch: Path) -> None:
    """Install everything on a host that has PACKAGES. scratch: a folder of this machine that holds `wheels`."""
    history.make(scratch / "repository.git")
    _copy(host, scratch / "wheels", WHEELS)
    _copy(host, scratch / "repository.git", REMOTE)
    host.write("/etc/pip.conf", f"[global]\nno-index = true\nfind-links = {WHEELS}\ndisable-pip-version-check = true\n")
    for path, line in (("passwd", f"{USER}:*:990:990::{FOLDER}:/usr/sbin/nologin"), ("group", f"{USER}:x:990:")):
        host.write(f"/etc/{path}", host.read(f"/etc/{path}") + line + "\n")
    host.run(["git", "clone", "-q", REMOTE, FOLDER])
    host.run(["git", "-C", FOLDER, "reset", "-q", "--hard", "v1.1.0"])
    host.run(["install", "-d", "-o", USER, "-g", USER, f"{FOLDER}/logs"])
    host.run(["python3", "-m", "venv", f"{FOLDER}/venv"])
    host.run([f"{FOLDER}/venv/bin/pip", "install", "-q", "-r", f"{FOLDER}/requirements.txt"], timeout=300)
    host.write(ENV_FILE, env_text(ENVIRONMENT), mode=0o600)
    _database(host)
    url = ENVIRONMENT["DATABASE_URL"]
    host.run(["env", "-C", FOLDER, f"DATABASE_URL={url}", "venv/bin/python", "-m", "dashboard.migrate"])
    host.write(f"/etc/systemd/system/{UNIT}", UNIT_TEXT)
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "enable", "-q", UNIT])


def _database(host: LabHost) -> None:
    settings = [
        "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'",
        "ALTER SYSTEM SET max_connections = 40",
        f"CREATE ROLE ai_cost LOGIN PASSWORD '{PASSWORD}'",
        "CREATE DATABASE ai_cost OWNER ai_cost",
    ]
    psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    host.run([*psql, *(word for line in settings for word in ("-c", line))], user="postgres")
    host.run(["systemctl", "restart", "postgresql@15-main"])
    host.run([*psql, "-d", "ai_cost", "-c", "CREATE EXTENSION pg_stat_statements"], user="postgres")


def _copy(host: LabHost, source: Path, target: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(source.resolve(), arcname=".", filter=_plain)
    host.run(["mkdir", "-p", target])
    host.run(["tar", "-C", target, "-xf", "-"], input=packed.getvalue())


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode |= 0o755 if member.isdir() else 0o644
    return member
