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
