"""What must be true of a database that is backed up; read by testinfra, sha256sum and pg_restore, not by opslib."""


def test_backup_is_what_its_manifest_says(host, newest, as_root):
    """The newest dump has the size and checksum of its manifest, and pg_restore can tell what is in it."""
    path, manifest = newest
    assert host.file(f"{path}.dump").size == manifest["bytes"]
    assert host.check_output("sha256sum %s", f"{path}.dump").split()[0] == manifest["sha256"]
    assert host.run("pg_restore --list %s", f"{path}.dump").rc == 0


def test_backups_are_private(host, variables, as_root):
    """Nobody but their owner can read backups."""
    loose = host.check_output("find %s -type f -perm /077", variables["database_backup_folder"])
    assert not loose, f"can be read by others: {loose}"


def test_nothing_half_done_is_left(host, variables, as_root):
    """No partial file is in the folder."""
    left = host.check_output("find %s -name '*.partial'", variables["database_backup_folder"])
    assert not left, f"left half-done: {left}"
