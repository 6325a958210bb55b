"""What must be true of a host whose service the role has in its care; read by testinfra, not by opslib."""


def test_unit_is_active(unit, shown):
    """The unit runs, and is neither starting nor failed."""
    state = f"{shown['ActiveState']} ({shown['SubState']})"
    assert shown["ActiveState"] == "active", f"{unit} is {state}, its result is {shown['Result']}"


def test_unit_can_be_started(unit, shown):
    """The unit file is there and in order, and nothing masks it."""
    assert shown["LoadState"] == "loaded", f"{unit} is {shown['LoadState']}"


def test_unit_is_not_in_a_crash_loop(host, unit, shown):
    """Systemd did not have to restart the unit within the last minute."""
    uptime = float(host.file("/proc/uptime").content_string.split()[0])
    age = uptime - int(shown["ActiveEnterTimestampMonotonic"]) / 1e6
    restarts = int(shown.get("NRestarts", 0))
    assert shown["SubState"] != "auto-restart", f"{unit} crashed and is about to be started again"
    assert not restarts or age > 60, f"systemd restarted {unit} {restarts} times, the last time {age:.0f} s ago"


def test_port_is_owned_by_the_unit(host, variables, unit, as_root):
    """The port that the service is to serve is listened on by a process of the unit (or by systemd, for a socket)."""
    port = variables.get("service_port")
    if port:
        holders = host.check_output("ss --no-header --listening --tcp --numeric --processes %s", f"sport = :{port}")
        assert holders, f"nothing listens on port {port}"
        pids = {word.partition("pid=")[2].split(",")[0] for word in holders.split("(") if "pid=" in word}
        owners = set(host.check_output("ps -o unit= -p %s", ",".join(sorted(pids))).split())
        wanted = {"init.scope"} if unit.endswith(".socket") else {unit}
        assert owners == wanted, f"port {port} belongs to {', '.join(sorted(owners))}"


def test_url_answers(variables, check_answer):
    """The URL answers from the host with the status and the JSON that are asked for."""
    if variables.get("service_http"):
        check_answer(variables["service_http"])
