"""What must be true of a host with a backend that this role has in its care; read by testinfra, not by opslib."""

RECORDS = "/var/lib/opslib/releases"


def test_what_is_in_place_is_what_was_recorded(events, in_place):
    """The commit in place is the one of the last event that changed it."""
    serving = [event for event in events if event.get("serves")]
    assert serving, "nothing was deployed yet"
    known = {event["id"]: event["commit"] for event in events}
    assert in_place[0] == known[serving[-1]["serves"]]


def test_nothing_is_half_done(host, variables, as_root):
    """No run was cut short."""
    assert not host.file(f"{RECORDS}/{variables['backend_app']}/pending").exists


def test_records_are_private(host, variables, as_root):
    """Nobody else reads what was deployed."""
    folder = host.file(f"{RECORDS}/{variables['backend_app']}")
    assert folder.mode & 0o007 == 0, oct(folder.mode)
    assert host.file(f"{folder.path}/history.jsonl").mode & 0o117 == 0


def test_checkout_is_clean(host, variables, as_root):
    """Nobody has changed the code by hand."""
    if variables.get("backend_strategy") == "in_place":
        path = variables["backend_path"]
        owner = host.check_output("stat -c %s %s", "%U", path)
        said = host.check_output("runuser -u %s -- git -C %s status --porcelain --untracked-files=no", owner, path)
        assert said == ""


def test_environment_fits_together(host, in_place, as_root):
    """The packages of the release have what they need."""
    done = host.run("%s -m pip check", f"{in_place[1]}/bin/python")
    assert done.rc == 0, done.stdout


def test_unit_file_is_the_one_of_the_release(host, variables, as_root):
    """What systemd was given is what the release has."""
    source = variables.get("backend_unit_file")
    if source:
        unit = variables["backend_unit"]
        unit = unit if "." in unit else f"{unit}.service"
        below = "" if variables.get("backend_strategy") == "in_place" else "/current"
        wanted = host.file(f"{variables['backend_path']}{below}/{source}").content_string
        assert host.file(f"/etc/systemd/system/{unit}").content_string == wanted


def test_unit_is_active(host, variables):
    """The unit runs."""
    unit = variables.get("backend_unit")
    if unit:
        assert host.check_output("systemctl is-active %s", unit) == "active"
