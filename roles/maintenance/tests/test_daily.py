"""What must be true of a host after its daily maintenance; read by testinfra, not by opslib."""

ALSO = ("capacity", "checklist")


def test_services_run(host, variables):
    """Every unit that must run is active."""
    for unit in variables["maintenance_services"]:
        state = host.run("systemctl is-active -- %s", unit).stdout.strip()
        assert state == "active", f"{unit} is {state}"


def test_endpoints_answer(variables, check_answer):
    """Every health endpoint answers from the host with the status and the JSON that are asked for."""
    for check in variables["maintenance_http_checks"]:
        check_answer(check)


def test_disks_have_room(host, variables, limit):
    """No file system is fuller than it may be, as df counts."""
    fail = limit("maintenance_disk_fail")
    paths = variables["maintenance_disk_paths"] or ["/"]
    for path in paths:
        row = host.check_output("df -P -B1 -- %s", path).splitlines()[-1].split()
        used, free, mount = float(row[-2].rstrip("%")), int(row[-3]), row[-1]
        if fail.percent is not None:
            assert used < fail.percent, f"{mount} is {used:g}% full"
        else:
            assert free >= fail.bytes, f"{mount} has {free} bytes free"


def test_memory_is_available(host, limit):
    """The kernel's own count of available memory is above the limit."""
    fail = limit("maintenance_memory_fail")
    rows = dict(line.split(":", 1) for line in host.file("/proc/meminfo").content_string.splitlines() if ":" in line)
    total, available = (int(rows[name].split()[0]) << 10 for name in ("MemTotal", "MemAvailable"))
    if fail.percent is not None:
        assert 100 * available / total >= fail.percent, f"{available} of {total} bytes are available"
    else:
        assert available >= fail.bytes, f"{available} bytes are available"
