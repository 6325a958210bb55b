"""Which backups may go; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from opslib.cloud.gcp.backups import MARKER, Backup

__all__ = ["Judged", "Policy", "is_export", "judge"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked. older_than: seconds; keep: patterns of names; unfinished: whether such may go."""

    keep_last: int
    older_than: float
    keep: Sequence[str]
    unfinished: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """The backups that go, the oldest first, and those that stay, each with the reason."""

    gone: Sequence[Backup]
    kept: Sequence[tuple[Backup, str]]


def judge(backups: Sequence[Backup], good: Sequence[str], policy: Policy, now: datetime) -> Judged:
    """Divide backups.

    good: names of the newest that were proven, the newest first. Nothing goes while there are fewer than `keep_last` of
    them; nothing goes of which any object is younger than `older_than`, held or retained.
    """
    few = f"only {len(good)} of {policy.keep_last} good ones are known"
    gone, kept = [], []
    for backup in backups:
        if backup.name in good[: policy.keep_last]:
            why = "it is one of the newest"
        elif now - backup.newest < timedelta(seconds=policy.older_than):
            why = "it is too young"
        elif any(fnmatchcase(backup.name.rpartition("/")[2], pattern) for pattern in policy.keep):
            why = "its name is to be kept"
        elif backup.finished is None and not policy.unfinished:
            why = "it is unfinished"
        elif backup.finished is None and not is_export(backup):
            why = "it does not look like an export"
        elif len(good) < policy.keep_last:
            why = few
        else:
            why = _bound(backup, now)
        if why:
            kept.append((backup, why))
        else:
            gone.append(backup)
    return Judged(sorted(gone, key=_age), kept)


def is_export(backup: Backup) -> bool:
    """Whether everything in a folder is what exports consist of."""
    names = [item.name.rpartition("/")[2] for item in backup.items]
    return all(not name or name.endswith((".export_metadata", MARKER)) or name.startswith("output-") for name in names)


def _bound(backup: Backup, now: datetime) -> str:
    """Return what keeps an object of a backup from being deleted, "" for nothing."""
    for item in backup.items:
        if item.held:
            return f"{item.shown} is {item.held}"
        if item.until is not None and item.until > now:
            return f"{item.shown} is retained until {item.until.isoformat(timespec='seconds')}"
    return ""


def _age(backup: Backup) -> tuple[datetime, str]:
    return backup.newest, backup.name
