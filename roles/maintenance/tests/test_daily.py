"""What must be true of a host after its daily maintenance; read by testinfra, not by opslib."""

ALSO = ("capacity", "checklist")

# File systems without storage of their own, or full by nature.
NO_STORAGE = (
    *("tmpfs", "devtmpfs", "overlay", "squashfs", "erofs", "iso9660", "efivarfs", "ramfs", "autofs"),
    *("fuse.snapfuse", "fuse.squashfuse", "fuse.lxcfs", "fuse.portal", "fuse.gvfsd-fuse"),
)
INODES = 95

# Counts lines with a word for an error and an ISO date of the window, in whichever zone; other dates are left out.
ERRORS = r"""
import calendar, glob, os, re, sys, time
begin, paths = time.time() - float(sys.argv[1]), sys.argv[2:]
line_of_error = re.compile(r"^\S{0,2}(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)\S*\s.*?\b(?:ERROR|CRITICAL|FATAL)\b")
found = 0
for pattern in paths:
    for path in glob.glob(os.path.join(pattern, "*.log") if os.path.isdir(pattern) else pattern):
        with open(path, encoding="utf-8", errors="replace") as log:
            for line in log:
                match = line_of_error.match(line)
                if match:
                    at = time.strptime(match.group(1) + match.group(2), "%Y-%m-%d%H:%M:%S")
                    found += min(calendar.timegm(at), time.mktime(at)) > begin
print(found)
"""


def test_services_run(host, variables):
    """Every unit that must run is active, and is not being started again and again."""
    for unit in variables["maintenance_services"]:
        text = host.check_output("systemctl show -p ActiveState,SubState,LoadState -- %s", unit)
        shown = dict(line.split("=", 1) for line in text.splitlines())
        assert shown["LoadState"] == "loaded", f"{unit} is {shown['LoadState']}"
        assert shown["ActiveState"] == "active", f"{unit} is {shown['ActiveState']} ({shown['SubState']})"


def test_endpoints_answer(variables, check_answer):
    """Every health endpoint answers from the host with the status and the JSON that are asked for."""
    for check in variables["maintenance_http_checks"]:
        check_answer(check)


def table(host, paths, kind):
    """Return what df says of paths, or of the root and all file systems with storage, by mount point."""
    others = " ".join(f"-x {name}" for name in NO_STORAGE)
    words = " ".join("%s" for _ in paths) or f"/; df -P --local {kind} {others}"
    text = host.run(f"df -P {kind} {words}", *paths).stdout
    rows = [line.split() for line in text.splitlines() if not line.startswith("Filesystem")]
    return {row[5]: (int(row[2]), int(row[3])) for row in rows if row[2].isdigit() and row[3].isdigit()}


def test_disks_have_room(host, variables, limit):
    """No file system that counts has more of its bytes or its inodes used than it may, as df counts."""
    fail = limit("maintenance_disk_fail")
    paths = variables["maintenance_disk_paths"]
    found = table(host, paths, "-B1")
    assert found, "df knows of no file system"
    for mount, (used, free) in found.items():
        if fail.percent is not None:
            assert 100 * used < fail.percent * (used + free), f"{mount} is {100 * used / (used + free):.1f}% full"
        else:
            assert free >= fail.bytes, f"{mount} has {free} bytes free"
    for mount, (used, free) in table(host, paths, "-i").items():
        assert 100 * used < INODES * (used + free or 1), f"{mount} has {used} of {used + free} inodes used"


def test_memory_is_available(host, limit):
    """The kernel's own count of available memory is above the limit."""
    fail = limit("maintenance_memory_fail")
    rows = dict(line.split(":", 1) for line in host.file("/proc/meminfo").content_string.splitlines() if ":" in line)
    total, available = (int(rows[name].split()[0]) << 10 for name in ("MemTotal", "MemAvailable"))
    if fail.percent is not None:
        assert 100 * available / total >= fail.percent, f"{available} of {total} bytes are available"
    else:
        assert available >= fail.bytes, f"{available} bytes are available"


def test_logs_hold_no_more_errors_than_they_may(host, variables, seconds, as_root):
    """Of the lines that begin with an ISO date of the window, no more are errors than there may be."""
    most, paths = variables.get("maintenance_error_fail"), variables["maintenance_error_logs"]
    if most is None or not paths:
        return
    words = " ".join("%s" for _ in paths)
    since = str(seconds("maintenance_error_since"))
    found = int(host.check_output(f"python3 -c %s %s {words}", ERRORS, since, *paths))
    assert found <= int(most), f"{found} errors within {variables['maintenance_error_since']}; there may be {most}"


def test_newest_backup_is_young_enough(host, variables, seconds, as_root):
    """Where the database is backed up here, there is a dump, and it is no older than it may be, and a day."""
    if not variables["maintenance_database_backup"]:
        return
    folder = variables.get("database_backup_folder", "/var/backups/postgres")
    age = seconds("database_backup_max_age", "15m") + 86400  # this suite may be run until the next daily run
    words = "find %s -type f -name '*.dump' -mmin %s ! -newermt '1 minute' | head -n 1"  # none of the future
    newest = host.check_output(words, folder, f"-{age / 60:.0f}")
    assert newest, f"{folder} holds no dump of the last {age / 3600:.0f} hours"
