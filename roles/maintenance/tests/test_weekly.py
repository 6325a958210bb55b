"""What must be true of a host after its weekly maintenance; read by testinfra, not by opslib."""

ALSO = ("daily",)

# du(1) with patterns worked out on the host, and names taken as they are.
MEASURE = """
import glob, subprocess, sys
paths = [path for pattern in sys.argv[1:] for path in glob.glob(pattern)]
done = subprocess.run(["du", "-scB1", "--", *paths], stdout=subprocess.PIPE, universal_newlines=True)
print(done.stdout.splitlines()[-1].split()[0] if paths else 0)
"""


def test_logs_are_not_too_large(host, variables, limit):
    """All logs together take less than the limit, as du counts."""
    fail = limit("maintenance_log_fail")
    paths = variables["maintenance_log_paths"]
    words = " ".join(["python3 -c %s", *("%s" for _ in paths)])
    taken = int(host.check_output(words, MEASURE, *paths))
    assert taken <= fail.bytes, f"logs take {taken} bytes, more than {fail.text}"


def test_packages_are_up_to_date(variables, upgradable):
    """Fewer packages are outdated than the limit, as apt lists them."""
    most = variables.get("maintenance_outdated_fail")
    if variables["maintenance_os_packages"] and most is not None:
        found = upgradable()
        assert len(found) < int(most), f"{len(found)} packages are outdated"


def test_python_packages_fit_each_other(host, variables, as_root):
    """No package of a virtual environment lacks what it needs, as pip itself says."""
    for row in variables["maintenance_venvs"]:
        checked = host.run("%s -m pip check --disable-pip-version-check", f"{row['venv']}/bin/python")
        assert checked.rc == 0, f"{row['venv']}: {(checked.stdout or checked.stderr).strip()[-500:]}"
