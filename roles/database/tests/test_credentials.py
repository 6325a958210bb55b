"""What must be true of a service whose credentials were changed; read by testinfra, not by opslib."""

# Compares on the host: neither side is shown.
_COMPARE = """
import os, shlex, sys, time
path, pid, *keys = sys.argv[1:]
file = {}
for line in open(path):
    key, sign, text = line.strip().partition("=")
    if sign and not key.startswith(("#", ";")):
        file[key] = "".join(shlex.split(text))
process = dict(pair.split("=", 1) for pair in open(f"/proc/{pid}/environ").read().split("\\0") if "=" in pair)
if {"PATH", "INVOCATION_ID"} <= set(process):
    print(",".join(key for key in keys if process.get(key) != file.get(key)))
else:  # a title stands where the environment was: only times can tell
    ticks = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[19])
    age = float(open("/proc/uptime").read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    print(",".join(keys) if time.time() - age < os.stat(path).st_mtime - 1 else "")
"""


def test_service_runs(host, variables):
    """The unit is up."""
    assert host.service(variables["database_unit"]).is_running


def test_service_has_the_credentials_of_the_file(host, variables, as_root):
    """The process has what the file holds; where that cannot be known, it began after the file's last change."""
    pid = host.check_output("systemctl show --value -p MainPID -- %s", variables["database_unit"])
    keys = variables.get("database_env_keys") or [variables["database_env_key"]]
    words = ["python3", "-c", _COMPARE, variables["database_env_file"], pid, *keys]
    different = host.check_output(" ".join(["%s"] * len(words)), *words)
    assert not different, f"{variables['database_unit']} runs with another {different} than the file holds"


def test_database_takes_the_credentials_of_the_file(sql):
    """They work."""
    assert sql("SELECT 1") == "1"
