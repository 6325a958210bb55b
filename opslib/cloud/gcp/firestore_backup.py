"""The backup that an import is to read: named, or the newest that can be relied on; proven either way."""

from __future__ import annotations

from collections.abc import Callable

from opslib.cloud.errors import RefusedError
from opslib.cloud.gcp.backups import Proof, folders, prove, prove_items
from opslib.cloud.gcp.storage import Storage
from opslib.host.words import listed

__all__ = ["parted", "proven_backup"]

_MOST_PROVEN = 5


def parted(address: str) -> tuple[str, str]:
    """Return the bucket and the folder of gs://BUCKET/FOLDER."""
    bucket, _slash, folder = address.removeprefix("gs://").partition("/")
    return bucket, folder


def proven_backup(
    storage: Storage,
    backup: str | None,
    newest_below: str | None,
    *,
    verify: bool,
    told: Callable[[str], object] | None = None,
) -> Proof:
    """Return the proof of a backup: of the one that is named, or of the newest complete one in a folder.

    A named one may turn out to be no good: the proof says so. Of those in a folder, one that is no good is passed over
    for the next older. Raises RefusedError when the folder holds none that is good.
    """
    if backup is not None:
        bucket, folder = parted(backup)
        return prove(storage, bucket, folder, verify=verify, told=told)
    bucket, folder = parted(newest_below or "")
    items = storage.items(bucket, f"{folder}/")
    found = [each for each in folders(bucket, f"{folder}/", items) if each.finished is not None]
    bad = []
    for each in found[:_MOST_PROVEN]:
        proof = prove_items(storage, bucket, each.name, each.items, verify=verify, told=told)
        if proof.complete:
            return proof
        bad.append(f"{proof.url}: {listed(list(proof.problems), 2)}")
    why = listed(bad) if bad else "there is none that is complete"
    raise RefusedError(f"gs://{bucket}/{folder} holds no backup that can be relied on: {why}")
