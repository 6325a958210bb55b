"""What was read of web pages, kept for a while in a private folder, so that they are not asked more than is polite."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from dataclasses import dataclass, field

from opslib.host.task import TaskError

__all__ = ["Cache", "Entry", "default_folder"]

_LONGEST = 8 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A page as it was; taken: when it was last known to be so, in seconds since 1970."""

    etag: str
    taken: float
    body: bytes = field(repr=False)


def default_folder() -> str:
    """Return the folder below XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "opslib", "status")


class Cache:
    """A folder that only its owner may enter. Raises TaskError where somebody else may."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            found = os.lstat(folder)
        except OSError as error:
            raise TaskError(f"the cache {folder} cannot be made: {error.strerror}; name another one") from None
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise TaskError(f"the cache {folder} is not a folder that only you can write to; name another one")

    def get(self, url: str) -> Entry | None:
        """Return what is kept of a page; None when that is nothing, or cannot be understood."""
        try:
            with open(self._path(url), "rb") as file:
                data = json.loads(file.read(_LONGEST))
            if data["url"] != url:
                return None
            return Entry(str(data["etag"]), float(data["taken"]), data["body"].encode("utf-8", "surrogateescape"))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def put(self, url: str, etag: str, body: bytes) -> None:
        """Keep a page as it is now. What cannot be written is not kept."""
        text = body.decode("utf-8", "surrogateescape")
        data = json.dumps({"url": url, "etag": etag, "taken": time.time(), "body": text}).encode()
        path = self._path(url)
        aside = f"{path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
                file.write(data)
            os.replace(aside, path)

    def _path(self, url: str) -> str:
        return os.path.join(self._folder, hashlib.sha256(url.encode()).hexdigest()[:32] + ".json")
