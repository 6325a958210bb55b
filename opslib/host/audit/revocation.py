"""Take keys out of authorized_keys files that their owners, and whoever has broken in as them, may write to as well.

Everything goes through folder descriptors and O_NOFOLLOW; a file is written aside, with owner and mode, and renamed.
"""

from __future__ import annotations

import os
import stat

from opslib.host.files import tree

from . import keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Collection, Iterator, Sequence

_ASIDE = ".opslib-new"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def found(
    places: Sequence[tuple[str, str]], fingerprints: Collection[str], problem: Callable[[str], object] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield where these keys open accounts, in files (account and path): user, path, fingerprint, comment.

    problem: told of files that cannot be looked into.
    """
    for row in keys.authorized(places, 0, only=fingerprints, problem=problem):
        yield {name: row[name] for name in ("user", "path", "fingerprint", "comment")}


def without(text: str, fingerprints: Collection[str]) -> str:
    """Return an authorized_keys without the lines of these keys."""
    kept = []
    for line in text.split("\n"):
        if not any(key["fingerprint"] in fingerprints for key in keys.parse(line)):
            kept.append(line)
    return "\n".join(kept)


def remove(path: str, fingerprints: Collection[str]) -> None:
    """Remove keys from a file. Raises OSError."""
    parent, name = os.path.split(path)
    folder = tree.open_folder(parent)
    try:
        text, status = keys.read(name, folder)
        try:
            os.unlink(name + _ASIDE, dir_fd=folder)
        except FileNotFoundError:
            pass
        aside = os.open(name + _ASIDE, _NEW, 0o600, dir_fd=folder)
        try:
            os.fchown(aside, status.st_uid, status.st_gid)
            os.fchmod(aside, stat.S_IMODE(status.st_mode))
            data = without(text, fingerprints).encode("utf-8", "surrogateescape")
            while data:
                data = data[os.write(aside, data) :]
            os.fsync(aside)
        finally:
            os.close(aside)
        os.rename(name + _ASIDE, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)
