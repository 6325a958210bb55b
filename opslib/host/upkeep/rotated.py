"""Which secrets were rotated when, kept where the users whose secrets they are cannot write.

Of a value that was made up the record holds the SHA-256, so that it vouches for that value and no other.
"""

from __future__ import annotations

from opslib.host.upkeep import kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping


def path() -> str:
    """Return where the record is: a JSON object of files, each an object of variables with `at` and `sha256`."""
    return kept.folder() + "/rotated.json"


def entry(now: float, made: str | None) -> dict[str, Any]:
    """Return what to keep of a rotation. made: the value where it was made up, None where it was given."""
    return {"at": now, "sha256": None if made is None else _digest(made)}


def when(entries: Mapping[str, Any], key: str, value: str | None, *, given: bool) -> float | None:
    """Return when a variable got the value it has; None when the record does not say so.

    given: whether the value is one that was asked for, which needs nobody to vouch for it.
    """
    row = entries.get(key)
    if not isinstance(row, dict) or not isinstance(row.get("at"), (int, float)) or value is None:
        return None
    return float(row["at"]) if given or row.get("sha256") == _digest(value) else None


def read(file: str) -> dict[str, Any]:
    """Return the entries of an environment file; none when the record cannot be understood. Raises TaskError."""
    found = _all().get(file)
    return found if isinstance(found, dict) else {}


def add(file: str, entries: Mapping[str, Any]) -> None:
    """Keep entries of an environment file. Raises OSError, TaskError."""
    from opslib.host import wire

    everything = _all()
    everything[file] = dict(read(file), **entries)
    kept.write(path(), wire.dumps(everything) + "\n", 0o600)


def _all() -> dict[str, Any]:
    import json

    try:
        found = json.loads(kept.read(path()) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(value: str) -> str:
    import hashlib

    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
