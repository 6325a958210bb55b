"""What must be true of the host that keeps the checklist; read by testinfra, not by opslib."""

import json


def test_what_was_done_is_recorded(host, variables, as_root):
    """Items that were done have a day in the file, which can be read."""
    path = variables.get("maintenance_checklist_file", "/var/lib/opslib/checklist.json")
    if not host.file(path).exists:  # another host keeps the list, or nothing was done yet
        return
    done = variables["maintenance_checklist_done"]
    marks = json.loads(host.file(path).content_string)
    missing = [name for name in done if len(marks.get(name, {}).get("done", "")) != len("2026-01-31")]
    assert not missing, f"not recorded: {', '.join(missing)}"
