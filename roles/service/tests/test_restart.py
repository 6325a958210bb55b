"""What must be true of a host after its service was restarted; read by testinfra, not by opslib."""

import pytest


@pytest.fixture
def unit(variables):
    """The unit's full name."""
    name = variables.get("service_unit")
    if not name:
        pytest.fail("the inventory gives this host no service_unit to verify")
    return name if "." in name else f"{name}.service"


def test_unit_runs(host, unit):
    """The unit is up."""
    assert host.run("systemctl is-active %s", unit).stdout.strip() == "active"


def test_restart_was_clean(host, unit):
    """The last start ended well, and systemd had to restart nothing since."""
    result = host.run("systemctl show -p Result -p NRestarts %s", unit).stdout
    assert "Result=success" in result
    assert "NRestarts=0" in result


def test_port_is_owned(host, variables):
    """The port that the service is to serve is listened on."""
    port = variables.get("service_port")
    if port:
        assert host.socket(f"tcp://{port}").is_listening
