"""The wheels that the sample service's releases need, in one folder: lab hosts have no way out."""

from __future__ import annotations

import base64
import hashlib
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

__all__ = ["collect", "trendcast"]

REQUIREMENTS = Path(__file__).with_name("ai_cost_dashboard") / "requirements.txt"
PYTHON = "3.11"  # of the Debian release on lab hosts

_TRENDCAST = '''"""Forecasts costs by a straight line: a stand-in for packages that are a hundred times as big."""

import math

__version__ = "{version}"


class CostForecaster:
    """Fits a line to one number per day."""

    def fit(self, values):
        if not all(map(math.isfinite, values)):
            raise ValueError("the history holds values that are no numbers")
        n = len(values)
        middle, mean = (n - 1) / 2, sum(values) / n
        spread = sum((i - middle) ** 2 for i in range(n)) or 1
        self.slope = sum((i - middle) * (value - mean) for i, value in enumerate(values)) / spread
        self.start = mean + self.slope * (n - middle)
        return self

    def predict(self, days):
        return [round(max(self.start + self.slope * day, 0), 4) for day in range(days)]
'''
_BROKEN = 'raise ImportError("libtrend.so.4: cannot open shared object file: No such file or directory")\n'


def collect(folder: Path) -> None:
    """Fill `folder` with wheels: pip's, from the package index, and three versions of `trendcast`."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [line for line in REQUIREMENTS.read_text().split() if not line.startswith("trendcast")]
    tags = [f"{name}_{platform.machine()}" for name in ("manylinux2014", "manylinux_2_28")]
    options = ["--only-binary=:all:", f"--python-version={PYTHON}", *(f"--platform={tag}" for tag in tags)]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--dest", str(folder)]
    done = subprocess.run([*pip, *options, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the sample service's packages cannot be had: {done.stderr[-2000:]}")
    for version in ("1.0", "1.1", "2.0"):
        trendcast(folder, version, _BROKEN if version == "2.0" else _TRENDCAST.format(version=version))


def trendcast(folder: Path, version: str, code: str) -> Path:
    """Write a wheel of the package `trendcast` with this code."""
    info = f"trendcast-{version}.dist-info"
    files = {
        "trendcast/__init__.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: trendcast\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: sample\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in files.items())
    path = folder / f"trendcast-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
