"""What must be true of a host after its monthly maintenance; read by testinfra, not by opslib."""

ALSO = ("weekly", "security")

MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440, "w": 10080}
ROTATED = ["*.log.*", "*.log-*"]


def minutes(text):
    """Return "30d", or a number of seconds, as minutes."""
    text = str(text)
    return float(text[:-1]) * MINUTES[text[-1]] if text[-1] in MINUTES else float(text) / 60


def is_open(host, path):
    """Whether a process has a file open; such logs are left alone."""
    return bool(host.run("find /proc/[0-9]*/fd -lname %s", path).stdout)


def test_old_logs_are_gone(host, variables, as_root):
    """Nothing that the retention names is older than it may be, save what is still written to."""
    for rule in variables["maintenance_retention"]:
        if not rule.get("delete", variables["maintenance_retention_delete"]):
            continue
        age = minutes(rule.get("older_than", variables["maintenance_retention_older_than"]))
        for pattern in rule.get("patterns") or ROTATED:
            command = "find %s -xdev -type f -name %s -mmin %s"
            found = host.check_output(command, rule["root"], pattern, f"+{age + 5:.0f}").splitlines()
            left = [path for path in found if not is_open(host, path)]
            assert not left, f"older than they may be: {', '.join(left[:10])}"


def test_archives_are_private(host, variables, as_root):
    """What was archived can be read by its owner alone, and by tar."""
    for rule in variables["maintenance_retention"]:
        folder = rule.get("archive_to", variables["maintenance_retention_archive_to"])
        if not host.file(folder).exists:
            continue
        loose = host.check_output("find %s -type f -perm /077", folder)
        assert not loose, f"can be read by others: {loose}"
        for archive in host.check_output("find %s -name '*.tar.gz'", folder).splitlines():
            assert host.run("tar -tzf %s", archive).rc == 0, f"{archive} cannot be read"


def test_rotation_is_configured(host, variables, as_root):
    """The configuration stands where it should, and logrotate has nothing against it beside all others."""
    for row in variables["maintenance_logrotate"]:
        path = f"{row.get('folder', '/etc/logrotate.d')}/{row['config']}"
        if row.get("state") == "absent":
            assert not host.file(path).exists, f"{path} is still there"
            continue
        assert host.file(path).exists, f"{path} is missing"
        assert host.file(path).mode == 0o644, f"{path} has mode {host.file(path).mode:o}"
        tried = host.run("logrotate --debug --state /dev/null /etc/logrotate.conf")
        assert f"reading config file {row['config']}" in tried.stderr, f"logrotate does not read {path}"
        against = [line for line in tried.stderr.splitlines() if line.startswith("error:") and row["config"] in line]
        assert not against, "; ".join(against)
