"""The role `emergency` on the sample system: an outage ended, writes stopped and resumed, a breach contained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Report, Status
from opslib.errors import PlaybookError
from opslib.verify import verify
from support.canaries import files_on
from support.hosts import eventually
from support.system import System

ENGINES = ("ssh", "ansible")
DATABASE = "postgresql@15-main.service"
SERVICE = "ai-cost-dashboard.service"
CANARY = "canary-given-by-provider-61f0"
STOLEN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBvGBVOOGlkth+1rcoIVKcRq/hEPOvXE89Slz41EiaFi stolen\n"
STOLEN_PRINT = "SHA256:RevLx2R7EQLnsOcppNK/BFaOD9FfM5u+HsXdQ1kpdGI"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def inventory(standing_system: System, tmp_path: Path) -> Path:
    """An inventory into which `ops` logs in."""
    system = standing_system
    path = tmp_path / "inventory.yml"
    variables: Mapping[str, Any] = {
        "ansible_become": True,
        "emergency_units": [
            {"unit": DATABASE},
            {"unit": SERVICE, "port": system.port, "http": {"url": system.url("/health"), "timeout": "5s"}},
        ],
        "emergency_endpoints": [system.url("/health"), {"url": system.url("/health/db")}],
        "emergency_dependencies": ["http://127.0.0.1:9/status"],
        "emergency_logs": [f"{system.folder}/logs"],
        "emergency_settle": 0.5,
        "emergency_write_units": [SERVICE, DATABASE],
        "emergency_block": ["203.0.113.9", "198.51.100.0/24"],
        "emergency_secrets": [
            {"path": system.env_file, "rotate": ["ADMIN_TOKEN"], "set": {"ANTHROPIC_API_KEY": CANARY}}
        ],
        "emergency_keep_previous": "1h",
        "emergency_revoke_keys": [STOLEN_PRINT],
        "emergency_revoke_users": ["games", "eve-elsewhere"],
        "emergency_ignored_files": ["/usr/share/*", "/lib/systemd/system/multi-user.target.wants/*"],
    }
    text = system.lab.inventory_text(user="ops", hosts=[system.host])
    path.write_text(text + "".join(f"    {name}: {json.dumps(value)}\n" for name, value in variables.items()))
    return path


@pytest.fixture(autouse=True)
def as_it_was(standing_system: System) -> Iterator[None]:
    yield
    system = standing_system
    tidy = "nft delete table inet opslib; rm -f /var/lib/opslib/writes/* /etc/systemd/system/*.d/zz-opslib-writes-*"
    system.host.run(["sh", "-c", f"{tidy}; systemctl daemon-reload"], check=False)
    given = system.host.read(system.env_file)
    system.configure()
    if given != system.host.read(system.env_file) or not active(system, DATABASE) or system.get("/health")[0] != 200:
        system.start_database()
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


def active(system: System, unit: str) -> bool:
    return system.host.run(["systemctl", "is-active", "--", unit], check=False).stdout == "active\n"


def began(system: System, unit: str) -> int:
    """Return when a unit became active, in microseconds since the boot."""
    return int(system.host.run(["systemctl", "show", "--value", "-p", "ActiveEnterTimestampMonotonic", unit]).stdout)


def test_outage(standing_system: System, inventory: Path, engine: str) -> None:
    system = standing_system
    system.stop_database()
    system.host.run(["systemctl", "kill", "--signal=KILL", SERVICE])
    if engine == "ssh":
        before = system.look()
        # What is down would not answer before it is restarted, so only the last step can tell; it is left out.
        planned = run(inventory, "outage", check=True, emergency_restart=False)
        assert status(planned) is Status.CHANGED, failure(planned)
        after = system.look()
        differ = {key for key in {**before, **after} if before.get(key) != after.get(key)}
        assert {key for key in differ if not key.startswith("unit")} == set()  # they are being started all the time
    else:  # evidence that cannot be kept holds nothing up
        system.host.run(["sh", "-c", "mkdir -p /var/lib/opslib/evidence; chmod 755 /var/lib/opslib/evidence"])
    report = run(inventory, "outage", engine)
    assert status(report) is Status.CHANGED, failure(report)
    evidence = next(step for step in next(iter(report.hosts.values())).steps if step.task == "diagnose")
    assert (evidence.ignored, "mode 0755" in str(evidence.error)) == (engine != "ssh", engine != "ssh")
    system.host.run(["chmod", "700", "/var/lib/opslib/evidence"])
    assert active(system, DATABASE)
    assert verify("emergency:outage", inventory) == 0
    found = data(report, "diagnose")
    assert {"stopped", "endpoint"} <= {one["kind"] for one in found["findings"]}
    assert [row["ok"] for row in found["endpoints"]][-1] is False
    assert began(system, DATABASE) < began(system, SERVICE)


def test_an_outage_that_does_not_end(standing_system: System, inventory: Path, engine: str) -> None:
    system = standing_system
    system.configure(DATABASE_URL="postgresql://ai_cost:wrong-password-77@127.0.0.1:5432/ai_cost")
    report = run(inventory, "outage", engine, emergency_endpoint_wait=1, emergency_start_timeout=5)
    assert status(report) is Status.FAILED
    assert verify("emergency:outage", inventory) == 2
    assert "wrong-password-77" not in json.dumps(report.to_dict())


def test_data_loss(standing_system: System, inventory: Path) -> None:
    system = standing_system
    system.host.run(["sh", "-c", f"date -u +'%FT%TZ INFO DELETE FROM cost_records' >> {system.folder}/logs/error.log"])
    before = system.look()
    planned = run(inventory, "data_loss", check=True)
    assert status(planned) is Status.CHANGED, failure(planned)
    after = system.look()
    assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == set()
    assert active(system, SERVICE)
    report = run(inventory, "data_loss")
    assert status(report) is Status.CHANGED, failure(report)
    assert not active(system, SERVICE)
    assert not active(system, DATABASE)
    assert data(report, "log_errors")["count"] >= 1
    assert verify("emergency:data_loss", inventory) == 0
    system.host.run(["systemctl", "start", SERVICE], check=False)
    assert not active(system, SERVICE)
    assert status(run(inventory, "data_loss")) is Status.OK
    back = run(inventory, "data_loss", emergency_writes="resumed")
    assert status(back) is Status.CHANGED, failure(back)
    system.await_up()
    assert active(system, DATABASE)


def environment(system: System) -> dict[str, str]:
    """Return the environment of the running service."""
    pid = system.host.run(["systemctl", "show", "--value", "-p", "MainPID", SERVICE]).stdout.strip()
    text = system.host.run(["cat", f"/proc/{pid}/environ"]).stdout
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def test_breach(standing_system: System, inventory: Path) -> None:
    system = standing_system
    system.configure(ADMIN_TOKEN="canary-old-token-5a")
    forged = "printf '# opslib: ADMIN_TOKEN rotated %s\\n' $(date -u +%FT%TZ)"  # by whoever broke in
    system.host.run(
        ["sh", "-c", f"{forged} | cat - {system.env_file} > /run/forged; cat /run/forged > {system.env_file}"]
    )
    system.host.write("/home/pat/.ssh/authorized_keys2", STOLEN)
    system.restart()
    before = system.look()
    planned = run(inventory, "breach", check=True)
    assert status(planned) is Status.CHANGED, failure(planned)
    after = system.look()
    assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == set()
    report = run(inventory, "breach")
    assert status(report) is Status.CHANGED, failure(report)
    assert verify("emergency:breach", inventory) == 0
    assert system.witness.file("/home/pat/.ssh/authorized_keys2").content_string == ""
    found = environment(system)
    assert found["ANTHROPIC_API_KEY"] == CANARY
    assert found["ADMIN_TOKEN_PREVIOUS"] == "canary-old-token-5a"
    assert len(found["ADMIN_TOKEN"]) > 40
    # The restart comes before the audits, and secrets are nowhere but in their file.
    (host,) = report.hosts.values()
    revoked = next(step for step in host.steps if step.task == "revoke_access")
    assert "/etc/passwd has no eve-elsewhere to lock" in " ".join(revoked.warnings)
    done = [step.task for step in host.steps if step.task]
    assert done.index("revoke_access") < done.index("service") < done.index("login_audit") < done.index("file_audit")
    said = json.dumps(report.to_dict()) + system.host.run(["journalctl", "-q", "--no-pager", "-n", "2000"]).stdout
    for secret in (CANARY, found["ADMIN_TOKEN"], "canary-old-token-5a"):
        assert secret not in said
        where = files_on(
            system.host, [secret], folders=["/etc", "/var/lib/opslib", "/var/log", "/tmp", "/root", "/home"]
        )
        assert where == {system.env_file}
    again = run(inventory, "breach")
    assert status(again) is Status.OK, failure(again)
    assert "203.0.113.9" in system.host.run(["nft", "list", "ruleset"]).stdout
    for expected in (Status.CHANGED, Status.OK):
        let_in = {"emergency_block_state": "open"}
        opened = opslib.run_playbook(
            "opslib.runbook.breach", inventory, engine="ssh", tags=["block"], extra_vars=let_in
        )
        assert status(opened) is expected, failure(opened)
    assert "203.0.113.9" not in system.host.run(["nft", "list", "ruleset"]).stdout
    # What is put back is found, and replaced.
    system.host.run(["sed", "-i", "s/^ADMIN_TOKEN=.*/ADMIN_TOKEN=canary-old-token-5a/", system.env_file])
    told: list[str] = []
    assert verify("emergency:breach", inventory, on_output=told.append) == 2
    assert any(f"{system.env_file} holds another value of ADMIN_TOKEN" in line for line in told), told
    assert status(run(inventory, "breach")) is Status.CHANGED
    found = environment(system)
    assert found["ADMIN_TOKEN"] != "canary-old-token-5a"
    # The time of grace is over.
    system.host.run(["sed", "-i", "s/ expires .*/ expires 2001-01-01T00:00:00Z/", system.env_file])
    assert status(run(inventory, "breach")) is Status.CHANGED
    later = environment(system)
    assert later["ADMIN_TOKEN"] == found["ADMIN_TOKEN"]
    assert "ADMIN_TOKEN_PREVIOUS" not in later


def test_a_breach_never_locks_the_operator_out(standing_system: System, inventory: Path) -> None:
    """The rest of what contains it is done all the same, and in the end the run fails."""
    system = standing_system
    operator = system.host.run(["sh", "-c", "getent hosts controller | cut -d' ' -f1"]).stdout.strip()
    wrong: dict[str, Any] = {"emergency_block": ["203.0.113.1", operator]}
    planned = run(inventory, "breach", check=True, **wrong)
    assert f"{operator} would lock out" in failure(planned)
    with pytest.raises(PlaybookError, match=r"127\.0\.0\.1"):  # known before any host is asked
        run(inventory, "breach", emergency_block=["127.0.0.1"])
    report = run(inventory, "breach", "ansible", **wrong)
    assert status(report) is Status.FAILED
    assert f"{operator} would lock out" in failure(report)
    (host,) = report.hosts.values()
    done = {step.task for step in host.steps if step.status in (Status.OK, Status.CHANGED)}
    assert {"env_file", "service", "revoke_access", "login_audit", "file_audit"} <= done
    assert environment(system)["ANTHROPIC_API_KEY"] == CANARY
    assert "opslib" not in system.host.run(["nft", "list", "ruleset"]).stdout
    assert eventually(lambda: system.get("/health")[0] == 200)
