"""The Python versions that host code must run on, found on this machine."""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
import sys

import pytest

REQUIRED = ("3.8", "3.11", "3.13")
TOO_OLD = "3.7"


@functools.lru_cache(maxsize=None)
def find(version):
    """Return the path of a Python of this version, or None.

    Looked for in OPSLIB_TEST_PYTHONS (paths, separated by colons), the running Python, PATH, and pyenv's folder.
    """
    named = [path for path in os.environ.get("OPSLIB_TEST_PYTHONS", "").split(":") if path]
    folders = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/%s.*/bin/python%s" % (version, version))))
    on_path = shutil.which("python" + version)
    for path in [*named, sys.executable, *([on_path] if on_path else []), *folders]:
        if _version(path) == version:
            return path
    return None


def need(version):
    """Return the path of a Python of this version; without one the test is left out, in CI it fails."""
    path = find(version)
    if path is None:
        words = "there is no Python %s here; name one in OPSLIB_TEST_PYTHONS" % version
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return path


def _version(path):
    ask = [path, "-ISc", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(ask, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode().strip()
