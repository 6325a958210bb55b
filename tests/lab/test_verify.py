"""`opslib verify` and plain pytest run a role's suite over testinfra, with the inventory's own settings."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from opslib.engines.roles import role_folder
from opslib.errors import InventoryError, PlaybookError, UnwrittenError, UsageError
from opslib.lab import Lab, LabHost
from opslib.verify import verify
from support import site


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> Iterator[Sequence[LabHost]]:
    """Two hosts with an application, the second of which does not run."""
    hosts = lab.hosts[:2]
    for host in hosts:
        site.prepare(host)
    hosts[1].run(["systemctl", "stop", "site"])
    yield hosts
    for host in hosts:
        host.reset()


@pytest.fixture
def inventory(lab: Lab, hosts: Sequence[LabHost], tmp_path: Path) -> Path:
    return site.inventory(lab, tmp_path / "inventory.yml", hosts)


def opslib(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    argv = [sys.executable, "-I", "-c", "import sys; from opslib.cli.main import main; sys.exit(main())"]
    return subprocess.run(
        [*argv, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120, **options
    )


def test_exit_codes_and_report(inventory: Path, tmp_path: Path) -> None:
    report = tmp_path / "verify.xml"
    done = opslib("verify", "service:status", "-i", inventory, "--junit", report, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "site.service is inactive (dead)" in done.stdout
    cases = ET.parse(report).getroot().iter("testcase")
    failed = {case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None}
    assert "test_unit_is_active[ssh://lab2]" in failed
    assert all("lab2" in str(name) for name in failed)
    done = opslib("verify", "service:status", "-i", inventory, "--limit", "lab1", "--junit", report, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert len(list(ET.parse(report).getroot().iter("testcase"))) == 5
    assert list(ET.parse(report).getroot().iter("failure")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no role 'nowhere'"),
        (["service:nowhere"], "there is no suite to verify service:nowhere with; service has restart, status"),
        (["service:status", "--limit", "nowhere"], "no host matches"),
        (["service:status", "--junit", "/nowhere/report.xml"], "/nowhere"),
    ],
    ids=["role", "entry", "limit", "report"],
)
def test_usage_errors(inventory: Path, arguments: list[str], words: str) -> None:
    done = opslib("verify", "-i", inventory, *arguments)
    assert done.returncode == 1, done.stdout
    assert words in done.stderr


def test_plain_pytest(lab: Lab, inventory: Path, tmp_path: Path) -> None:
    """Run a suite with no more than testinfra's own options and our fixtures."""
    variables = tmp_path / "variables.yml"
    variables.write_text(yaml.safe_dump(site.VARIABLES))
    argv = [
        sys.executable,
        "-I",
        "-m",
        "pytest",
        "-q",
        role_folder("service") / "tests",
        "-p",
        "opslib.verify_fixtures",
    ]
    argv += ["-p", "no:cacheprovider", f"--ssh-config={lab.ssh_config}", f"--variables={variables}"]
    for host, code in (("lab1", 0), ("lab2", 1)):
        done = subprocess.run(
            [*map(str, argv), f"--hosts=ssh://{host}"], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == code, done.stdout


def test_unreachable_host_is_not_as_promised(
    lab: Lab, hosts: Sequence[LabHost], inventory: Path, tmp_path: Path
) -> None:
    """It is told once, not by each test, and the other host is looked at all the same."""
    report = tmp_path / "verify.xml"
    role = suite(tmp_path, "def test(host): assert host.check_output('echo all is well') == 'all is well'")
    hosts[0].kill_sshd()
    try:
        told: list[str] = []
        assert verify(role, inventory, on_output=told.append, junit=report) == 2
        assert [line for line in told if "lab1" in line and "Connection refused" in line] == told[:1]
        assert not [line for line in told[1:] if "lab1" in line]
        assert verify(role, inventory, limit="lab1", junit=tmp_path / "alone.xml") == 2
    finally:
        hosts[0].start_sshd()
    for path, names in ((report, ["test[ssh://lab2]", "lab1"]), (tmp_path / "alone.xml", ["lab1"])):
        cases = list(ET.parse(path).getroot().iter("testcase"))
        assert [case.get("name") for case in cases] == names
        assert [case.get("name") for case in cases if case.find("error") is not None] == ["lab1"]


def test_changed_host_key_is_refused(lab: Lab, hosts: Sequence[LabHost], inventory: Path, tmp_path: Path) -> None:
    text = inventory.read_text().replace(str(lab.known_hosts), str(tmp_path / "known_hosts"))
    inventory.write_text(text)
    lines = lab.known_hosts.read_text().splitlines()
    (tmp_path / "known_hosts").write_text(lines[0].rpartition(" ")[0] + " " + lines[1].rpartition(" ")[2] + "\n")
    told: list[str] = []
    assert verify("service:status", inventory, limit="lab1", on_output=told.append) == 2
    assert any("Host key verification failed" in line for line in told), told


def test_an_entry_point_is_verified_with_those_it_builds_on(
    hosts: Sequence[LabHost], inventory: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    assert verify("maintenance:weekly", inventory, limit="lab2", junit=report) == 2
    cases = ET.parse(report).getroot().iter("testcase")
    failed = {case.get("name") for case in cases if case.find("failure") is not None}
    assert failed == {"test_services_run[ssh://lab2]", "test_endpoints_answer[ssh://lab2]"}  # those of daily


def test_all_that_is_asked_of_health_is_verified(hosts: Sequence[LabHost], inventory: Path, tmp_path: Path) -> None:
    inventory.write_text(
        inventory.read_text() + "    health_url: http://127.0.0.1:8080\n    health_endpoints: {x: [{path: /health}]}\n"
    )
    assert verify("health:all", inventory, limit="lab1") == 0
    assert verify("health:all", inventory, limit="lab2") == 2


def test_what_could_not_be_looked_at_is_said_to_be_skipped(hosts: Sequence[LabHost], tmp_path: Path, lab: Lab) -> None:
    check = {"url": site.URL, "request_headers": {"X-Token": "hush-hush"}}
    inventory = site.inventory(lab, tmp_path / "inventory.yml", hosts[1:], service_http=check)
    told: list[str] = []
    verify("service:status", inventory, on_output=told.append)
    assert any(line.startswith("SKIPPED") and f"only the task can ask {site.URL}" in line for line in told), told
    assert "hush-hush" not in "".join(told)


def test_a_suite_that_looks_at_nothing_verifies_nothing(
    hosts: Sequence[LabHost], inventory: Path, tmp_path: Path, lab: Lab
) -> None:
    check = {"url": site.URL, "request_headers": {"X-Token": "hush-hush"}}
    given = site.inventory(lab, tmp_path / "hosts.yml", hosts[:1], health_others=[check])
    told: list[str] = []
    assert verify("health:others", given, on_output=told.append) == 2
    assert told[-1] == "nothing was verified: all tests left themselves out, for the reasons above"
    role = suite(tmp_path, "import pytest\ndef test_it(): pytest.skip('so')\ndef test_other(): pass")
    assert verify(role, inventory, limit="lab1") == 0


def test_a_suite_that_names_none_is_refused(inventory: Path, tmp_path: Path) -> None:
    role = suite(tmp_path, "ALSO = ('nowhere',)\ndef test(): pass")
    with pytest.raises(PlaybookError, match=r"test_main\.py: ALSO names 'nowhere', of which there is no suite"):
        verify(f"{role}:main", inventory)


def test_report_is_private_and_whole(inventory: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    verify("service:status", inventory, limit="lab1", junit=report)
    assert report.stat().st_mode & 0o777 == 0o600
    (tmp_path / "gone").mkdir()
    role = suite(tmp_path, f"import os\ndef test(): os.rmdir({str(tmp_path / 'gone')!r})")
    with pytest.raises(UnwrittenError, match=r"gone/report\.xml cannot be written: No such file"):
        verify(role, inventory, limit="lab1", junit=tmp_path / "gone" / "report.xml")


def test_local_host(tmp_path: Path) -> None:
    inventory = tmp_path / "local.yml"
    inventory.write_text("all: {hosts: {here: {ansible_connection: local, maintenance_disk_fail: 101%}}}\n")
    assert verify("maintenance:daily", inventory) in (0, 2)
    told: list[str] = []
    inventory.write_text("all: {hosts: {here: {ansible_connection: local, maintenance_disk_fail: 0%}}}\n")
    assert verify("maintenance:daily", inventory, on_output=told.append) == 2
    assert any("test_disks_have_room[local]" in line for line in told)


def test_through_a_gateway(lab: Lab, hosts: Sequence[LabHost], inventory: Path) -> None:
    gateway = f"ops@{hosts[1].address}"
    text = inventory.read_text().replace(
        'ansible_ssh_common_args: "', f'ansible_ssh_common_args: "-o ProxyJump={gateway} '
    )
    assert gateway in text
    inventory.write_text(text)
    hosts[1].run(["sh", "-c", "journalctl --rotate; journalctl --vacuum-time=1s"])
    assert verify("service:status", inventory, limit="lab1") == 0
    assert f"Accepted publickey for ops from {lab.address}" in hosts[1].run(["journalctl", "-u", "ssh"]).stdout


def test_password(lab: Lab, hosts: Sequence[LabHost], inventory: Path, tmp_path: Path) -> None:
    """A password for ssh reaches it, and nothing else."""
    host = hosts[0]
    host.run(["chpasswd"], input="ops:hush-hush\n")
    host.write("/etc/ssh/sshd_config.d/00-password.conf", "PasswordAuthentication yes\n")
    host.start_sshd()
    inventory.write_text(
        "".join(line for line in inventory.read_text().splitlines(keepends=True) if "private_key" not in line)
        + "    ansible_password: hush-hush\n"
    )
    report = tmp_path / "report.xml"
    told: list[str] = []
    assert verify("service:status", inventory, limit="lab1", junit=report, on_output=told.append) == 0, told
    assert "hush-hush" not in report.read_text() + "\n".join(told)


def suite(tmp_path: Path, text: str) -> str:
    """Make a role whose suite is this text, and return its folder."""
    role = tmp_path / "role"
    (role / "tasks").mkdir(parents=True)
    (role / "tests").mkdir()
    (role / "tests" / "test_main.py").write_text(text + "\n")
    return str(role)


@pytest.mark.parametrize(
    ("become", "user"),
    [({"ansible_become": False}, "ops"), ({}, "root"), ({"ansible_become_user": "pat"}, "pat")],
    ids=["nobody", "root", "pat"],
)
def test_become(lab: Lab, hosts: Sequence[LabHost], tmp_path: Path, become: dict[str, Any], user: str) -> None:
    inventory = site.inventory(lab, tmp_path / "inventory.yml", hosts[:1], **become)
    role = suite(tmp_path, f"def test(host): assert host.check_output('id -un') == {user!r}")
    assert verify(role, inventory) == 0


def test_secret_in_a_failing_suite_is_masked(inventory: Path, tmp_path: Path) -> None:
    role = suite(tmp_path, "def test(variables): assert variables['token'] == 1, variables")
    inventory.write_text(inventory.read_text() + "    token: hush-hush\n    opslib_secrets: [token]\n")
    report = tmp_path / "report.xml"
    told: list[str] = []
    assert verify(role, inventory, limit="lab1", junit=report, on_output=told.append) == 2
    assert "***" in report.read_text()
    assert "hush-hush" not in report.read_text() + "\n".join(told)


def test_what_cannot_be_verified_is_refused(lab: Lab, inventory: Path, tmp_path: Path) -> None:
    text = inventory.read_text()
    inventory.write_text(text + "    ansible_become_password: hush-hush\n")
    with pytest.raises(InventoryError, match="lab1: testinfra cannot give sudo a password") as caught:
        verify("service:status", inventory)
    assert "hush" not in str(caught.value)
    inventory.write_text("all: {hosts: {a: {ansible_connection: local}, b: {ansible_connection: local}}}\n")
    with pytest.raises(InventoryError, match="more than one host of the inventory is this machine"):
        verify("maintenance:daily", inventory)


@pytest.mark.parametrize(
    "text", ["def test(: pass", "import no_such_module", "x = 1"], ids=["syntax", "import", "empty"]
)
def test_suite_that_cannot_be_run(inventory: Path, tmp_path: Path, text: str) -> None:
    with pytest.raises(PlaybookError, match=r"the suite of .*/role cannot be run"):
        verify(suite(tmp_path, text), inventory)


def test_report_that_cannot_be_written(inventory: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the JUnit report: cannot write .*/no does not exist"):
        verify("service:status", inventory, limit="lab1", junit=tmp_path / "no" / "folder.xml")
