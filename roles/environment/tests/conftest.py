"""What the suites of this role share."""

import pytest

# Reads variables of a process, and of a file as systemd would, by systemd itself: values never leave the host.
SAME = """
import os, subprocess, sys, time
pid, path, names = sys.argv[1], sys.argv[2], sys.argv[3:]
read = subprocess.run(
    ["systemd-run", "--quiet", "--pipe", "--wait", "-p", "EnvironmentFile=" + path, "env", "-0"],
    stdout=subprocess.PIPE, check=True).stdout
def variables(data):
    return dict(row.split(b"=", 1) for row in data.split(b"\\0") if b"=" in row)
wanted, running = variables(read), variables(open("/proc/%s/environ" % pid, "rb").read())
if not {b"PATH", b"INVOCATION_ID"} <= set(running):  # a title stands where the environment was: only times can tell
    ticks = int(open("/proc/%s/stat" % pid).read().rpartition(")")[2].split()[19])
    age = float(open("/proc/uptime").read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    running = wanted if time.time() - age >= os.stat(path).st_mtime - 1 else {}
for name in names or sorted(os.fsdecode(name) for name in wanted):
    key = os.fsencode(name)
    if key in (b"INVOCATION_ID", b"SYSTEMD_EXEC_PID", b"JOURNAL_STREAM", b"MEMORY_PRESSURE_WATCH"):
        continue
    if wanted.get(key) != running.get(key):
        print(name)
"""


@pytest.fixture
def path(variables):
    """The file's path."""
    found = variables.get("environment_path")
    assert found, "the inventory gives this host no environment_path to verify"
    return found


@pytest.fixture
def differing(host, path):
    """Return the variables whose value in a unit's main process is not the one in the file."""

    def compare(unit):
        pid = host.check_output("systemctl show --value -p MainPID -- %s", unit).strip()
        assert pid != "0", f"{unit} does not run"
        return host.check_output("python3 -c %s %s %s", SAME, pid, path).split()

    return compare
