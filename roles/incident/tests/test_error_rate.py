"""What must be true of a host whose errors are no more frequent than before; read by testinfra, not by opslib."""


def test_logs_are_there(host, variables, as_root):
    """Every log that is named can be read."""
    for path in variables["incident_logs"]:
        assert host.run("sh -c %s", f"test -r {path!r} || ls -d {path} >/dev/null").rc == 0, f"{path} is not there"
