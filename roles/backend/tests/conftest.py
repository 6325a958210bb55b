"""What the suites of this role share."""

import json

import pytest

RECORDS = "/var/lib/opslib/releases"


@pytest.fixture
def events(host, variables, as_root):
    """What is recorded of the application's releases, oldest first."""
    app = variables.get("backend_app")
    assert app, "the inventory gives this host no backend_app to verify"
    text = host.check_output("cat %s", f"{RECORDS}/{app}/history.jsonl")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def in_place(host, variables, as_root):
    """The commit that is in place, by git or by the link, and the folder of the application's environment."""
    path = variables["backend_path"]
    below = [variables.get("backend_subfolder") or "", variables.get("backend_venv") or "venv"]
    if variables.get("backend_strategy") == "in_place":
        owner = host.check_output("stat -c %s %s", "%U", path)
        commit = host.check_output("runuser -u %s -- git -C %s rev-parse HEAD", owner, path)
        folder = path
    else:
        folder = host.check_output("readlink -e %s", f"{path}/current")
        release = folder.rpartition("/")[2]
        pin = host.check_output("find %s -path %s", f"{path}/repository.git/refs", f"*/opslib/{release}")
        commit = host.check_output("cat %s", pin)
    return commit.strip(), "/".join([folder, *filter(None, below)])
