"""What must be true of a host after its weekly maintenance; read by testinfra, not by opslib."""

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(text):
    """Return "10G" as bytes."""
    text = str(text)
    return int(float(text[:-1]) * UNITS[text[-1]]) if text[-1] in UNITS else int(text)


def test_logs_are_not_too_large(host, variables):
    """All logs together take less than the limit, as du counts."""
    limit = size(variables.get("maintenance_log_fail", "10G"))
    total = 0
    for path in variables.get("maintenance_log_paths") or ["/var/log"]:
        words = host.run("du -sk -- %s", path).stdout.split()
        assert words, f"{path} cannot be measured"
        total += int(words[0]) * 1024
    assert total < limit
