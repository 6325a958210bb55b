"""What must be true of a host whose service the role has in its care; read by testinfra, not by opslib."""

import pytest


@pytest.fixture
def unit(variables):
    """The unit's full name."""
    name = variables.get("service_unit")
    if not name:
        pytest.fail("the inventory gives this host no service_unit to verify")
    return name if "." in name else f"{name}.service"


def test_unit_is_active(host, unit):
    """The unit runs, and is neither starting nor failed."""
    assert host.run("systemctl is-active %s", unit).stdout.strip() == "active"


def test_unit_is_not_masked(host, unit):
    """The unit can be started again."""
    assert host.run("systemctl show -p LoadState --value %s", unit).stdout.strip() == "loaded"


def test_unit_does_not_restart(host, unit):
    """The unit is not in a crash loop: it has been up for longer than its restart delay."""
    state = host.run("systemctl show -p SubState --value %s", unit).stdout.strip()
    assert state not in ("auto-restart", "start", "stop-sigterm", "failed")


def test_port_is_open(host, variables):
    """The port that the service is to serve is listened on."""
    port = variables.get("service_port")
    if port:
        assert host.socket(f"tcp://{port}").is_listening
