"""What must be true of a host after an outage was ended; read by testinfra, not by opslib."""


def test_units_run(host, variables):
    """Every unit is active, and systemd did not have to start it again."""
    for row in variables["emergency_units"]:
        state = host.run("systemctl is-active -- %s", row["unit"]).stdout.strip()
        assert state == "active", f"{row['unit']} is {state}"
        restarts = host.check_output("systemctl show --value --property=NRestarts -- %s", row["unit"])
        assert restarts in ("", "0"), f"systemd has restarted {row['unit']} {restarts} times"


def test_endpoints_answer(variables, check_answer):
    """Every endpoint answers from the host with the status and the JSON that are asked for."""
    for check in variables["emergency_endpoints"]:
        check_answer(check)


def test_evidence_is_private(host, variables, as_root):
    """The evidence can be read by root alone."""
    folder = host.file(variables["emergency_evidence_folder"])
    assert folder.mode == 0o700, f"{folder.path} has mode {folder.mode:o}"
    loose = host.check_output("find %s -type f -perm /077", folder.path)
    assert not loose, f"can be read by others: {loose}"
