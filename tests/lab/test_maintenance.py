"""The lists of the role `maintenance` beyond what `test_roles` runs: reviews, trends, what people do, upgrades."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Report, Status
from opslib.errors import PlaybookError
from opslib.lab import Lab, LabHost
from opslib.lab.pytest_plugin import LabFactory
from opslib.verify import verify
from support import site
from support.debian import Repository
from support.hosts import eventually
from support.looks import fingerprint
from support.system import System
from support.witness import Witnesses
from systems.install import PACKAGES

TLS = """
import http.server, ssl
server = http.server.HTTPServer(("127.0.0.1", 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/root/tls.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
HISTORY = "/var/lib/opslib/capacity.jsonl"
DAY = 86400


@pytest.fixture
def hosts(lab: Lab) -> Iterator[Sequence[LabHost]]:
    hosts = lab.hosts[:2]
    for host in hosts:
        site.prepare(host)
    yield hosts
    for host in hosts:
        host.reset()


@pytest.fixture
def inventory(lab: Lab, hosts: Sequence[LabHost], tmp_path: Path) -> Path:
    return site.inventory(lab, tmp_path / "inventory.yml", hosts, maintenance_file_audit=False)


def run(what: str, inventory: Path, engine: Any = "ssh", *, check: bool = False, **extra_vars: Any) -> Report:
    report = opslib.run_playbook(what, inventory, check=check, engine=engine, extra_vars=extra_vars)
    assert report.engine == engine
    return report


def statuses(report: Report) -> list[Status]:
    return [host.status for host in report.hosts.values()]


def step(report: Report, task: str, host: str = "lab1") -> Any:
    """Return the result of the first step of a task on a host."""
    return next(step for step in report.hosts[host].steps if step.task == task)


def test_quarterly(hosts: Sequence[LabHost], inventory: Path, witness: Witnesses) -> None:
    before = [fingerprint(host) for host in hosts]
    planned = run("opslib.runbook.quarterly", inventory, check=True)
    planned.raise_for_failures()
    assert [fingerprint(host) for host in hosts] == before
    done = run("opslib.runbook.quarterly", inventory)
    done.raise_for_failures()
    assert statuses(done) == [Status.CHANGED, Status.CHANGED]
    for host in hosts:
        (line,) = witness(host).file(HISTORY).content_string.splitlines()
        assert set(json.loads(line)) == {"t", "disks", "memory"}
    assert verify("maintenance", inventory) == 0
    again = run("opslib.runbook.quarterly", inventory)
    again.raise_for_failures()
    assert statuses(again) == [Status.OK, Status.OK]


def test_a_disk_that_fills_up_is_told_with_a_date(hosts: Sequence[LabHost], inventory: Path) -> None:
    hosts[0].run(["fallocate", "-l", "250M", "/srv/large"])
    run("maintenance:capacity", inventory).raise_for_failures()
    row = json.loads(hosts[0].read(HISTORY))
    ((mount, (used, free)),) = row["disks"].items()
    whole = used + free
    rows = []
    for day in range(30, 0, -1):  # a fortieth of what is left each day, so full forty days from now
        disks = {mount: [used - day * free // 40, free + day * free // 40]}
        rows.append({"t": int(time.time()) - day * DAY, "disks": disks, "memory": row["memory"]})
    hosts[0].write(HISTORY, "".join(json.dumps(each) + "\n" for each in rows))
    report = run("maintenance:capacity", inventory)
    report.raise_for_failures()
    (disk,) = step(report, "capacity_trend").data["disks"]
    assert disk["sure"] == "high"
    assert disk["full_seconds"] == pytest.approx(40 * DAY, rel=0.1)
    assert disk["used_bytes"] + disk["free_bytes"] == pytest.approx(whole, rel=0.05)
    assert any("will be full on" in text for text in step(report, "capacity_trend").warnings)
    for engine in ("ssh", "ansible"):
        failed = run("maintenance:capacity", inventory, engine, maintenance_capacity_fail="60d")
        assert statuses(failed) == [Status.FAILED, Status.OK]
    assert verify("maintenance:capacity", inventory) == 0


def test_what_people_do_has_a_state(hosts: Sequence[LabHost], inventory: Path, witness: Witnesses) -> None:
    told = run("maintenance:daily", inventory)
    assert "never done: Team training" in step(told, "checklist").warnings
    assert not [step for step in told.hosts["lab2"].steps if step.task == "checklist" and step.status is Status.OK]
    before = fingerprint(hosts[0])
    mark: dict[str, Any] = {"maintenance_checklist_done": ["Team training"], "maintenance_checklist_by": "anna"}
    run("maintenance:checklist", inventory, check=True, **mark).raise_for_failures()
    assert fingerprint(hosts[0]) == before
    assert statuses(run("maintenance:checklist", inventory, **mark))[0] is Status.CHANGED
    assert statuses(run("maintenance:checklist", inventory, **mark))[0] is Status.OK
    marks = json.loads(witness(hosts[0]).file("/var/lib/opslib/checklist.json").content_string)
    today = witness(hosts[0]).check_output("date -u +%F")
    assert marks == {"Team training": {"done": today, "by": "anna"}}
    assert "never done: Team training" not in step(run("maintenance:daily", inventory), "checklist").warnings
    strict = run("maintenance:checklist", inventory, maintenance_checklist_strict=True)
    assert "overdue: " in str(strict.hosts["lab1"].failure)
    with pytest.raises(PlaybookError, match="there is no item 'Team traning'"):
        run("maintenance:checklist", inventory, maintenance_checklist_done=["Team traning"])


def expiring(host: LabHost, work: Path) -> None:
    """Give a host a certificate that expires in two days."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=www.example.org"
    subprocess.run([*command.split(), "-keyout", "k", "-out", "c"], cwd=work, check=True, capture_output=True)
    host.write("/etc/nginx/ssl/site.pem", (work / "c").read_bytes())


def test_security_review(hosts: Sequence[LabHost], inventory: Path, lab: Lab, tmp_path: Path) -> None:
    good = run("opslib.runbook.security_review", inventory, maintenance_ports_only=["22", "8080"])
    good.raise_for_failures()
    assert statuses(good) == [Status.OK, Status.OK]
    hosts[0].run(["bash", "-c", "touch /etc/loose && chmod 666 /etc/loose; echo K=1 > /srv/.env; chmod 644 /srv/.env"])
    expiring(hosts[1], tmp_path)
    knock = ["ssh", "-F", str(lab.ssh_config), "-o", "IdentityFile=/dev/null", "-o", "IdentitiesOnly=yes"]
    subprocess.run([*knock, "-o", "BatchMode=yes", "-l", "intruder", "lab1", "true"], check=False, capture_output=True)
    pair = {"maintenance_ports_only": ["22"], "maintenance_ports_expected": ["22"]}
    for engine in ("ssh", "ansible"):
        bad = run("maintenance:security", inventory, engine, **pair)
        assert "8080" in str(bad.hosts["lab1"].failure)
        assert [row["users"] for row in step(bad, "login_audit").data["failed"]] == [["intruder"]]
        loose = run("maintenance:security", inventory, engine, maintenance_security_strict=True)
        assert "anybody can write to 1 file (folders count too): /etc/loose (0666)" in str(loose.hosts["lab1"].failure)
        assert "anybody can read 1 secret: /srv/.env (0644)" in str(loose.hosts["lab1"].failure)
        assert "/etc/nginx/ssl/site.pem (www.example.org) expires in 2 days" in str(loose.hosts["lab2"].failure)
    for host in hosts:
        host.write("/root/tls.pem", (tmp_path / "k").read_bytes() + (tmp_path / "c").read_bytes())
        host.run(["systemd-run", "-q", "python3", "-c", TLS])
        assert eventually(lambda host=host: ":8443" in host.run(["ss", "-Htln"]).stdout)
    strict = site.inventory(
        lab,
        tmp_path / "strict.yml",
        hosts,
        maintenance_security_strict=True,
        maintenance_ports_only=["22"],
        maintenance_certificate_endpoints=["8443"],
    )
    told: list[str] = []
    assert verify("maintenance:security", strict, on_output=told.append) == 2
    for words in (
        "anybody can write to /etc/loose",
        "anybody can read /srv/.env",
        "port 8080 is open on 0.0.0.0",
        "/etc/nginx/ssl/site.pem expires on",
        "127.0.0.1:8443 expires on",
    ):
        assert any(words in line for line in told), (words, told)


def test_monthly_upgrades_what_is_asked(
    hosts: Sequence[LabHost], inventory: Path, tmp_path: Path, witness: Witnesses, lab: Lab
) -> None:
    asked = site.inventory(lab, tmp_path / "asked.yml", hosts, maintenance_security_fail=1, maintenance_outdated_fail=1)
    for host in hosts:
        host.run(["bash", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*"])
        (tmp_path / host.name).mkdir()
        repository = Repository(host, tmp_path / host.name, "security", security=True)
        host.run(["dpkg", "-i", repository.add("tiny", "1.0")])
        repository.add("tiny", "1.1")
        host.run(["apt-get", "-q", "update"])
    for engine, what in (("ssh", "monthly"), ("ansible", "security")):
        told = run(f"maintenance:{what}", inventory, engine, maintenance_security_fail=1)
        assert "1 package without a security fix" in str(told.hosts["lab1"].failure)
    seen: list[str] = []
    assert verify("maintenance:monthly", asked, limit="lab1", on_output=seen.append) == 2
    assert any("1 packages lack a security fix: tiny" in line for line in seen), seen
    assert any("1 packages are outdated" in line for line in seen), seen
    done = run("maintenance:monthly", inventory, maintenance_os_upgrade="security", maintenance_security_fail=1)
    done.raise_for_failures()
    assert verify("maintenance:security", asked, limit="lab1") == 0
    for host in hosts:
        assert witness(host).package("tiny").version == "1.1"
    again = run("maintenance:monthly", inventory, maintenance_os_upgrade="security", maintenance_security_fail=1)
    assert statuses(again) == [Status.OK, Status.OK]


def test_python_packages_are_upgraded_and_what_uses_them_restarted(system: System, tmp_path: Path) -> None:
    venv, wanted = f"{system.folder}/venv", "/srv/wanted.txt"
    system.host.write(wanted, "trendcast==1.1\n")
    places = {"find_links": ["/srv/wheels"], "no_index": True}
    entry = {"venv": venv, "upgrade": True, "requirements": wanted, "unit": system.unit, **places}
    given = system.inventory(tmp_path / "hosts.yml", maintenance_venvs=[{**entry, "http": system.url("/health")}])
    started = system.host.run(["systemctl", "show", "--value", "-p", "MainPID", system.unit]).stdout

    def upgrade(engine: Any, *, check: bool = False) -> Status:
        done = opslib.run_playbook("maintenance:monthly", given, engine=engine, check=check, tags=["upgrade"])
        done.raise_for_failures()
        return done.hosts[system.host.name].status

    before = system.look()
    assert upgrade("ssh", check=True) is Status.CHANGED
    assert {key for key, value in system.look().items() if before.get(key) != value} == set()
    assert upgrade("ssh") is Status.CHANGED
    seen = system.witness
    version = "import trendcast; print(trendcast.__version__)"
    assert seen.check_output("%s -c %s", f"{venv}/bin/python", version) == "1.1"
    again = seen.check_output("systemctl show --value -p MainPID %s", system.unit)
    assert again != started.strip()
    assert upgrade("ansible") is Status.OK
    system.host.write(wanted, "trendcast==1.0\n")
    assert upgrade("ansible") is Status.CHANGED
    assert seen.check_output("%s -c %s", f"{venv}/bin/python", version) == "1.0"
    assert seen.check_output("systemctl show --value -p MainPID %s", system.unit) != again


def test_programs_that_were_changed_are_found(hosts: Sequence[LabHost], inventory: Path) -> None:
    hosts[0].run(["bash", "-c", "printf '\\n' >> /usr/bin/tac; touch -d '10 years ago' /usr/bin/tac"])
    for engine in ("ssh", "ansible"):
        told = opslib.run_playbook(
            "maintenance:quarterly",
            inventory,
            engine=engine,  # type: ignore[arg-type]
            tags=["files"],
            extra_vars={"maintenance_file_audit": True, "maintenance_security_strict": True},
        )
        assert "/usr/bin/tac" in str(told.hosts["lab1"].failure)
        assert "/usr/bin/tac" not in str(told.hosts["lab2"].failure)


def test_errors_in_logs_are_counted(hosts: Sequence[LabHost], lab: Lab, tmp_path: Path) -> None:
    counted = {"maintenance_error_logs": ["/srv/logs/site.log"], "maintenance_error_fail": 0}
    inventory = site.inventory(lab, tmp_path / "inventory.yml", hosts, **counted)
    now = hosts[0].run(["date", "-u", "+%Y-%m-%dT%H:%M:%SZ"]).stdout.strip()
    hosts[0].write("/srv/logs/site.log", f"{now} ERROR it broke\n")
    hosts[1].write("/srv/logs/site.log", f"{now} INFO all well\n")
    assert statuses(run("maintenance:daily", inventory)) == [Status.FAILED, Status.OK]
    told: list[str] = []
    assert verify("maintenance:daily", inventory, on_output=told.append) == 2
    assert any("1 errors within 1d; there may be 0" in line for line in told), told
    assert not [line for line in told if "lab2" in line], told


def test_database_and_environment_are_looked_after(lab_factory: LabFactory, tmp_path: Path) -> None:
    lab = lab_factory(1, packages=PACKAGES)
    (host,) = lab.hosts
    host.run(["python3", "-m", "venv", "/srv/venv"])
    path = tmp_path / "inventory.yml"
    variables: dict[str, Any] = {
        "ansible_become": True,
        "maintenance_memory_fail": "1%",
        "maintenance_file_audit": False,
        "maintenance_database": True,
        "maintenance_database_backup": True,
        "maintenance_venvs": [{"venv": "/srv/venv", "find_links": ["/srv"], "no_index": True}],
        "database_name": "postgres",
        "database_system_user": "postgres",
    }
    text = lab.inventory_text(user="ops") + "".join(
        f"    {key}: {json.dumps(value)}\n" for key, value in variables.items()
    )
    path.write_text(text)
    run("maintenance:daily", path).raise_for_failures()  # makes the first backup
    done = run("maintenance:monthly", path)
    done.raise_for_failures()
    tasks_done = {step.task for step in done.hosts["lab1"].steps if step.status in (Status.OK, Status.CHANGED)}
    assert {"postgres_queries", "postgres_backup", "postgres_proof", "python_packages"} <= tasks_done
    again = run("maintenance:monthly", path)
    assert statuses(again) == [Status.OK]
    assert verify("maintenance:weekly", path) == 0
    host.run(["bash", "-c", "rm -r /var/backups/postgres /srv/venv/lib/python3*/site-packages/pip"])
    told: list[str] = []
    assert verify("maintenance:weekly", path, on_output=told.append) == 2
    assert any("/var/backups/postgres holds no dump" in line for line in told), told
    assert any("/srv/venv: " in line for line in told), told
