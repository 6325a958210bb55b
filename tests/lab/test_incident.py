"""The role `incident` on the sample system: evidence first, errors laid to a release, leaks told from noise."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Report, Status, tasks
from opslib.output.summary import summary
from opslib.verify import verify
from support.hosts import eventually
from support.system import System

ENGINES = ("ssh", "ansible")


@pytest.fixture
def inventory(standing_system: System, tmp_path: Path) -> Path:
    """An inventory into which `ops` logs in."""
    system = standing_system
    path = tmp_path / "inventory.yml"
    variables: Mapping[str, Any] = {
        "ansible_become": True,
        "incident_unit": "ai-cost-dashboard",
        "incident_port": system.port,
        "incident_http": {"url": system.url("/health"), "timeout": "3s"},
        "incident_settle": 0.5,
        "incident_logs": [f"{system.folder}/logs"],
        "incident_other_units": ["postgresql@15-main"],
        "incident_required_variables": ["DATABASE_URL", "ANTHROPIC_API_KEY"],
    }
    text = system.lab.inventory_text(user="ops", hosts=[system.host])
    path.write_text(text + "".join(f"    {name}: {json.dumps(value)}\n" for name, value in variables.items()))
    return path


@pytest.fixture(autouse=True)
def as_it_was(standing_system: System) -> Iterator[None]:
    yield
    system = standing_system
    system.faults()
    system.host.run(["systemctl", "stop", "squatter"], check=False)
    given = system.host.read(system.env_file)
    system.configure()
    if given != system.host.read(system.env_file) or system.get("/health")[0] != 200:
        system.restart()


def run(inventory: Path, entry: str, engine: Any = "ssh", *, check: bool = False, **extra: Any) -> Report:
    report = opslib.run_playbook(f"opslib.runbook.{entry}", inventory, engine=engine, check=check, extra_vars=extra)
    assert report.engine == engine
    return report


def status(report: Report) -> Status:
    (host,) = report.hosts.values()
    return host.status


def failure(report: Report) -> str:
    (host,) = report.hosts.values()
    return str(host.failure)


def data(report: Report, task: str) -> dict[str, Any]:
    (host,) = report.hosts.values()
    return dict(next(step.data for step in host.steps if step.task == task))


def kinds(report: Report) -> list[str]:
    return [one["kind"] for one in data(report, "diagnose")["findings"]]


def pid(system: System) -> str:
    return str(system.host.run(["systemctl", "show", "--value", "-p", "MainPID", system.unit]).stdout.strip())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_service_that_hangs(standing_system: System, inventory: Path, engine: str) -> None:
    system = standing_system
    system.host.run(["rm", "-rf", "/var/lib/opslib/evidence"])
    system.faults("hang")
    before, running = system.look(), pid(system)
    if engine == "ssh":
        planned = run(inventory, "not_responding", engine, check=True)
        assert status(planned) is Status.CHANGED, failure(planned)
        after = system.look()
        assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == set()
        assert "endpoint" in kinds(planned)
    report = run(inventory, "not_responding", engine)  # a restart ends a hang
    assert status(report) is Status.CHANGED, failure(report)
    assert pid(system) != running
    assert verify("incident:not_responding", inventory) == 0
    text = system.witness.check_output("tar -xzOf /var/lib/opslib/evidence/latest.tar.gz")
    for secret in (system.password, system.environment["ANTHROPIC_API_KEY"]):
        assert secret not in text
        assert secret not in json.dumps(report.to_dict())


def test_a_full_disk_keeps_nothing_from_being_restarted(standing_system: System, inventory: Path) -> None:
    system = standing_system
    system.faults("hang")
    running = pid(system)
    system.host.fill_disk()
    try:
        only = run(inventory, "not_responding", incident_restart=False)
        report = run(inventory, "not_responding")
    finally:
        system.host.free_disk()
    assert status(report) is Status.CHANGED, failure(report)
    assert pid(system) != running
    assert "endpoint" in kinds(report)
    (told,) = [row.text for row in summary(report) if "which was to be ignored" in row.text]
    assert "No space left on device; found: " in told
    assert "No space left on device" in failure(only)  # there was nothing else to do


@pytest.mark.parametrize(
    ("engine", "fault", "words"),
    [
        ("ssh", "error500@/health", "/health: it answered 500"),
        ("ansible", "error500@/health", "/health: it answered 500"),
        ("ssh", "hang_at_start", "runs, but nothing listens on port 8000"),
        ("ansible", "hold_port", "address already in use"),
    ],
)
def test_a_restart_that_does_not_help(
    standing_system: System, inventory: Path, engine: str, fault: str, words: str
) -> None:
    """The evidence is kept, and the failure says what is still wrong."""
    standing_system.configure(FAULT=fault)
    report = run(inventory, "not_responding", engine, incident_start_timeout=6)
    assert status(report) is Status.FAILED
    assert words in failure(report) + "".join(data(report, "service")["log"])
    assert standing_system.witness.file(data(report, "diagnose")["bundle"]).mode == 0o600
    assert verify("incident:not_responding", inventory) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_port_conflict_and_a_missing_variable_are_named(
    standing_system: System, inventory: Path, engine: str
) -> None:
    system = standing_system
    system.configure(ANTHROPIC_API_KEY=None)
    system.hold_port()
    report = run(inventory, "not_responding", engine, incident_start_timeout=5, incident_settle=1)
    assert status(report) is Status.FAILED
    words = {one["kind"]: one["words"] for one in data(report, "diagnose")["findings"]}
    assert "squatter.service), not by ai-cost-dashboard.service" in words["port_conflict"]
    assert words["missing_variable"].startswith("ANTHROPIC_API_KEY is missing from")
    assert data(report, "diagnose")["advice"].startswith("stop what holds the port")
    only = run(inventory, "not_responding", incident_restart=False)
    assert status(only) is Status.CHANGED
    assert [step.status for step in next(iter(only.hosts.values())).steps if step.task == "service"] in (
        [],
        [Status.SKIPPED],
    )


def test_evidence_is_fetched(standing_system: System, inventory: Path, tmp_path: Path) -> None:
    assert status(run(inventory, "not_responding", incident_restart=False)) is Status.CHANGED
    fetched = run(inventory, "fetch_evidence", "ansible", evidence_to=str(tmp_path / "evidence"))
    assert status(fetched) is Status.CHANGED, failure(fetched)
    here = tmp_path / "evidence" / f"{standing_system.host.name}.tar.gz"
    there = standing_system.witness.check_output("sha256sum /var/lib/opslib/evidence/latest.tar.gz").split()[0]
    assert hashlib.sha256(here.read_bytes()).hexdigest() == there
    assert here.parent.stat().st_mode & 0o777 == 0o700


def release(system: System, ago: float, ref: str) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))
    row = {"app": "dashboard", "id": f"r-{ref}", "commit": system.commit("v1.1.0"), "ref": ref, "act": "deploy"}
    line = json.dumps({**row, "outcome": "good", "at": at, "switched": True})
    system.host.write("/var/lib/opslib/releases/dashboard/history.jsonl", line + "\n")


def log(system: System, lines: Sequence[tuple[float, str]]) -> None:
    rows = [
        json.dumps(
            {
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago)),
                "level": level,
                "message": "from request 5",
            }
        )
        for ago, level in lines
    ]
    system.host.write("/srv/old/app.log", "\n".join(rows) + "\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_errors_that_began_with_a_release(
    standing_system: System, inventory: Path, engine: str, tmp_path: Path
) -> None:
    system = standing_system
    log(system, [(3600 - 60 * n, "INFO") for n in range(50)])
    release(system, 20, "v1.2.0")
    logs = [f"{system.folder}/logs/app.log", "/srv/old/app.log"]
    if engine == "ssh":
        quiet = run(inventory, "error_rate", incident_logs=["/srv/old/app.log"])
        assert status(quiet) is Status.OK, failure(quiet)
        assert verify("incident:error_rate", inventory) == 0
    system.faults("errors=20")
    assert eventually(lambda: system.host.run(["tail", "-n", "60", logs[0]]).stdout.count("ERROR") > 20)
    report = run(inventory, "error_rate", engine, incident_logs=logs)
    assert status(report) is Status.FAILED
    assert "after release v1.2.0" in failure(report)
    assert "roll release v1.2.0" in failure(report)
    found = data(report, "error_rate")
    assert (found["related"], found["high"]) == (True, True)
    system.host.run(["rm", "-r", "/var/lib/opslib/releases"])
    told: list[str] = []
    strict = tmp_path / "strict.yml"
    given = inventory.read_text().replace("incident_logs:", "unused:")
    strict.write_text(f"{given}    incident_logs: {json.dumps(logs)}\n    incident_per_minute: 0.1\n")
    assert verify("incident:error_rate", strict, on_output=told.append) == 2
    assert any("errors within 1h; there may be 0.1 per minute" in line for line in told), told
    alone = run(inventory, "error_rate", incident_logs=logs)
    assert "release v1" not in failure(alone)


def test_a_log_that_fills_up(standing_system: System, inventory: Path) -> None:
    """The switch writes what nobody rotates: the weekly look at logs finds it, and names it."""
    system, log = standing_system, f"{standing_system.folder}/logs/app.log"
    system.faults("fill_log=2000")
    assert eventually(lambda: int(system.host.run(["stat", "-c", "%s", log]).stdout) > 1 << 20, 30)
    (step,) = system.apply(tasks.log_size(paths=[f"{system.folder}/logs"], warn="100K", fail="1M")).steps
    assert step.status is Status.FAILED
    assert "app.log" in str(step.error) + json.dumps(step.data)


def test_a_leak(standing_system: System, inventory: Path) -> None:
    system = standing_system
    watch = {"incident_watch": "2500ms", "incident_watch_every": "200ms"}
    told = {"incident_memory_noise": "100M", "incident_memory_match": "(?i)started|startup", "incident_since": "1d"}
    sound = run(inventory, "memory_leak", **told, **watch)
    assert status(sound) is Status.OK, failure(sound)
    assert data(sound, "memory_usage")["processes"][0]["rss_bytes"] > 0
    assert data(sound, "log_errors")["count"] > 0
    used = data(sound, "memory_watch")["last_bytes"]
    running = pid(system)
    system.faults("leak=20")
    leaking = {"incident_memory_limit": used * 4, "incident_memory_critical": "1h", **watch}
    assert eventually(
        lambda: int(system.host.run(["ps", "-o", "rss=", "-p", running]).stdout) << 10 > used + (40 << 20)
    )
    only = run(inventory, "memory_leak", incident_restart=False, **leaking)
    assert status(only) is Status.FAILED
    assert data(only, "memory_watch")["trend"] == "growing"
    assert pid(system) == running
    done = run(inventory, "memory_leak", "ansible", **leaking)
    assert status(done) is Status.CHANGED, failure(done)
    assert pid(system) != running
    assert verify("incident:memory_leak", inventory) == 0
