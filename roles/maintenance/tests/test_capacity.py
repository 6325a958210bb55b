"""What must be true of a host whose capacity is watched; read by testinfra, not by opslib."""

import json
import time


def test_the_last_sample_is_young(host, variables, as_root):
    """The file of samples has lines that can be read, the last of them of the last day or so, and is bounded."""
    path = variables.get("maintenance_capacity_history", "/var/lib/opslib/capacity.jsonl")
    file = host.file(path)
    if not file.exists and not variables["maintenance_capacity_record"]:
        return
    assert file.exists, f"{path} is missing: run maintenance:capacity"
    rows = [json.loads(line) for line in file.content_string.splitlines()]
    assert 0 < len(rows) <= 5000
    assert time.time() - rows[-1]["t"] < 36 * 3600, f"the last sample in {path} is old"
