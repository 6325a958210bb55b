"""What must be true of a service whose credentials were changed; read by testinfra, not by opslib."""

# Compares on the host: neither side is shown.
_COMPARE = """
import shlex, sys
path, pid, *keys = sys.argv[1:]
file = {}
for line in open(path):
    key, sign, text = line.strip().partition("=")
    if sign and not key.startswith(("#", ";")):
        file[key] = "".join(shlex.split(text))
process = dict(pair.split("=", 1) for pair in open(f"/proc/{pid}/environ").read().split("\\0") if "=" in pair)
print(",".join(key for key in keys if process.get(key) != file.get(key)))
"""


def test_service_runs(host, variables):
    """The unit is up."""
    assert host.service(variables["database_unit"]).is_running


def test_service_has_the_credentials_of_the_file(host, variables, as_root):
    """The environment of the running process holds what the file holds."""
    pid = host.check_output("systemctl show --value -p MainPID -- %s", variables["database_unit"])
    keys = variables.get("database_env_keys") or [variables["database_env_key"]]
    words = ["python3", "-c", _COMPARE, variables["database_env_file"], pid, *keys]
    different = host.check_output(" ".join(["%s"] * len(words)), *words)
    assert not different, f"{variables['database_unit']} runs with another {different} than the file holds"


def test_database_takes_the_credentials_of_the_file(sql):
    """They work."""
    assert sql("SELECT 1") == "1"
