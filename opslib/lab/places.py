"""Where a lab lives on this machine, and the locks that keep two labs apart."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .command import call
from .errors import LabError

__all__ = ["RUN", "cache_folder", "locked", "mounts_below", "remove_tree", "unmount_below"]

RUN = Path("/run/opslib-lab")
"""One folder per lab; names with a dot in front are the lab library's own."""


def cache_folder(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Where image tarballs are kept: the parameter, else `OPSLIB_LAB_CACHE`, else `~/.cache/opslib/lab`."""
    if given is not None:
        return given.expanduser().absolute()
    if environ.get("OPSLIB_LAB_CACHE"):
        return Path(environ["OPSLIB_LAB_CACHE"]).expanduser().absolute()
    return Path("~/.cache/opslib/lab").expanduser()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, which is made when it is not there. Waits for its turn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def mounts_below(folder: Path, table: str | None = None) -> list[str]:
    """Mount points at or below `folder`, deepest first."""
    text = Path("/proc/self/mountinfo").read_text() if table is None else table
    # proc(5): the mount point is the fifth field; blanks and backslashes are written in octal.
    points = [line.split(" ")[4].encode().decode("unicode_escape") for line in text.splitlines()]
    inside = [point for point in points if point == str(folder) or point.startswith(f"{folder}/")]
    return inside[::-1]


def unmount_below(folder: Path) -> None:
    """Unmount everything at and below `folder`.

    Raises LabError when something is still mounted there at the end.
    """
    for attempt in range(5):
        points = mounts_below(folder)
        if not points:
            return
        try:
            call(["umount", "--", *points] if attempt < 3 else ["umount", "--lazy", "--", *points])
        except LabError:
            time.sleep(0.1 * attempt)
    if left := mounts_below(folder):
        raise LabError(f"still mounted: {', '.join(left)}; run `umount --lazy` on them")


def remove_tree(folder: Path) -> None:
    """Remove `folder` and what is in it, after checking that nothing is mounted there.

    Raises LabError when a mount is left: removing would then delete another file system's files.
    """
    unmount_below(folder)
    if not folder.is_symlink() and folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise LabError(f"cannot remove {folder} in full; look what holds it with `fuser -vm {folder}`")
