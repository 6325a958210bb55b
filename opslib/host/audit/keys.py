"""The keys that open accounts over ssh. Sources: sshd(8) (AUTHORIZED_KEYS FILE FORMAT), sshd_config(5), passwd(5)."""

from __future__ import annotations

import os
import stat

from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

NAMES = (".ssh/authorized_keys", ".ssh/authorized_keys2")
MOST = 1000
_LONGEST = 1 << 20
_KINDS = ("ssh-", "ecdsa-", "sk-")


def authorized(accounts: Sequence[tuple[str, str]], since: float) -> list[dict[str, Any]]:
    """Return the keys of accounts (name and home).

    A key is new when its file changed since then, as the kernel has it: nobody can set that time back.
    """
    rows: list[dict[str, Any]] = []
    seen: set[tuple[int, int]] = set()
    for user, home in accounts:
        for name in NAMES:
            path = home.rstrip("/") + "/" + name
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                text = os.read(fd, _LONGEST).decode("utf-8", "replace")
            except OSError:
                continue
            finally:
                os.close(fd)
            for key in parse(text):
                if len(rows) < MOST:
                    rows.append(
                        dict(
                            key, user=user, path=printable(path), changed=status.st_ctime, new=status.st_ctime >= since
                        )
                    )
    return rows


def parse(text: str) -> Iterator[dict[str, Any]]:
    """Yield the keys in an authorized_keys: type, fingerprint as of ssh-keygen -l, comment, whether restricted."""
    import base64
    import binascii
    import hashlib

    for line in text.splitlines():
        words = line.strip().split()
        if not words or words[0].startswith("#"):
            continue
        at = next((number for number, word in enumerate(words) if word.startswith(_KINDS)), None)
        if at is None or at + 1 >= len(words):
            continue
        try:
            blob = base64.b64decode(words[at + 1], validate=True)
        except (binascii.Error, ValueError):
            continue
        digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
        yield {
            "type": words[at][:40],
            "fingerprint": "SHA256:" + digest,
            "comment": printable(" ".join(words[at + 2 :]))[:100],
            "options": at > 0,
        }


def accounts() -> list[tuple[str, str]]:
    """Return the names and homes in /etc/passwd."""
    try:
        with open("/etc/passwd", "rb") as file:
            rows = [line.split(":") for line in file.read(4 << 20).decode("utf-8", "replace").splitlines()]
    except OSError:
        return []
    return [(printable(row[0]), row[5]) for row in rows if len(row) > 6 and row[5].startswith("/")]
