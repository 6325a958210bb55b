"""What must be true of a host whose service did not respond and was restarted; read by testinfra, not by opslib."""

import json


def test_service_is_up(unit, shown):
    """The unit runs, and systemd did not have to start it again."""
    assert shown["ActiveState"] == "active", f"{unit} is {shown['ActiveState']} ({shown['SubState']})"
    assert shown.get("NRestarts", "0") == "0", f"systemd has restarted {unit} {shown['NRestarts']} times"


def test_url_answers(variables, check_answer):
    """The URL answers from the host with the status and the JSON that are asked for."""
    if variables.get("incident_http"):
        check_answer(variables["incident_http"])


def test_evidence_is_there_and_private(host, variables, unit, as_root):
    """The newest archive can be read by root alone, and is about this unit."""
    folder = host.file(variables["incident_evidence_folder"])
    assert folder.mode == 0o700, f"{folder.path} has mode {folder.mode:o}"
    loose = host.check_output("find %s -type f -perm /077", folder.path)
    assert not loose, f"can be read by others: {loose}"
    text = host.check_output("tar -xzOf %s --wildcards %s", f"{folder.path}/latest.tar.gz", "*/summary.json")
    assert unit in [row["unit"] for row in json.loads(text)["units"]]
