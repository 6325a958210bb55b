"""Vercel's own command line, talking to the fake instead of the real service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from services import npm
from services.vercel import PROJECT, TEAM, Vercel

__all__ = ["program", "run"]


def program() -> str:
    """Return the path of the command line, installing it when it is missing."""
    return str(npm.installed(npm.VERCEL) / ".bin" / "vercel")


def run(service: Vercel, folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that is linked to the fake's project; given: its standard input."""
    (folder / ".vercel").mkdir(exist_ok=True)
    (folder / ".vercel" / "project.json").write_text(json.dumps({"projectId": PROJECT, "orgId": TEAM}))
    home = folder.with_name(folder.name + "-home")
    home.mkdir(exist_ok=True)
    line = [program(), *words, "--api", service.url, "--scope", "acme", "--global-config", str(home / "vercel")]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CI": "1",
        "NO_COLOR": "1",
        "NO_UPDATE_NOTIFIER": "1",
        "VERCEL_TELEMETRY_DISABLED": "1",
        "VERCEL_TOKEN": service.token,
    }
    return subprocess.run(line, cwd=folder, env=environment, input=given, capture_output=True, text=True, timeout=20)
