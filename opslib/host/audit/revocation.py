"""Take keys out of authorized_keys files that their owners, and whoever has broken in as them, may write to as well.

Everything goes through folder descriptors and O_NOFOLLOW; a file is written aside, with owner and mode, and renamed.
"""

from __future__ import annotations

import os
import stat

from opslib.host.files import private, tree

from . import keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Collection, Iterator, Sequence


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
        owner, mode = (status.st_uid, status.st_gid), stat.S_IMODE(status.st_mode)
        private.replace(folder, name, without(text, fingerprints), mode, owner)
    finally:
        os.close(folder)
