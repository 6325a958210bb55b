"""What must be true of a host after its monthly maintenance; read by testinfra, not by opslib."""

DAYS = {"d": 1, "w": 7}


def days(text):
    """Return "30d" as a number of days."""
    text = str(text)
    return float(text[:-1]) * DAYS[text[-1]] if text[-1] in DAYS else float(text) / 86400


def test_old_logs_are_gone(host, variables):
    """Nothing that the retention names is older than it may be."""
    for rule in variables.get("maintenance_retention") or []:
        if not rule.get("delete", variables.get("maintenance_retention_delete", True)):
            continue
        age = days(rule.get("older_than", variables.get("maintenance_retention_older_than", "30d")))
        for pattern in rule.get("patterns") or ["*.log.*"]:
            found = host.check_output(
                "find %s -xdev -type f -name %s -mmin +%s", rule["root"], pattern, str(int(age * 1440) + 5)
            )
            assert not found, f"older than it may be: {found}"


def test_archives_are_private(host, variables):
    """What was archived can be read by its owner alone."""
    for rule in variables.get("maintenance_retention") or []:
        folder = rule.get("archive_to", variables.get("maintenance_retention_archive_to", "/var/backups/logs"))
        if host.file(folder).exists:
            assert not host.check_output("find %s -type f -perm /077", folder)


def test_rotation_is_configured(host, variables):
    """logrotate accepts the configuration as it stands."""
    for row in variables.get("maintenance_logrotate") or []:
        path = f"/etc/logrotate.d/{row['config']}"
        assert host.file(path).exists
        assert host.file(path).mode == 0o644
        tried = host.run("logrotate --debug --state /dev/null %s", path)
        assert tried.rc == 0
        assert "error:" not in tried.stderr
