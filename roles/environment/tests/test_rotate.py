"""What must be true of a host after a rotation of secrets; read by testinfra, not by opslib.

What test_update.py says must be true as well: `opslib verify environment` runs both.
"""


def test_rotated_variables_have_a_date(host, variables, path, as_root):
    """What the host made up stands under the line that says when, and is long enough to be a secret."""
    for key in variables.get("environment_rotate", []):
        if key in variables["environment_set"]:  # given: test_update.py looks at it
            continue
        line = f"^# opslib: {key} rotated [-0-9T:]+Z$"
        assert host.run("grep -qE %s %s", line, path).rc == 0, f"{key} was never rotated"
        assert host.run("grep -qE %s %s", f"^{key}=[-_A-Za-z0-9]{{22,}}$", path).rc == 0, f"{key} is no random value"


def test_no_previous_value_outlives_its_time(host, path, as_root):
    """No value from before a rotation is left behind its date."""
    rows = host.check_output("grep -oE '^# opslib: [A-Z0-9_a-z]+ expires [-0-9T:]+Z' %s || true", path).splitlines()
    now = host.check_output("date -u +%Y-%m-%dT%H:%M:%SZ")
    over = [row.split()[2] for row in rows if row.split()[-1] < now]
    assert not over, f"{', '.join(over)} should be gone: run the rotation again"
