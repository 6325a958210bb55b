"""What must be true of a host after its service was restarted; read by testinfra, not by opslib."""

ALSO = ("status",)


def test_unit_is_up(unit, shown):
    """The unit runs."""
    assert shown["ActiveState"] == "active", f"{unit} is {shown['ActiveState']} ({shown['SubState']})"


def test_restart_was_clean(unit, shown):
    """systemd had to restart nothing since the last start, and that ended well."""
    assert shown.get("NRestarts", "0") == "0", f"systemd has restarted {unit} {shown['NRestarts']} times"
    assert shown["Result"] == "success", f"the last result of {unit} is {shown['Result']}"


def test_running_unit_is_the_configured_one(unit, shown):
    """The unit file has not changed since systemd read it."""
    assert shown["NeedDaemonReload"] == "no", f"{unit} changed on disk: systemctl daemon-reload, and restart it"
