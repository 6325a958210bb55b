"""What must be true of a host after its daily maintenance; read by testinfra, not by opslib."""

import pytest


def percent(text):
    """Return the number in "90%", or None for a size in bytes."""
    return float(str(text).rstrip("%")) if str(text).endswith("%") else None


def test_services_run(host, variables):
    """Every unit that must run is active."""
    for unit in variables.get("maintenance_services") or []:
        assert host.run("systemctl is-active %s", unit).stdout.strip() == "active", unit


def test_root_has_room(host, variables):
    """The root file system is below the limit, as df counts."""
    limit = percent(variables.get("maintenance_disk_fail", "90%"))
    if limit is None:
        pytest.fail("maintenance_disk_fail is no percentage; this suite reads percentages only")
    used = host.check_output("df -P / | tail -n 1 | awk '{print $5}'")
    assert float(used.rstrip("%")) < limit


def test_memory_is_available(host, variables):
    """The kernel's own count of available memory is above the limit."""
    limit = percent(variables.get("maintenance_memory_fail", "5%"))
    if limit is None:
        pytest.fail("maintenance_memory_fail is no percentage; this suite reads percentages only")
    rows = dict(line.split(":", 1) for line in host.file("/proc/meminfo").content_string.splitlines() if ":" in line)
    total, available = (int(rows[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    assert 100 * available / total > limit


def test_endpoints_answer(host, variables):
    """Every health endpoint answers from the host with the status that is asked for."""
    for check in variables.get("maintenance_http_checks") or []:
        wanted = check.get("status", 200)
        wanted = [int(code) for code in (wanted if isinstance(wanted, list) else [wanted])]
        script = (
            "import sys, urllib.request as u, urllib.error as e\n"
            "try: print(u.urlopen(sys.argv[1], timeout=10).status)\n"
            "except e.HTTPError as error: print(error.code)\n"
        )
        assert int(host.check_output("python3 -c %s %s", script, check["url"])) in wanted, check["url"]
