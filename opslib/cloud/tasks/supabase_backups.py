"""Check the backups that Supabase makes of a project."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.cloud.spans import span
from opslib.cloud.supabase.task import SupabaseTask
from opslib.cloud.task import Plan, param
from opslib.host.params import Duration
from opslib.host.words import listed

if TYPE_CHECKING:
    from opslib.cloud.supabase.models import Backup, Backups

__all__ = ["SupabaseBackups"]


@dataclass(frozen=True, slots=True)
class _Seen:
    found: Backups
    now: float


class SupabaseBackups(SupabaseTask, name="supabase_backups"):
    """List the backups that Supabase has made, and hold the newest against the age that is promised.

    It fails when none is complete, when the newest complete one is too old, or when they do not reach back as far as
    `keep` asks. With restores to any moment (PITR) the reach of those counts, too. Whether a backup can be
    restored only a restore shows: see `postgres_proof` for dumps of one's own.

    data: `backups`, each with `id`, `status`, `made` (seconds since 1970), `age_seconds`, `physical`; the newest first;
    `newest_seconds` and `oldest_seconds` (ages of complete ones), `pitr`, `pitr_from` and `pitr_until` (seconds since
    1970), `region`. Source: https://supabase.com/docs/reference/api/v1-list-all-backups
    """

    max_age: float = param(
        Duration(low=1), "Seconds that the newest backup may be old; daily ones take a while to make.", default="26h"
    )
    keep: float | None = param(
        Duration(low=1), "Seconds that the oldest backup must reach back.", default=None, example="7d"
    )

    def look(self) -> _Seen:
        from opslib.cloud.supabase import models

        return _Seen(self.read(models.Backups, "/database/backups", "the backups"), time.time())

    def compare(self, state: _Seen) -> Plan:
        found = state.found
        rows = sorted((_row(each, state.now) for each in found.backups), key=lambda row: row["made"], reverse=True)
        done = [row["age_seconds"] for row in rows if row["status"] == "COMPLETED"]
        physical = found.physical_backup_data
        data: dict[str, Any] = {
            "backups": rows,
            "newest_seconds": done[0] if done else None,
            "oldest_seconds": done[-1] if done else None,
            "pitr": found.pitr_enabled,
            "pitr_from": physical.earliest_physical_backup_date_unix,
            "pitr_until": physical.latest_physical_backup_date_unix,
            "region": found.region,
        }
        newest, oldest = _reach(data, state.now)
        failed = [f"backup {row['id']} {span(row['age_seconds'])} ago" for row in rows if row["status"] == "FAILED"]
        warnings = [f"failed: {listed(failed)}"] if failed else []
        if newest is None or oldest is None:
            words = "Supabase has no complete backup of it; free projects get none: make dumps with postgres_backup"
            return Plan(failure=words, warnings=warnings, data=data)
        failure = ""
        if newest > self.max_age:
            failure = f"the newest backup is {span(newest)} old; {span(self.max_age)} are promised"
        elif self.keep is not None and oldest < self.keep:
            failure = f"backups reach back {span(oldest)} only; {span(self.keep)} are promised"
        reason = f"the newest of {len(done)} backups is {span(newest)} old"
        return Plan(reason=reason, failure=failure, warnings=warnings, data=data)


def _row(backup: Backup, now: float) -> dict[str, Any]:
    made = backup.inserted_at.timestamp()
    return {
        "id": backup.id,
        "status": str(backup.status),
        "made": round(made),
        "age_seconds": max(0, round(now - made)),
        "physical": backup.is_physical_backup,
    }


def _reach(data: dict[str, Any], now: float) -> tuple[float | None, float | None]:
    """Return the ages of the newest and the oldest moment that can be restored."""
    newest, oldest = data["newest_seconds"], data["oldest_seconds"]
    if data["pitr"] and data["pitr_from"] is not None and data["pitr_until"] is not None:
        newest = min(now - data["pitr_until"], now if newest is None else newest)
        oldest = max(now - data["pitr_from"], 0 if oldest is None else oldest)
    return newest, oldest
