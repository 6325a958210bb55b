"""What must be true of a host whose errors are no more frequent than before; read by testinfra, not by opslib."""

_READ = """
import glob, os, sys
found = glob.glob(sys.argv[1])
bad = [path for path in found if not os.access(path, os.R_OK)]
sys.exit("cannot be read: " + ", ".join(bad) if bad else 0 if found else sys.argv[1] + " is not there")
"""

# Counts lines with a level and an ISO date of the window, in text or JSON, in whichever zone; other dates are left out.
_ERRORS = r"""
import calendar, glob, os, re, sys, time
begin, levels, paths = time.time() - float(sys.argv[1]), sys.argv[2], sys.argv[3:]
dated = re.compile(r"^.{0,60}?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")
of_error = re.compile(r"\b(?:%s)\b" % levels)
found = 0
for pattern in paths:
    for path in glob.glob(os.path.join(pattern, "*.log") if os.path.isdir(pattern) else pattern):
        with open(path, encoding="utf-8", errors="replace") as log:
            for line in log:
                match = dated.match(line)
                if match and of_error.search(line):
                    at = time.strptime(match.group(1) + match.group(2), "%Y-%m-%d%H:%M:%S")
                    found += min(calendar.timegm(at), time.mktime(at)) > begin
print(found)
"""
_SPANS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def test_errors_are_as_rare_as_they_must_be(host, variables, as_root):
    """Of the lines of the window no more are errors than may be, where there is a number."""
    most = variables.get("incident_per_minute")
    if most is None:
        return
    text = str(variables["incident_since"]).strip()
    number = text.rstrip("smhdw")
    seconds = float(number) * _SPANS[text[len(number) :]]
    paths = variables["incident_logs"]
    words = " ".join("%s" for _ in paths)
    levels = "|".join(variables["incident_levels"])
    found = int(host.check_output(f"python3 -c %s %s %s {words}", _ERRORS, str(seconds), levels, *paths))
    assert found * 60 <= float(most) * seconds, f"{found} errors within {text}; there may be {most} per minute"


def test_logs_are_there(host, variables, as_root):
    """Every log that is named can be read."""
    for path in variables["incident_logs"]:
        done = host.run("python3 -c %s %s", _READ, path)
        assert done.rc == 0, done.stderr.strip().splitlines()[-1]
