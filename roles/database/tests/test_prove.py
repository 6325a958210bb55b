"""What must be true of a backup that was proven; read by testinfra and psql, not by opslib."""

import json


def test_newest_backup_is_proven(host, newest, as_root):
    """A proof of just this dump lies beside it."""
    path, manifest = newest
    assert host.file(f"{path}.proof").exists, f"{path}.dump was never proven"
    assert json.loads(host.file(f"{path}.proof").content_string)["sha256"] == manifest["sha256"]


def test_no_scratch_database_is_left(sql):
    """What the proof made is gone."""
    assert sql("SELECT datname FROM pg_database WHERE starts_with(datname, 'opslib_proof_')") == ""
