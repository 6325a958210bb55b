"""What must be true of a host whose environment file the role has in its care; read by testinfra, not by opslib."""


def names(host, path):
    """Return the names that a file assigns."""
    rows = host.check_output("grep -oE '^[A-Za-z_][A-Za-z0-9_]*=' %s || true", path)
    return {row.rstrip("=") for row in rows.split()}


def test_the_file_is_private(host, variables, path, as_root):
    """Nobody else can read it, and nothing half-written lies beside it."""
    mode = int(str(variables["environment_mode"]), 8)
    assert host.file(path).mode == mode, f"{path} has mode {host.file(path).mode:o}"
    assert not host.file(f"{path}.opslib-new").exists, f"{path}.opslib-new was left behind"


def test_variables_are_there_and_gone(host, variables, path, as_root):
    """What is to be set has a line, and what is to be unset has none."""
    found = names(host, path)
    missing = set(variables["environment_set"]) - found
    assert not missing, f"not set: {', '.join(sorted(missing))}"
    left = set(variables["environment_unset"]) & found
    assert not left, f"still set: {', '.join(sorted(left))}"


def test_services_run_with_the_values(variables, differing, as_root):
    """Each service's main process has the very values that systemd reads from the file."""
    for row in variables["environment_units"]:
        found = differing(row["unit"])
        assert not found, f"{row['unit']} runs with other values of {', '.join(found)}"
