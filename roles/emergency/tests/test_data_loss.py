"""What must be true of a host whose writes are stopped, or go on again; read by testinfra, not by opslib."""


def test_writes_are_as_asked(host, variables):
    """Stopped: nothing that writes runs, and nothing can start it. Resumed: nothing of that is left."""
    stopped = variables["emergency_writes"] == "stopped"
    for name in variables["emergency_write_units"]:
        unit = name if "." in name else f"{name}.service"
        state = host.run("systemctl is-active -- %s", unit).stdout.strip()
        shown = host.check_output("systemctl show --value --property=DropInPaths -- %s", unit)
        held = f"zz-opslib-writes-{variables['emergency_record']}.conf" in shown
        assert held is stopped, f"{unit} can {'' if stopped else 'not '}be started"
        assert not (stopped and state == "active"), f"{unit} runs"


def test_record_is_private(host, variables, as_root):
    """The record of what was stopped can be read by root alone, and is gone when writes are resumed."""
    record = host.file(f"/var/lib/opslib/writes/{variables['emergency_record']}.json")
    assert record.exists is (variables["emergency_writes"] == "stopped")
    if record.exists:
        assert record.mode == 0o600, f"{record.path} has mode {record.mode:o}"
