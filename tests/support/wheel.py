"""Wheels made on the spot, for tests that install packages without a package index."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Sequence

__all__ = ["wheel"]


def wheel(name: str, version: str, *, requires: Sequence[str] = (), files: int = 0) -> tuple[str, bytes]:
    """Return the file name and the content of a wheel. files: how many more modules it has, to be slow to install."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    content = {
        f"{name}/__init__.py": f"__version__ = {version!r}\n",
        **{f"{name}/part{number}.py": f"NUMBER = {number}\n" for number in range(files)},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in content.items())
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-py3-none-any.whl", data.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
