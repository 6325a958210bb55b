"""What must be true of a host whose errors are no more frequent than before; read by testinfra, not by opslib."""

_READ = """
import glob, os, sys
found = glob.glob(sys.argv[1])
bad = [path for path in found if not os.access(path, os.R_OK)]
sys.exit("cannot be read: " + ", ".join(bad) if bad else 0 if found else sys.argv[1] + " is not there")
"""


def test_logs_are_there(host, variables, as_root):
    """Every log that is named can be read."""
    for path in variables["incident_logs"]:
        done = host.run("python3 -c %s %s", _READ, path)
        assert done.rc == 0, done.stderr.strip().splitlines()[-1]
