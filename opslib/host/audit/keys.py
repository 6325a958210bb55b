"""The keys that open accounts over ssh. Source: sshd(8) (AUTHORIZED_KEYS FILE FORMAT)."""

from __future__ import annotations

import os
import stat

from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Collection, Iterator, Sequence

MOST = 1000
LONGEST = 16 << 20
_KINDS = ("ssh-", "ecdsa-", "sk-")


def authorized(
    places: Sequence[tuple[str, str]],
    since: float,
    *,
    only: Collection[str] | None = None,
    problem: Callable[[str], object] | None = None,
) -> list[dict[str, Any]]:
    """Return the keys in files (account and path), at most 1000; each file once, by the path that no link leads to.

    A key is new when its file changed since then, as the kernel has it: nobody can set that time back. New ones come
    first. only: the fingerprints that are looked for, so that no heap of other keys hides them; problem: told of files
    that cannot be read or not be shown whole, its path first.
    """
    rows: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    seen: set[str] = set()
    for user, place in places:
        path = os.path.realpath(place)
        if path in seen:
            continue
        seen.add(path)
        try:
            text, status = read(path)
        except OSError as error:
            if problem is not None and error.errno not in (2, 20):  # ENOENT, ENOTDIR
                problem("%s: %s" % (printable(path), error.strerror))
            continue
        new = status.st_ctime >= since
        for key in parse(text):
            if only is not None and key["fingerprint"] not in only:
                continue
            if len(rows[new]) == MOST:
                if problem is not None:
                    problem("%s: there are more than %d keys" % (printable(path), MOST))
                break
            rows[new].append(dict(key, user=user, path=path, changed=status.st_ctime, new=new))
    return (rows[True] + rows[False])[:MOST]


def read(path: str, folder: int | None = None) -> tuple[str, os.stat_result]:
    """Return the text and status of a file of keys, which may be named from an open folder; no link is followed.

    Raises OSError, also for one that is no regular file or larger than 16 MiB.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(22, "it is no regular file", path)
        data = b""
        while len(data) <= LONGEST:
            piece = os.read(fd, 1 << 20)
            if not piece:
                return data.decode("utf-8", "surrogateescape"), status
            data += piece
        raise OSError(27, "it is larger than %d MiB" % (LONGEST >> 20), path)
    finally:
        os.close(fd)


def parse(text: str) -> Iterator[dict[str, Any]]:
    """Yield the keys in an authorized_keys: type, fingerprint as of ssh-keygen -l, comment, whether restricted.

    Whatever looks like a key is one, wherever in a line it stands: options may hold blanks and the names of key types,
    and must not hide the key that follows them.
    """
    import base64
    import binascii
    import hashlib

    for line in text.split("\n"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        for at in range(len(words) - 1):
            if not words[at].startswith(_KINDS):
                continue
            try:
                blob = base64.b64decode(words[at + 1], validate=True)
            except (binascii.Error, ValueError):
                continue
            digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
            yield {
                "type": printable(words[at])[:40],
                "fingerprint": "SHA256:" + digest,
                "comment": printable(" ".join(words[at + 2 :]))[:100],
                "options": at > 0,
            }
