"""A result file that is sure to be writable before a run, and whole or untouched after it."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from opslib.errors import UsageError

__all__ = ["ResultFile"]


class ResultFile:
    """A file to be written once, at the end: beside its place, then put there; readable by its owner only.

    A link keeps pointing where it points. A pipe or device is written to directly. Raises UsageError when the file
    cannot be written as things are now.
    """

    def __init__(self, path: str, option: str) -> None:
        self.path = path
        self._option = option
        self._stream: int | None = None
        if not path or "\0" in path:
            raise UsageError(f"{option}: {path!r} is no file name")
        self._place = Path(os.path.realpath(path))
        try:
            self._try_out()
        except OSError as error:
            raise UsageError(f"{option}: cannot write {path}: {_why(error, self._place)}") from error

    def write(self, text: str) -> None:
        """Write the file. Raises OSError; what stood there before is then untouched."""
        data = text.encode("utf-8", "backslashreplace")
        if self._stream is not None:
            with os.fdopen(self._stream, "wb") as stream:
                self._stream = None
                stream.write(data)
            return
        handle, aside = self._aside()
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(self._place)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise

    def _try_out(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(self.path).st_mode  # of a pipe in /dev/fd there is no other name
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(21, "it is a folder")
            if not stat.S_ISREG(mode):
                self._stream = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
                return
        handle, aside = self._aside()
        os.close(handle)
        aside.unlink()

    def _aside(self) -> tuple[int, Path]:
        handle, name = tempfile.mkstemp(prefix=f".{self._place.name[:100]}.", dir=self._place.parent)
        return handle, Path(name)


def _why(error: OSError, place: Path) -> str:
    if isinstance(error, FileNotFoundError) and not place.parent.is_dir():
        return f"the folder {place.parent} does not exist; create it first"
    return error.strerror or str(error)
