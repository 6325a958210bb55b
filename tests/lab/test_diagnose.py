"""The task `diagnose` on a real host: what it finds of a service that is in trouble, and what it must never keep."""

from __future__ import annotations

import json
import re
import time

import pytest

from opslib import Status, StepResult, tasks
from opslib.lab import LabHost
from support.apply import Apply
from support.hosts import eventually
from support.units import Units, website
from support.witness import Witnesses

SECRET = "canary-7d1e90aa41"
OTHER = "canary-of-another-unit-3c"
PARTS = ("processes.json", "listening.json", "disk.json", "changes.json")
PASSWORD = "canary-pw-55b2"
FOLDER = "/var/lib/opslib/evidence"
ENVIRONMENT = (
    f"# what the service is told\nAPI_KEY='{SECRET}'\nDATABASE_URL=postgresql://app:{PASSWORD}@db/app\nREGION=eu\n"
)


def only(result) -> StepResult:
    """Return the one step of a host's result."""
    assert result.error is None, result.error
    (step,) = result.steps
    return step


def found(step: StepResult) -> dict[str, str]:
    return {one["kind"]: one["words"] for one in step.data["findings"]}


def bundles(server: LabHost) -> list[str]:
    return server.run(["sh", "-c", f"ls {FOLDER} 2>/dev/null || true"]).stdout.split()


@pytest.fixture
def service(server: LabHost, units: Units) -> str:
    """A service that runs, with an environment file, a log that tells its secret, and a port."""
    server.write("/etc/shop.env", ENVIRONMENT, 0o600)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    server.write("/srv/shop/app.log", f"{stamp} ERROR cannot reach db with {SECRET} and password=hunter22\n")
    unit = units.add(
        "shop",
        "EnvironmentFile=/etc/shop.env",
        'Environment="DB_PASSWORD=pa$$word12"',
        f"ExecStartPre=/bin/echo starting with {SECRET}",
        f"ExecStart={website(server)} 8000",
    )
    units.control("start", unit)
    assert eventually(lambda: ":8000" in server.run(["ss", "-Htln"]).stdout)
    return unit


def test_bundle(server: LabHost, service: str, units: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    units.add(
        "ledger",
        f"Environment=LEDGER_TOKEN={OTHER}",
        "ExecStart=/bin/sh -c 'echo told $LEDGER_TOKEN; exec sleep 900'",
    )
    units.control("start", "ledger")
    assert eventually(lambda: "told" in server.run(["journalctl", "-u", "ledger", "-o", "cat"]).stdout)
    task = tasks.diagnose(
        unit="shop",
        others=["ledger"],
        required=["API_KEY", "REGION"],
        ports=[8000],
        logs=["/srv/shop"],
        endpoints=["http://127.0.0.1:8000/health"],
    )
    planned = only(rehearse(server, task))
    assert planned.status is Status.CHANGED
    assert [change.kind for change in planned.changes] == ["action"]
    step = only(apply(server, task))
    assert step.status is Status.CHANGED, step.error
    assert step.data["environment"]["missing"] == []
    assert step.data["ports"][0]["own"] is True
    seen = witness(server)
    bundle = seen.file(step.data["bundle"])
    assert (bundle.mode, bundle.user, seen.file(FOLDER).mode) == (0o600, "root", 0o700)
    assert seen.file(f"{FOLDER}/latest.tar.gz").linked_to == step.data["bundle"]
    names = seen.check_output("tar -tzf %s", step.data["bundle"])
    for name in ("summary.txt", "summary.json", "journal/shop.service.log", "logs/srv_shop_app.log", "memory.json"):
        assert f"/{name}\n" in names + "\n"
    parts = [seen.check_output("tar -xzOf %s --wildcards %s", step.data["bundle"], f"*/{one}") for one in PARTS]
    for part, words in zip(parts, ('"unit":"shop.service"', "sshd", '"mount":"/"', "packages")):
        assert words in part
    text = seen.check_output("tar -xzOf %s", step.data["bundle"])
    log = seen.check_output("tar -xzOf %s --wildcards %s", step.data["bundle"], "*/logs/srv_shop_app.log")
    assert "ERROR cannot reach db with *** and password=***" in log
    assert "starting with ***" in text
    everything = text + json.dumps(step.data) + str(step)
    assert "told ***" in text
    for secret in (SECRET, PASSWORD, OTHER, "hunter22"):
        assert secret not in everything
    # A second look is a second bundle; of all but the newest the folder is cleared.
    again = only(apply(server, tasks.diagnose(unit="shop", keep=1)))
    assert [name for name in bundles(server) if re.match("evidence-", name)] == [
        again.data["bundle"].rpartition("/")[2]
    ]
    assert again.data["removed"] == [step.data["bundle"].rpartition("/")[2]]


def test_missing_and_changed_variables_are_named(server: LabHost, service: str, rehearse: Apply) -> None:
    # What is in the file by now is not in the process that runs since before.
    later = ENVIRONMENT.replace(SECRET, "canary-new-value-1") + "SUPABASE_URL=https://canary-later\n"
    server.write("/etc/shop.env", later, 0o600)
    task = tasks.diagnose(unit="shop", required=["API_KEY", "STRIPE_KEY", "SUPABASE_URL"], write=False)
    step = only(rehearse(server, task))
    assert step.status is Status.OK
    assert (
        found(step)["missing_variable"] == "STRIPE_KEY, SUPABASE_URL are missing from the environment of shop.service"
    )
    assert found(step)["changed_variable"].startswith(
        "API_KEY, SUPABASE_URL changed in the files since shop.service was started"
    )
    assert "missing variables" in step.data["advice"]
    assert "canary" not in json.dumps(step.data)


def test_a_title_over_the_environment(server: LabHost, units: Units, rehearse: Apply, apply: Apply) -> None:
    """What a program wrote its title over is not known, so nothing is blamed on it, and nothing restarted for it."""
    server.write("/etc/shop.env", ENVIRONMENT, 0o600)
    title = '\'$$0 = "gunicorn: master" . ("x" x 30); sleep 1 while 1\''
    units.add("titled", "EnvironmentFile=/etc/shop.env", f"ExecStart=/usr/bin/perl -e {title}")
    units.control("start", "titled")
    pid = units.show("titled", "MainPID")
    assert eventually(lambda: "gunicorn" in server.run(["cat", f"/proc/{pid}/cmdline"]).stdout)
    step = only(rehearse(server, tasks.diagnose(unit="titled", required=["API_KEY", "REGION"], write=False)))
    assert "is not known: it wrote something else" in found(step)["environment"]
    assert not {"missing_variable", "changed_variable"} & set(found(step))
    step = only(apply(server, tasks.stale_credentials(unit="titled", env_file="/etc/shop.env")))
    assert (step.status, step.data["known"]) == (Status.OK, False)
    assert units.show("titled", "MainPID") == pid


def test_port_conflict_is_named(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("rogue", f"ExecStart={website(server)} 8003")
    units.add("shop", f"ExecStart={website(server)} 8003", "Restart=on-failure", "RestartSec=60")
    units.control("start", "rogue")
    assert eventually(lambda: ":8003" in server.run(["ss", "-Htln"]).stdout)
    units.control("start", "shop")
    assert eventually(lambda: units.show("shop", "SubState") == "auto-restart")
    step = only(apply(server, tasks.diagnose(unit="shop", ports=[8003], required=["HOME_OF_SHOP"])))
    pid = units.show("rogue", "MainPID")
    assert (
        found(step)["port_conflict"] == f"port 8003 is held by python3 (pid {pid}, rogue.service), not by shop.service"
    )
    assert "stop what holds the port" in step.data["advice"]
    assert "(as its files give it)" in found(step)["missing_variable"]
    assert (
        "Address already in use"
        in server.run(["sh", "-c", f"tar -xzOf {FOLDER}/latest.tar.gz --wildcards '*/journal/shop.service.log'"]).stdout
    )


def test_a_service_that_is_not_there_is_told(server: LabHost, rehearse: Apply) -> None:
    step = only(rehearse(server, tasks.diagnose(unit="nothing", ports=[8009], endpoints=["http://127.0.0.1:8009/"])))
    assert "does not exist" in found(step)["no_unit"]
    assert found(step)["port_silent"] == "nothing listens on port 8009"
    assert "refused" in found(step)["endpoint"]


def test_recent_releases_and_packages(server: LabHost, service: str, rehearse: Apply) -> None:
    now = time.time()
    when = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - ago)) for ago in (86400 * 30, 3600, 240)]
    rows = [
        {"id": f"r{number}", "commit": "abc123" * 6, "ref": f"v{number}", "at": at} for number, at in enumerate(when)
    ]
    server.write("/var/lib/opslib/releases/shop/releases.jsonl", "\n".join(map(json.dumps, rows)) + "\nnonsense\n")
    line = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - 600))
    server.write("/var/log/dpkg.log", f"{line} status installed x:all 1\n{line} upgrade libssl3:amd64 3.0.1 3.0.2\n")
    step = only(rehearse(server, tasks.diagnose(unit="shop", write=False)))
    assert [one["ref"] for one in step.data["releases"]] == ["v1", "v2"]
    assert found(step)["release"] == "release v2 (abc123abc123) went live 4 minutes ago"
    assert step.data["packages_changed"][-1]["package"] == "libssl3:amd64"
    server.run(["rm", "-r", "/var/lib/opslib/releases"])


def test_hostile_logs_and_no_room(server: LabHost, service: str, apply: Apply, witness: Witnesses) -> None:
    server.write("/srv/shop/we\nird.log", b"\x1b[2J\xff\xfe line\n" + b"x" * 3_000_000)
    server.write("/srv/shop/big.log", b"y" * 100 + b"\n" + (b"0123456789" * 20 + b"\n") * 9000)
    step = only(apply(server, tasks.diagnose(unit="shop", logs=["/srv/shop"], lines=10000, max_size="900K")))
    assert step.status is Status.CHANGED, step.error
    assert step.data["left_out"] != []
    assert "\x1b" not in witness(server).check_output("tar -xzOf %s", step.data["bundle"])
    before = bundles(server)
    server.fill_disk()
    try:
        full = only(apply(server, tasks.diagnose(unit="shop")))
    finally:
        server.free_disk()
    assert full.status is Status.FAILED
    assert "No space left on device" in str(full.error)
    assert full.data["units"][0]["active_state"] == "active"
    assert bundles(server) == before


def test_a_folder_of_others_is_refused(server: LabHost, service: str, apply: Apply) -> None:
    server.run(["install", "-d", "-o", "ops", "-m", "0777", "/srv/open"])
    step = only(apply(server, tasks.diagnose(unit="shop", to="/srv/open")))
    assert step.status is Status.FAILED
    assert "has mode 0777; evidence goes to a folder of our own, mode 0700" in str(step.error)
