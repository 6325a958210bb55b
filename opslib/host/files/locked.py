"""A folder that one run has to itself."""

from __future__ import annotations

import os

from opslib.host.task import TaskError

from . import tree


class Locked:
    """The folder, open and locked against other runs for as long as the `with` block lasts.

    doing: what another run is at, in words. Raises TaskError when there is another, or the folder cannot be entered.
    """

    def __init__(self, path: str, doing: str = "at work in") -> None:
        self.path = path
        self.doing = doing

    def __enter__(self) -> int:
        import fcntl

        try:
            self.fd = tree.open_folder(self.path)
        except OSError as error:
            raise TaskError("folder %s cannot be entered: %s" % (self.path, error.strerror)) from None
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.fd)
            words = "another run is %s %s just now; run again when it is done"
            raise TaskError(words % (self.doing, self.path)) from None
        except OSError:
            pass  # this file system locks no folders
        return self.fd

    def __exit__(self, *_error: object) -> None:
        os.close(self.fd)
